"""What an answer of Open WebUI holds: Responses items, or HTML blocks inside its text."""

import re
from typing import Any

import msgspec

from ingest.html import unescape
from ingest.importers.fields import joined, object_of, objects, text_of
from ingest.importers.steps import Steps
from ingest.message import Attachment

_BLOCK = re.compile(
    r'<details type="(?P<kind>[a-z_]+)"(?P<attributes>(?:(?!<details)[^>])*)>\n?'
    r"(?:<summary>.*?</summary>)?(?P<body>.*?)</details>\n*",
    re.DOTALL,
)
_END = "</details>"
_ATTRIBUTE = re.compile(r'\b([a-z_]+)="([^"]*)"')


def put_content(content: Any, steps: Steps, unknown: list[Any], *, blocks: bool) -> None:
    """Put a message's ``content`` into steps.

    Args:
        content: text, or a list of parts.
        steps: takes the steps.
        unknown: takes the parts and blocks of a kind that we do not know.
        blocks: whether ``<details>`` in the text are the application's own: in what a user
            wrote, they are the user's.
    """
    if isinstance(content, str):
        _put_text(content, steps, unknown, blocks=blocks)
        return
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            _put_text(part["text"], steps, unknown, blocks=blocks)
        elif kind == "image_url":
            url = part.get("image_url")
            url = url.get("url") if isinstance(url, dict) else url
            inline = not isinstance(url, str) or url.startswith("data:")
            steps.attach(Attachment("image", uri=None if inline else url))
        else:
            unknown.append(part)
    if content is not None and not isinstance(content, list):
        unknown.append(content)


def _put_text(text: str, steps: Steps, unknown: list[Any], *, blocks: bool) -> None:
    at = 0
    # a block without an end is not looked for in vain
    rest = text[text.rfind(_END) + len(_END) :].lstrip("\n")
    for block in _BLOCK.finditer(text, 0, len(text) - len(rest)) if blocks else ():
        steps.text(text[at : block.start()].rstrip("\n"))
        at = block.end()
        said = {name: unescape(value) for name, value in _ATTRIBUTE.findall(block["attributes"])}
        if block["kind"] == "reasoning":
            steps.think(_unquoted(block["body"]))
        elif block["kind"] == "tool_calls" and said.get("name"):
            key = steps.call(said.get("id") or None, said["name"], _inner(said.get("arguments")))
            result = said["result"] if "result" in said else _unquoted(block["body"])
            if result or said.get("done") == "true":
                steps.result(key, _inner(result))
        else:
            unknown.append({"type": block["kind"], "html": block.group().strip("\n")})
    steps.text(text[at:])


def _unquoted(body: str) -> str:
    """The text of a block: newer versions escape it, all put ``>`` before each line."""
    body = body.strip("\n")
    if body.startswith("&gt;"):
        body = unescape(body)
    return "\n".join(re.sub(r"^> ?", "", line) for line in body.split("\n")).strip("\n")


def _inner(written: str | None) -> str:
    """Attributes hold JSON; what is a text in it was JSON or text before."""
    if not written:
        return ""
    try:
        value = msgspec.json.decode(written)
    except msgspec.DecodeError:
        return written
    return value if isinstance(value, str) else written


def put_output(items: list[Any], steps: Steps, unknown: list[Any]) -> None:
    """Put a message's ``output``, items as the Responses API has them, into steps."""
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "reasoning":
            steps.think(_texts(item.get("content")) or _texts(item.get("summary")))
        elif kind == "message":
            steps.text(_texts(item.get("content")))
        elif kind == "function_call" and text_of(item.get("name")):
            native = text_of(item.get("call_id")) or text_of(item.get("id"))
            steps.call(native, item["name"], item.get("arguments"))
        elif kind == "function_call_output":
            result = item.get("output")
            steps.result(text_of(item.get("call_id")),
                         _texts(result) if isinstance(result, list) else result)  # fmt: skip
        else:
            unknown.append(item)


def _texts(content: Any) -> str:
    return (
        content
        if isinstance(content, str)
        else joined(each.get("text") for each in objects(content))
    )


def file_of(file: dict[str, Any]) -> Attachment:
    """A file of a message, with the text that was extracted from it."""
    inner = object_of(file.get("file"))
    meta = object_of(inner.get("meta"))
    size = meta.get("size", file.get("size"))
    kind = text_of(file.get("type")) or "file"
    uri = text_of(file.get("url")) or text_of(file.get("id"))
    if uri and uri.startswith("data:"):
        uri = None  # a reference, never the bytes
    return Attachment(
        kind=kind if kind in ("image", "audio", "video", "collection") else "file",
        name=text_of(file.get("name")) or text_of(inner.get("filename")),
        uri=uri,
        mime_type=text_of(meta.get("content_type")) or text_of(file.get("content_type")),
        size_bytes=size if type(size) is int else None,
        text=text_of(object_of(inner.get("data")).get("content")),
    )

"""What a Teams message says: its HTML as text, mentions by name, files and references apart."""

import re
from html import escape
from typing import Any

from ingest.html import to_text
from ingest.importers.fields import object_of, objects, text_of
from ingest.importers.media import media_kind
from ingest.loose import loads_loose
from ingest.message import Attachment

_MENTION = re.compile(
    r'<at\b[^<>]*?\bid="?(?P<id>[^">\s]+)"?[^<>]*>(?P<name>.{0,500}?)</at>', re.DOTALL
)
_ATTACHMENT = re.compile(r"<attachment\b[^<>]*>\s*(?:</attachment>)?", re.IGNORECASE)
_EMOJI = re.compile(r'<emoji\b[^<>]*?\balt="(?P<alt>[^"]*)"[^<>]*>\s*(?:</emoji>)?', re.IGNORECASE)
_IMAGE = re.compile(r'<img\b[^<>]*?\bsrc="(?P<src>[^"]+)"[^<>]*>', re.IGNORECASE)
_REFERENCES = ("messageReference", "forwardedMessageReference")


def text_of_body(message: dict[str, Any]) -> str:
    """The text of a message with Graph's keys; ``""`` if it has none."""
    body = object_of(message.get("body"))
    content = text_of(body.get("content")) or ""
    if str(body.get("contentType", "text")).lower() not in ("html", "1"):
        return content
    people = {
        str(mention.get("id")): text_of(mention.get("mentionText"))
        for mention in objects(message.get("mentions"))
    }

    def named(match: re.Match[str]) -> str:
        name = people.get(match["id"])
        return f"@{escape(name)}" if name else f"@{match['name']}"

    content = _MENTION.sub(named, content)
    content = _ATTACHMENT.sub("", content)
    return to_text(_EMOJI.sub(lambda match: match["alt"], content)).strip()


def attachments_of(message: dict[str, Any]) -> tuple[tuple[Attachment, ...], dict[str, Any]]:
    """(files, references): what came with a message.

    References are messages quoted or forwarded, and cards: not the sender's own words. They are
    keyed by their content type; a type that comes twice is a list.
    """
    files: list[Attachment] = []
    references: dict[str, Any] = {}
    for entry in objects(message.get("attachments")):
        kind = text_of(entry.get("contentType")) or "unknown"
        uri = text_of(entry.get("contentUrl"))
        if kind not in _REFERENCES and uri:
            name = text_of(entry.get("name"))
            mime = kind if "/" in kind else None
            files.append(Attachment(media_kind(name, mime), name=name, uri=uri, mime_type=mime))
            continue
        value = _unpacked(entry.get("content"))
        if kind == "forwardedMessageReference":
            value = _as_forwarded(value)
        if kind in references:
            before = references[kind]
            references[kind] = [*(before if isinstance(before, list) else [before]), value]
        else:
            references[kind] = value
    body = object_of(message.get("body"))
    files += [
        Attachment("image", uri=match["src"])
        for match in _IMAGE.finditer(text_of(body.get("content")) or "")
    ]
    return tuple(files), references


def _unpacked(content: Any) -> Any:
    """Graph writes the content of references as JSON inside a text."""
    if isinstance(content, str) and content.lstrip().startswith(("{", "[")):
        try:
            return loads_loose(content.encode("utf-8", "surrogatepass"))
        except ValueError:
            return content
    return content


def _as_forwarded(value: Any) -> Any:
    """A forwarded message with its HTML as text."""
    source = object_of(value)
    inner = text_of(source.get("originalMessageContent"))
    return {**source, "originalMessageContent": to_text(inner).strip()} if inner else value

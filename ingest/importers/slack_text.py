"""Slack's markup as text: ``<@U1>``, ``<#C1|name>``, ``<url|label>``, blocks and attachments."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.importers.fields import joined, objects, text_of

_MARKUP = re.compile(r"<([@#!][^<>\n]+|[A-Za-z][A-Za-z0-9+.-]*:[^<>\n]+)>")
# links to an export's files carry its token, in the text of messages as well
_TOKEN = re.compile(rb"([?&]|&amp;|\b)(?:t=xox[a-z]-[\w.%-]+(&amp;|&)?)+")


def without_tokens(raw: bytes) -> bytes:
    """A record without the tokens that let anyone who reads it fetch the export's files."""
    return _TOKEN.sub(_joint, raw) if b"xox" in raw else raw


def _joint(token: re.Match[bytes]) -> bytes:
    """What stays between the parameters around a token."""
    before, after = token.groups()
    return (before if before == b"?" else after) if before and after else b""


def plain_text(text: str, names: Mapping[str, str]) -> str:
    """Text as it was displayed.

    Args:
        text: as in the export.
        names: displayed names of users and channels by id.
    """
    # entities are decoded last and once: a typed '<' stands as '&lt;' and must not become markup
    pieces = _MARKUP.split(text)
    pieces[1::2] = [_reference(piece, names) for piece in pieces[1::2]]
    return "".join(
        piece.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for piece in pieces
    )


def _reference(inside: str, names: Mapping[str, str]) -> str:
    target, _, label = inside.partition("|")
    kind, name = target[:1], target[1:]
    if kind == "@":
        return f"@{names.get(name) or label or name}"
    if kind == "#":
        return f"#{label or names.get(name) or name}"
    if kind == "!":
        shown = label or name.partition("^")[0]
        return shown if shown.startswith("@") or "^" in name else f"@{shown}"
    if not label or label == target or target in (f"http://{label}", f"mailto:{label}"):
        return label or target
    return f"[{label}]({target})"


def text_of_blocks(blocks: Any, names: Mapping[str, str]) -> str:
    """The text of Block Kit blocks, for messages of which it is all there is."""
    return "\n".join(text for block in objects(blocks) if (text := _block(block, names)))


def _block(block: dict[str, Any], names: Mapping[str, str]) -> str:
    if block.get("type") == "rich_text":
        return "\n".join(_rich(element, names) for element in objects(block.get("elements")))
    return "\n".join(
        plain_text(text, names) for key in ("text", "fields", "elements")
        for text in _texts(block.get(key))
    )  # fmt: skip


def _texts(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        text = each.get("text") if isinstance(each, dict) else each
        if isinstance(text, str) and text:
            yield text


def _rich(element: dict[str, Any], names: Mapping[str, str]) -> str:
    inner = objects(element.get("elements"))
    if element.get("type") == "rich_text_list":
        return "\n".join(f"- {_rich(item, names)}" for item in inner)
    return "".join(_run(run, names) for run in inner)


def _run(run: dict[str, Any], names: Mapping[str, str]) -> str:
    kind = run.get("type")
    if kind == "user":
        return _reference(f"@{run.get('user_id')}", names)
    if kind == "channel":
        return _reference(f"#{run.get('channel_id')}", names)
    if kind == "broadcast":
        return f"@{run.get('range')}"
    if kind == "emoji":
        return f":{run.get('name')}:"
    if kind == "link":
        return _reference(f"{run.get('url')}|{run.get('text') or ''}", names)
    return text_of(run.get("text")) or ""


def text_of_attachments(attachments: Any, names: Mapping[str, str]) -> str:
    """The text of a bot's attachments, for messages of which it is all there is."""
    texts = []
    for each in objects(attachments):
        said = joined([each.get("pretext"), each.get("title"), each.get("text")])
        fallback = text_of(each.get("fallback")) or ""
        said = said or text_of_blocks(each.get("blocks"), names) or fallback
        texts.append(plain_text(said, names))
    return joined(texts)

"""What one message of a Gemini CLI session becomes: a turn, and a tool message for every result."""

from collections.abc import Iterator
from typing import Any

from ingest.importers.fields import joined, name_of, object_of, objects, text_of
from ingest.importers.records import as_text
from ingest.message import Attachment, Message, Role, ToolCall
from ingest.times import from_iso

Source = dict[str, Any]

_ROLES: dict[Any, Role] = {"user": "user", "gemini": "assistant"}
_INJECTED = ("<session_context>", "This is the Gemini CLI. We are setting up the context")
_INTERRUPTED = ("cancelled", "canceled")


def turns_of(
    key: str, source: Source, parent: str | None, on_path: bool, *, is_first: bool
) -> list[Message]:
    """The messages of one entry of the log, each after the one before it.

    Args:
        key: the entry's id.
        source: the entry.
        parent: ``source_id`` of the message that it follows.
        on_path: whether it was not taken back.
        is_first: whether no user's turn came before it: the first one may be injected.
    """
    kind = source.get("type")
    role = _ROLES.get(kind) if isinstance(kind, str) else None
    text, attachments, unknown = _content(source.get("content"))
    extra: dict[str, Any] = {"content": unknown} if unknown else {}
    train = None
    if role is None:
        extra["type"], train = kind, False
    elif role == "user" and is_first and text.lstrip().startswith(_INJECTED):
        train = False
    if model := text_of(source.get("model")):
        extra["model"] = model
    calls = list(_calls(key, source))
    at = from_iso(text_of(source.get("timestamp")))
    turns = [
        Message(
            role=role or "system",
            content=text,
            reasoning=_reasoning(source.get("thoughts")),
            tool_calls=tuple(call for call, _ in calls),
            attachments=attachments,
            created_at=at,
            train=train,
            source_id=key,
            parent_id=parent,
            on_path=on_path,
            extra=extra,
        )
    ]
    for call, raw in calls:
        if raw.get("result") is None and raw.get("status") not in _INTERRUPTED:
            continue  # not answered when the session ended
        turns.append(_result(f"{key}/{call.id}", call, raw, turns[-1]))
    return turns


def _content(content: Any) -> tuple[str, tuple[Attachment, ...], list[Any]]:
    """Text, files and unknown parts: content is a text, a part, or a list of both."""
    texts: list[str] = []
    attachments: list[Attachment] = []
    unknown: list[Any] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict) and part.keys() & {"inlineData", "fileData"}:
            data = object_of(part.get("inlineData") or part.get("fileData"))
            mime = text_of(data.get("mimeType"))
            kind = (mime or "").partition("/")[0]
            attachments.append(
                Attachment(
                    kind if kind in ("image", "audio", "video") else "file",
                    name=text_of(data.get("displayName")),
                    uri=text_of(data.get("fileUri")),
                    mime_type=mime,
                )
            )
        elif part is not None:
            unknown.append(part)
    return "\n".join(texts), tuple(attachments), unknown


def _reasoning(thoughts: Any) -> str | None:
    pieces = (joined((each.get("subject"), each.get("description"))) for each in objects(thoughts))
    return joined(pieces, "\n\n") or None


def _calls(key: str, source: Source) -> Iterator[tuple[ToolCall, Source]]:
    for number, raw in enumerate(objects(source.get("toolCalls"))):
        args = raw.get("args")
        written = "{}" if args is None else as_text(args)
        call = name_of(raw.get("id")) or f"call_{key}_{number}"
        yield ToolCall(call, text_of(raw.get("name")) or "?", written), raw


def _result(key: str, call: ToolCall, raw: Source, above: Message) -> Message:
    texts: list[str] = []
    files: list[Attachment] = []
    extra: dict[str, Any] = {}
    result = raw.get("result")
    for part in result if isinstance(result, list) else [result]:
        response = object_of(part).get("functionResponse")
        if isinstance(response, dict):
            texts.append(_response(response.get("response")))
            continue
        text, attached, unknown = _content(part)
        texts += [text] if text else []
        files += attached
        if unknown:
            extra.setdefault("result", []).extend(unknown)
    if raw.get("status") not in (None, "success"):
        extra["status"] = raw["status"]
    return Message(
        role="tool",
        content="\n".join(texts),
        name=call.name,
        tool_call_id=call.id,
        attachments=tuple(files),
        created_at=from_iso(text_of(raw.get("timestamp"))) or above.created_at,
        source_id=key,
        parent_id=above.source_id,
        on_path=above.on_path,
        extra=extra,
    )


def _response(response: Any) -> str:
    """What a tool gave back: its only text, or all of it as JSON."""
    if isinstance(response, dict) and len(response) == 1:
        (value,) = response.values()
        if isinstance(value, str):
            return value
    return "" if response is None else as_text(response)

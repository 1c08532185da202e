"""Chunks of Google AI Studio's prompts: consecutive ones of a role are one turn."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from ingest.importers.fields import joined, objects, stated, text_of, thoughts_first
from ingest.importers.steps import Steps
from ingest.message import Attachment, Message
from ingest.times import from_any

_DRIVE = {
    "driveDocument": "file",
    "driveImage": "image",
    "driveVideo": "video",
    "driveAudio": "audio",
    "youtubeVideo": "video",
}
_INLINE = {"inlineData", "inlineImage", "inlineFile", "inlineAudio", "inlineVideo"}
_CALLS = {"executableCode", "codeExecutionResult", "functionCall", "functionResponse"}
_FINISHED = {"STOP", "FINISH_REASON_STOP", "FINISH_REASON_UNSPECIFIED"}
_KNOWN = {
    "role",
    "text",
    "parts",
    "isThought",
    "tokenCount",
    "createTime",
    *_DRIVE,
    *_INLINE,
    *_CALLS,
}


def turns(chunks: list[Any]) -> Iterator[Message]:
    """Messages of a prompt, without a system instruction."""
    for at, (role, group) in enumerate(groupby(chunks, _role)):
        yield from _turn(f"turn-{at}", role, list(group))


def _role(chunk: Any) -> str | None:
    role = chunk.get("role") if isinstance(chunk, dict) else None
    return role if isinstance(role, str) else None


def _turn(key: str, role: str | None, chunks: list[Any]) -> list[Message]:
    steps = Steps(key)
    extra: dict[str, Any] = {}
    train: bool | None = None
    answered = role != "model"
    for chunk in thoughts_first(chunks, _is_thought, _is_tool):
        if not isinstance(chunk, dict):
            extra.setdefault("chunks", []).append(chunk)
            continue
        answered |= not _is_thought(chunk)
        _take(chunk, steps)
        extra |= stated({name: value for name, value in chunk.items() if name not in _KNOWN})
        reason = chunk.get("finishReason")
        if chunk.get("errorMessage") or (isinstance(reason, str) and reason not in _FINISHED):
            train = False
    if role not in ("user", "model"):
        extra["role"] = role
    if role not in ("user", "model") or not answered:
        train = False
    times = (from_any(c.get("createTime")) for c in chunks if isinstance(c, dict))
    stored = Message(
        role="assistant" if role == "model" else "user" if role == "user" else "system",
        created_at=next((time for time in times if time), None),
        train=train,
        source_id=key,
        extra=stated(extra),
    )
    # the files state no links: a turn follows the one before it
    return [
        msgspec.structs.replace(each, source_id=None, parent_id=None)
        for each in steps.messages(stored)
    ]


def _is_thought(chunk: Any) -> bool:
    return isinstance(chunk, dict) and chunk.get("isThought") is True


def _is_tool(chunk: Any) -> bool:
    return isinstance(chunk, dict) and not _CALLS.isdisjoint(chunk)


def _take(chunk: dict[str, Any], steps: Steps) -> None:
    # `parts` repeat the text in the pieces in which it came
    text = text_of(chunk.get("text")) or joined(
        (part.get("text") for part in objects(chunk.get("parts"))), ""
    )
    if _is_thought(chunk):
        steps.think(text)
    else:
        steps.text(text)
    for attachment in _attachments(chunk):
        steps.attach(attachment)
    code, ran = chunk.get("executableCode"), chunk.get("codeExecutionResult")
    called, returned = chunk.get("functionCall"), chunk.get("functionResponse")
    if isinstance(code, dict):
        steps.call(None, "code_execution", code)
    if isinstance(ran, dict):
        steps.result(None, text_of(ran.get("output")) or ran)
    if isinstance(called, dict):
        steps.call(text_of(called.get("id")), str(called.get("name")), called.get("args"))
    if isinstance(returned, dict):
        steps.result(text_of(returned.get("id")), returned.get("response"))


def _attachments(chunk: dict[str, Any]) -> Iterator[Attachment]:
    for name, kind in _DRIVE.items():
        source = chunk.get(name)
        if isinstance(source, dict):
            yield Attachment(kind, name=text_of(source.get("name")), uri=text_of(source.get("id")))
    for name in _INLINE:
        source = chunk.get(name)
        if isinstance(source, dict):
            mime = text_of(source.get("mimeType"))
            data = text_of(source.get("data")) or ""
            yield Attachment(
                (mime or "file").partition("/")[0] if mime and _is_media(mime) else "file",
                mime_type=mime,
                # bytes stay in the export; base64 writes three as four characters
                size_bytes=len(data.rstrip("=")) * 3 // 4 or None,
            )


def _is_media(mime: str) -> bool:
    return mime.startswith(("image/", "audio/", "video/"))

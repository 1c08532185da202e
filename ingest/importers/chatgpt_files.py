"""Files that ChatGPT's metadata names: one attachment each, also where a part points to it."""

from typing import Any

import msgspec

from ingest.importers.fields import objects, text_of
from ingest.importers.media import media_kind
from ingest.message import Attachment

_TEXT_KEYS = ("extracted_text", "extracted_content", "text", "content")


def with_files(pointed: tuple[Attachment, ...], listed: Any) -> tuple[Attachment, ...]:
    """Attachments of the parts, with what ``metadata.attachments`` says, then its other files.

    Args:
        pointed: made from asset pointers, which end in the file's id.
        listed: the metadata's list.
    """
    if not listed:
        return pointed
    found = list(pointed)
    for source in objects(listed):
        file = _file(source)
        at = next((at for at, each in enumerate(pointed) if _same(each, file)), None)
        if at is None:
            found.append(file)
            continue
        found[at] = msgspec.structs.replace(
            found[at],
            name=file.name,
            mime_type=file.mime_type,
            size_bytes=found[at].size_bytes or file.size_bytes,
            text=file.text,
        )
    return tuple(found)


def _same(pointed: Attachment, file: Attachment) -> bool:
    return bool(file.uri and pointed.uri and pointed.uri.endswith(f"/{file.uri}"))


def _file(source: dict[str, Any]) -> Attachment:
    name = text_of(source.get("name"))
    mime = text_of(source.get("mime_type")) or text_of(source.get("mimeType"))
    size = source.get("size")
    texts = (text_of(source.get(key)) for key in _TEXT_KEYS)
    return Attachment(
        media_kind(name, mime),
        name=name,
        uri=text_of(source.get("id")),
        mime_type=mime,
        size_bytes=size if type(size) is int else None,
        text=next((text for text in texts if text), None),
    )

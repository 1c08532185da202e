"""One message of Telegram Desktop's export as a line or an event."""

from typing import Any

from ingest.importers.fields import name_of, object_of, objects, text_of
from ingest.importers.media import media_kind
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.times import from_any, from_iso

_USED = {
    "id", "type", "date", "date_unixtime", "from", "from_id", "author", "text", "text_entities",
    "photo", "photo_file_size", "file", "file_name", "file_size", "mime_type", "thumbnail",
    "thumbnail_file_size", "reply_to_message_id", "actor", "actor_id", "location_information",
    "contact_information", "contact_vcard",
}  # fmt: skip
_KINDS = {
    "sticker": "sticker", "animation": "video", "video_file": "video", "video_message": "video",
    "voice_message": "audio", "audio_file": "audio",
}  # fmt: skip


def item_of(message: dict[str, Any], chat: str | None) -> Line | Event:
    """The line or event of a message.

    Args:
        message: as in the export.
        chat: the chat's name, which signs the posts of a channel.
    """
    at = from_any(message.get("date_unixtime")) or from_iso(text_of(message.get("date")))
    if message.get("type") == "service":
        return Event(at, _event(message))
    extra = {key: value for key, value in message.items() if key not in _USED and value is not None}
    if at is None and message.get("date") is not None:
        extra["date"] = message["date"]
    # it says who wrote it, and that was not the speaker
    forwarded = "forwarded_from" in message or "forwarded_from_id" in message
    if forwarded:
        extra["forwarded_from"] = message.get("forwarded_from")
    key = name_of(message.get("from_id"))
    elsewhere = "reply_to_peer_id" in message
    speaker = text_of(message.get("from")) or text_of(message.get("author"))
    return Line(
        speaker=speaker or (key if key and not key.startswith("channel") else chat) or "Unknown",
        text=_text(message),
        at=at,
        attachments=tuple(_attachments(message)),
        alone=forwarded,
        train=False if forwarded else None,
        extra=extra or None,
        speaker_id=key,
        source_id=name_of(message.get("id")),
        parent_id=None if elsewhere else name_of(message.get("reply_to_message_id")),
    )


def _event(message: dict[str, Any]) -> str:
    actor = text_of(message.get("actor")) or name_of(message.get("actor_id")) or "Unknown"
    members = message.get("members")
    facts = [*(members if isinstance(members, list) else ()), message.get("title"), _text(message)]
    told = ", ".join(str(fact) for fact in facts if fact)
    action = str(message.get("action") or "service").replace("_", " ")
    return f"{actor}: {action}" + (f" ({told})" if told else "")


def _text(message: dict[str, Any]) -> str:
    """Text joined as it was displayed; a link behind other words keeps its target."""
    text = message.get("text")
    if text is None:
        text = message.get("text_entities")
    if isinstance(text, str):
        return text
    pieces = text if isinstance(text, list) else []
    return "".join(
        piece if isinstance(piece, str) else _piece(object_of(piece)) for piece in pieces
    )


def _piece(piece: dict[str, Any]) -> str:
    text, target = text_of(piece.get("text")) or "", text_of(piece.get("href"))
    return f"[{text}]({target})" if target and target != text else text


def _attachments(message: dict[str, Any]) -> list[Attachment]:
    found: list[Attachment] = []
    photo, file = text_of(message.get("photo")), text_of(message.get("file"))
    if photo:
        found.append(
            Attachment("image", uri=_path(photo), size_bytes=_size(message, "photo_file_size"))
        )
    media = text_of(message.get("media_type"))
    if file or media:
        path, mime = _path(file), text_of(message.get("mime_type"))
        found.append(
            Attachment(
                _KINDS.get(media or "") or media_kind(path, mime),
                name=text_of(message.get("file_name")) or text_of(message.get("sticker_emoji")),
                uri=path,
                mime_type=mime,
                size_bytes=_size(message, "file_size"),
            )
        )
    if place := object_of(message.get("location_information")):
        uri = f"geo:{place.get('latitude')},{place.get('longitude')}"
        found.append(Attachment("location", name=text_of(message.get("place_name")), uri=uri))
    if contact := object_of(message.get("contact_information")):
        names = (text_of(contact.get("first_name")), text_of(contact.get("last_name")))
        found.append(
            Attachment(
                "contact",
                name=" ".join(name for name in names if name) or None,
                uri=_path(text_of(message.get("contact_vcard"))),
                text=text_of(contact.get("phone_number")),
            )
        )
    if poll := object_of(message.get("poll")):
        answers = [text_of(answer.get("text")) for answer in objects(poll.get("answers"))]
        listed = "\n".join(f"- {answer}" for answer in answers if answer)
        found.append(Attachment("poll", name=text_of(poll.get("question")), text=listed or None))
    return found


def _path(path: str | None) -> str | None:
    """A path inside the export; where the file was not exported, a sentence in brackets stands."""
    return None if path is None or path.startswith("(") else path


def _size(message: dict[str, Any], key: str) -> int | None:
    size = message.get(key)
    return size if isinstance(size, int) and not isinstance(size, bool) else None

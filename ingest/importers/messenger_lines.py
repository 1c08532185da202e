"""One message of a Messenger or Instagram download as a line or an event."""

import re
from datetime import datetime
from typing import Any, TypeVar

from ingest.importers.fields import object_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.times import from_epoch_ms

T = TypeVar("T")

_FILES = {"photos": "image", "videos": "video", "audio_files": "audio", "gifs": "gif", "files": ""}
_USED = {"sender_name", "timestamp_ms", "content", "sticker", "share", *_FILES}
_USED_ENCRYPTED = {"senderName", "timestamp", "text", "media"}
_CALLS = {"Call", "Subscribe", "Unsubscribe"}

# who did it comes first: "Anna", "Anna Reed" or, in the account's language, "You"
_YOU = ("You", "Du", "T\u00fa", "Vous", "Voc\u00ea", "Tu", "Hai", "Je")
_ATTACHED = re.compile(
    r"^(?:(?:has )?sent (?:an attachment|a photo|a video|a voice message|a link|a GIF|a sticker|"
    r"a live location)|(?:hat|hast) einen Anhang gesendet|envi\u00f3 un archivo adjunto|"
    r"(?:a|avez) envoy\u00e9 une pi\u00e8ce jointe|enviou um anexo|(?:ha )?inviato un allegato|"
    r"(?:heeft|hebt) een bijlage verzonden)\.$"
)
_CHANGED = re.compile(
    r"^(?:named the group [^\n]+|changed the (?:chat )?theme to [^\n]+|"
    r"changed the group photo|set the (?:emoji|quick reaction) to [^\n]+|"
    r"(?:set|cleared) [^\n]{0,80}nickname[^\n]*|created the group|left the group|"
    r"added [^\n]+ to the group|removed [^\n]+ from the group|"
    r"turned (?:on|off) (?:vanish mode|disappearing messages)[^\n]*|"
    r"missed (?:your|a) (?:video |audio )?(?:call|chat)[^\n]*|"
    r"started a (?:video |audio )?(?:call|chat)|called you|joined the (?:video )?call)\.?$"
)
# these come with no name before them, and nobody writes so
_REACTED = re.compile(
    r"^(?:Reacted \S+ to your message|Liked a message|Hat mit \S+ auf deine Nachricht reagiert|"
    r"Hat eine Nachricht mit \u201eGef\u00e4llt mir\u201c markiert|"
    r"Reaccion\u00f3 con \S+ a tu mensaje|Le gust\u00f3 un mensaje|"
    r"A r\u00e9agi \S+ \u00e0 votre message|A aim\u00e9 un message|"
    r"Reagiu com \S+ \u00e0 sua mensagem|Curtiu uma mensagem|"
    r"Ha reagito con \S+ al tuo messaggio|Heeft met \S+ op je bericht gereageerd) ?\.?$",
    re.IGNORECASE,
)
_WITHOUT_NAME = {"Enviaste un archivo adjunto.", "Hai inviato un allegato."}


def repaired(value: T) -> T:
    """A decoded value with its texts as they were typed.

    The download writes the bytes of UTF-8 as characters. A text in which that is not so does not
    survive the way back, and stays as it is: some are right already.
    """
    if isinstance(value, str):
        if value.isascii():
            return value
        try:
            return value.encode("latin-1").decode("utf-8")  # type: ignore[return-value]
        except UnicodeError:
            return value
    if isinstance(value, list):
        return [repaired(each) for each in value]  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: repaired(each) for key, each in value.items()}  # type: ignore[return-value]
    return value


def main_item(message: dict[str, Any]) -> Line | Event:
    """The line or event of a message in the account's download."""
    at = from_epoch_ms(_number(message.get("timestamp_ms")))
    speaker = text_of(message.get("sender_name")) or "Unknown"
    text = text_of(message.get("content")) or ""
    extra = stated({key: value for key, value in message.items() if key not in _USED})
    if extra.get("type") == "Generic":
        del extra["type"]
    if message.get("type") in tuple(_CALLS) or "call_duration" in message:
        return Event(at, _told(speaker, text or "call"))
    unsent = message.get("is_unsent") is True
    return _item(speaker, text, at, _attachments(message), extra, unsent=unsent)


def encrypted_item(message: dict[str, Any]) -> Line | Event:
    """The line or event of a message in the download of encrypted chats."""
    at = from_epoch_ms(_number(message.get("timestamp")))
    speaker = text_of(message.get("senderName")) or "Unknown"
    text = text_of(message.get("text")) or ""
    kind = message.get("type")
    extra = stated({key: value for key, value in message.items() if key not in _USED_ENCRYPTED})
    if kind in ("text", "media", "link"):
        del extra["type"]
    unsent = message.get("isUnsent") is True
    if kind == "placeholder" and not unsent:
        return Event(at, _told(speaker, text))
    files = [_file(each, "") for each in objects(message.get("media"))]
    return _item(speaker, text, at, files, extra, unsent=unsent)


def _item(
    speaker: str,
    text: str,
    at: datetime | None,
    files: list[Attachment],
    extra: dict[str, Any],
    *,
    unsent: bool,
) -> Line | Event:
    deed = _deed(speaker, text)
    attached = text in _WITHOUT_NAME or bool(_ATTACHED.match(deed))
    if not unsent and ((attached and not files) or _CHANGED.match(deed) or _REACTED.match(text)):
        return Event(at, _told(speaker, text))
    return Line(
        speaker=speaker,
        text="" if attached else text,
        at=at,
        attachments=tuple(files),
        alone=unsent,
        train=False if unsent else None,
        extra=extra or None,
        on_path=not unsent,
    )


def _deed(speaker: str, text: str) -> str:
    """What follows the name of who did it; "" where the text does not begin with that."""
    for name in (speaker, speaker.partition(" ")[0], *_YOU):
        if text.startswith(f"{name} "):
            return text[len(name) + 1 :]
    return ""


def _told(speaker: str, text: str) -> str:
    return text if text.startswith(speaker) else f"{speaker}: {text}"


def _attachments(message: dict[str, Any]) -> list[Attachment]:
    found = [
        _file(each, kind) for key, kind in _FILES.items() for each in objects(message.get(key))
    ]
    if sticker := object_of(message.get("sticker")):
        found.append(_file(sticker, "sticker"))
    if share := object_of(message.get("share")):
        text = text_of(share.get("share_text"))
        found.append(Attachment("link", uri=text_of(share.get("link")), text=text))
    return found


def _file(file: dict[str, Any], kind: str) -> Attachment:
    uri = text_of(file.get("uri"))
    return Attachment(kind or media_kind(uri), uri=uri)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value

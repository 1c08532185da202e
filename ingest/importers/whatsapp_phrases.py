"""What WhatsApp itself writes, in the languages of its exports: media, deletions, events."""

import re
from typing import NamedTuple

MARK = "\u200e"
"""The left-to-right mark: on iOS it stands before what the app says, never before a person's words.
On Android it may stand anywhere."""

_OMITTED_PHRASES = (
    "<Media omitted>", "<Medien ausgeschlossen>", "<Multimedia omitido>", "<M\u00eddia oculta>",
    "<M\u00e9dias omis>", "<Media weggelaten>", "<Media omessi>", "<Arquivo de m\u00eddia oculto>",
    "<\u0411\u0435\u0437 \u043c\u0435\u0434\u0438\u0430\u0444\u0430\u0439\u043b\u043e\u0432>",
)  # fmt: skip
_OMITTED_WORDS = (
    "omitted", "weggelassen", "omitido", "omitida", "omis", "weggelaten", "absente", "absent",
    "ocultada", "ocultado", "omessa", "omesso",
)  # fmt: skip
_IOS_KINDS = {
    "image": "image", "bild": "image", "imagen": "image", "imagem": "image", "immagine": "image",
    "afbeelding": "image", "video": "video", "v\u00eddeo": "video", "vid\u00e9o": "video",
    "video note": "video", "audio": "audio", "sticker": "sticker", "gif": "gif",
    "document": "file", "dokument": "file", "documento": "file", "contact card": "contact",
    "kontaktkarte": "contact",
}  # fmt: skip
_DELETED_PHRASES = (
    "This message was deleted", "You deleted this message", "Diese Nachricht wurde gel\u00f6scht",
    "Du hast diese Nachricht gel\u00f6scht", "Eliminaste este mensaje",
    "Se elimin\u00f3 este mensaje", "Mensagem apagada", "Ce message a \u00e9t\u00e9 supprim\u00e9",
    "Dit bericht is verwijderd", "Questo messaggio \u00e8 stato eliminato",
)  # fmt: skip
_BY_ADMIN = "This message was deleted by admin "
_POLL_WORDS = ("POLL", "UMFRAGE", "ENCUESTA", "ENQUETE", "SONDAGE")
_CALL_WORDS = ("Missed", "Voice", "Video", "Verpasster", "Sprachanruf", "Videoanruf")
_PLACE_WORDS = ("Location", "Standort", "Ubicaci\u00f3n", "Localiza\u00e7\u00e3o")


def _any(phrases: tuple[str, ...] | dict[str, str]) -> str:
    return "|".join(re.escape(phrase) for phrase in phrases)


_OMITTED = re.compile(rf"^(?:{_any(_OMITTED_PHRASES)})\n?(?P<text>[\s\S]*)$")
# a caption, or the name of a document and its pages, may stand before the mark
_IOS_OMITTED = re.compile(
    rf"^(?:(?P<text>[\s\S]*?){MARK})?(?P<kind>{_any(_IOS_KINDS)}) (?:{_any(_OMITTED_WORDS)})$",
    re.IGNORECASE,
)
_PAGES = re.compile(rf"^(?P<file>[^\n]{{1,200}}\.\w{{2,5}})(?: \u2022 {MARK}?[^\n]*)?$")
_ATTACHED = re.compile(
    rf"^(?:(?P<before>[\s\S]*?){MARK})?"
    r"<(?:attached|Anhang|adjunto|anexado|pi\u00e8ce jointe|bijgevoegd): "
    r"(?P<file>[^>\n]+)>\n?(?P<text>[\s\S]*)$"
)
_FILE_ATTACHED = re.compile(
    r"^(?P<file>[^\n]{1,200}\.\w{2,5}) \((?:file attached|Datei angeh\u00e4ngt|archivo adjunto|"
    r"arquivo anexado|fichier joint|bestand bijgevoegd)\)\n?(?P<text>[\s\S]*)$"
)
_LOCATION = re.compile(
    rf"^(?:(?:{_any(_PLACE_WORDS)}): |[^\n]{{0,200}}: )?"
    r"(?P<uri>https?://(?:maps\.google\.com/|foursquare\.com/v/)\S+)$",
    re.IGNORECASE,
)
DELETED = re.compile(rf"^(?:(?:{_any(_DELETED_PHRASES)})\.?|{_BY_ADMIN}.+)$")
_EDITED = re.compile(
    r"<(?:This message was edited|Diese Nachricht wurde bearbeitet|Se edit\u00f3 este mensaje|"
    r"Mensagem editada|Ce message a \u00e9t\u00e9 modifi\u00e9)\.?>$"
)
POLL = re.compile(rf"^(?:{_any(_POLL_WORDS)}) ?:\n")
# only what the app alone writes: people may speak of a missed call
_CALL = re.compile(
    r"^(?:Missed (?:group )?(?:voice|video) call(?:, Tap to call back| at \S+)?|"
    r"(?:Voice|Video) call, (?:No answer|\d+ (?:sec|min|hr)s?(?: \d+ min)?)|"
    r"Verpasster (?:Sprach|Video)anruf(?:, Zum Zur\u00fcckrufen tippen| um \S+)?|"
    r"(?:Sprach|Video)anruf, (?:Keine Antwort|\d+ (?:Sek|Min|Std)\.?))$",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"end-to-end encrypted|Ende-zu-Ende-verschl\u00fcsselt|cifrados de extremo a extremo|"
    r"criptografia de ponta|chiffr\u00e9s de bout en bout|"
    r"created (?:this )?group|added you|changed (?:the|this) (?:subject|group)|"
    r"changed their phone number|security code (?:with|changed)|joined using|"
    r"^Missed (?:voice|video) call|(?:voice|video) call(?:, |$)|"
    r"turned (?:on|off) disappearing messages|pinned a message|^Waiting for this message"
)
_QUOTES = re.compile(r"[\"\u201c\u201d\u201e\u00ab\u00bb]")
_KINDS = {
    "jpg": "image", "jpeg": "image", "png": "image", "webp": "image", "gif": "image",
    "mp4": "video", "mov": "video", "3gp": "video", "opus": "audio", "m4a": "audio",
    "mp3": "audio", "aac": "audio", "vcf": "contact",
}  # fmt: skip

_STARTS = frozenset(word[:4] for word in (*_POLL_WORDS, *_CALL_WORDS, _BY_ADMIN))
_ENDS = frozenset(
    end[-4:]
    for phrase in (*_OMITTED_WORDS, *_DELETED_PHRASES, *_PLACE_WORDS)
    for end in (phrase, f"{phrase}.")
)


def may_be_the_apps(text: str) -> bool:
    """Whether a text may be other than plain words of a person: quick, wrong only towards yes."""
    return (
        "<" in text
        or "(" in text
        or "://" in text
        or MARK in text
        or text[-4:] in _ENDS
        or text[:4] in _STARTS
    )


class Media(NamedTuple):
    """A file that a message stands for."""

    kind: str
    file: str | None
    caption: str


def media_in(raw: str) -> Media | None:
    """The file that a text stands for, None for ordinary text.

    Args:
        raw: the text with its marks: on iOS one stands between a caption and the file.
    """
    raw = raw.strip()
    text = raw.replace(MARK, "")
    if match := _OMITTED.match(text):
        return Media("media", None, match["text"])
    if match := _IOS_OMITTED.match(raw):
        kind, caption = _IOS_KINDS[match["kind"].lower()], (match["text"] or "").rstrip()
        if kind == "file" and (document := _PAGES.match(caption)):
            return Media(kind, document["file"].replace(MARK, ""), "")
        return Media(kind, None, caption.replace(MARK, ""))
    if (match := _FILE_ATTACHED.match(text)) or (match := _ATTACHED.match(raw)):
        file = match["file"].replace(MARK, "").strip()
        before = (match.groupdict().get("before") or "").rstrip()
        caption = "\n".join(part.replace(MARK, "") for part in (before, match["text"]) if part)
        return Media(_KINDS.get(file.rsplit(".", 1)[-1].lower(), "file"), file, caption)
    if match := _LOCATION.match(text):
        return Media("location", match["uri"], "")
    return None


def before_edit_mark(text: str) -> str | None:
    """The text before the mark of an edited message; None if it has none."""
    at = text.rfind("<")
    return text[:at].rstrip() if at >= 0 and _EDITED.match(text, at) else None


def is_call(text: str) -> bool:
    """Whether a text is the app's note of a call."""
    return _CALL.match(text) is not None


def is_event(text: str, name: str, known: set[str]) -> bool:
    """Whether WhatsApp itself says this.

    Args:
        text: the line after its head.
        name: what stands before its first colon, or ``""``.
        known: speakers seen so far; what a known speaker says is never an event by its name.
    """
    if name in known:
        return False
    if len(_QUOTES.findall(name)) % 2:
        return True  # a colon inside a quoted group name is no speaker
    return bool(_EVENT.search(text)) and (not name or bool(_EVENT.search(name)) or MARK in text)

"""What WhatsApp itself writes, in the languages of its exports: media, deletions, events."""

import re

_OMITTED = (
    r"<Media omitted>|<Medien ausgeschlossen>|<Multimedia omitido>|<M\u00eddia oculta>|"
    r"<M\u00e9dias omis>|<Media weggelaten>|<Media omessi>|<Arquivo de m\u00eddia oculto>|"
    r"<\u0411\u0435\u0437 \u043c\u0435\u0434\u0438\u0430\u0444\u0430\u0439\u043b\u043e\u0432>"
)
_IOS_OMITTED = re.compile(
    r"^(?P<kind>image|video|audio|sticker|GIF|document|Contact card|Bild|Video|Audio|Sticker|"
    r"imagen|v\u00eddeo|Dokument|afbeelding) "
    r"(?:omitted|weggelassen|omitido|omitida|omis|weggelaten)$",
    re.IGNORECASE,
)
_ATTACHED = re.compile(
    r"^<(?:attached|Anhang|adjunto|anexado|pi\u00e8ce jointe|bijgevoegd): "
    r"(?P<file>[^>\n]+)>\n?(?P<text>[\s\S]*)$"
)
_FILE_ATTACHED = re.compile(
    r"^(?P<file>[^\n]{1,200}\.\w{2,5}) \((?:file attached|Datei angeh\u00e4ngt|archivo adjunto|"
    r"arquivo anexado|fichier joint|bestand bijgevoegd)\)\n?(?P<text>[\s\S]*)$"
)
_LOCATION = re.compile(
    r"^(?:Location|Standort|Ubicaci\u00f3n|Localiza\u00e7\u00e3o): (?P<uri>https?://\S+)$"
)
DELETED = re.compile(
    r"^(?:This message was deleted|You deleted this message|Diese Nachricht wurde gel\u00f6scht|"
    r"Du hast diese Nachricht gel\u00f6scht|Eliminaste este mensaje|Se elimin\u00f3 este mensaje|"
    r"Mensagem apagada|Ce message a \u00e9t\u00e9 supprim\u00e9)\.?$"
)
EDITED = re.compile(
    r"\s*<(?:This message was edited|Diese Nachricht wurde bearbeitet|Se edit\u00f3 este mensaje|"
    r"Mensagem editada|Ce message a \u00e9t\u00e9 modifi\u00e9)\.?>$"
)
POLL = re.compile(r"^(?:POLL|UMFRAGE|ENCUESTA|ENQUETE|SONDAGE):\n")
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


def media_kind(text: str) -> tuple[str, str | None, str] | None:
    """(kind, file name, caption) if the text stands for a file; None for ordinary text."""
    if re.match(rf"^(?:{_OMITTED})", text):
        return "media", None, re.sub(rf"^(?:{_OMITTED})\n?", "", text)
    if match := _IOS_OMITTED.match(text):
        return match["kind"].lower(), None, ""
    if match := _ATTACHED.match(text) or _FILE_ATTACHED.match(text):
        ending = match["file"].rsplit(".", 1)[-1].lower()
        return _KINDS.get(ending, "file"), match["file"].strip(), match["text"]
    if match := _LOCATION.match(text):
        return "location", match["uri"], ""
    return None


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
    return bool(_EVENT.search(text)) and (not name or bool(_EVENT.search(name)) or "\u200e" in text)

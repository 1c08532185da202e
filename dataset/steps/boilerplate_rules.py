"""What programs add to messages that nobody wrote, by where the messages come from."""

import re
from collections.abc import Callable
from typing import NamedTuple

from ingest.importers.mail_text import split_text


class Rule(NamedTuple):
    """One kind of boilerplate.

    Attributes:
        name: as counted in reports.
        strip: the text without it.
    """

    name: str
    strip: Callable[[str], str]


def _without(*patterns: str, flags: re.RegexFlag = re.IGNORECASE) -> Callable[[str], str]:
    """Strips every match."""
    compiled = re.compile("|".join(f"(?:{each})" for each in patterns), flags | re.MULTILINE)
    return lambda text: compiled.sub("", text)


def _whole(*patterns: str) -> Callable[[str], str]:
    """Empties texts that are nothing else; a part of a longer text is somebody's words."""
    compiled = re.compile("|".join(f"(?:{each})" for each in patterns), re.IGNORECASE)
    return lambda text: "" if compiled.fullmatch(text.strip()) else text


def _quoted_tail(text: str) -> str:
    own = split_text(text).own
    return own or text  # a mail that only forwards is not emptied


_DEVICE = r"(?:iphone|ipad|android|galaxy|blackberry|huawei|samsung|handy|smartphone|mobile|mobil|my phone|móvil|celular)"  # noqa: E501
_MAIL = (
    Rule("quoted mail", _quoted_tail),
    Rule(
        "sent from a device",
        _without(
            rf"^[ \t]*sent (?:from|via|using) (?:my )?[^\n]{{0,30}}{_DEVICE}[^\n]{{0,40}}$",
            rf"^[ \t]*(?:von meinem|gesendet (?:von|mit)|von unterwegs gesendet)[^\n]{{0,40}}{_DEVICE}[^\n]{{0,40}}$",  # noqa: E501
            rf"^[ \t]*(?:envoyé (?:de|depuis)|enviado (?:desde|do|de)|inviato da|verstuurd vanaf|skickat från|sendt fra|wysłane z)[^\n]{{0,30}}{_DEVICE}[^\n]{{0,40}}$",  # noqa: E501
            r"^[ \t]*(?:get|holen sie sich|laden sie|télécharger|obtener|scarica) outlook (?:for|für|pour|para|per) (?:ios|android|mac)[^\n]*$",  # noqa: E501
            r"^[ \t]*sent from (?:outlook|mail|yahoo mail|proton mail|protonmail|gmail mobile)[^\n]{0,60}$",  # noqa: E501
        ),
    ),
    Rule(
        "confidentiality notice",
        _without(
            r"^[ \t]*(?:confidential(?:ity)?(?: notice)?:? ?)?this (?:e-?mail|message|communication)(?: message)?(?:,? (?:and|including|together with) any (?:attachments?|files)[^\n.]{0,60})? (?:is|are|may be|may contain|contains?) (?:strictly )?(?:confidential|intended|privileged|proprietary)[\s\S]*\Z",  # noqa: E501
            r"^[ \t]*diese (?:e-?mail|nachricht)(?: (?:und|einschließlich) (?:alle |etwaige )?(?:ihre )?anhänge)? (?:enthält|enthalten|ist|sind|kann|können) (?:möglicherweise )?vertraulich[\s\S]*\Z",  # noqa: E501
            r"^[ \t]*ce (?:courriel|message|courrier électronique)[^\n]{0,60} (?:est|sont|peut contenir|contient) [^\n]{0,30}confidentiel[\s\S]*\Z",  # noqa: E501
            r"^[ \t]*este (?:correo|mensaje)[^\n]{0,60} (?:es|contiene|puede contener) [^\n]{0,30}confidencial[\s\S]*\Z",  # noqa: E501
            r"^[ \t]*\[?(?:caution|external(?: email)?|achtung|vorsicht|extern)\]?:? (?:this (?:e-?mail|message) (?:originated|came|is) (?:from )?(?:outside|external)|diese (?:e-?mail|nachricht) (?:stammt|kommt) von (?:außerhalb|extern))[^\n]*$",  # noqa: E501
            r"^[ \t]*(?:please )?consider the environment before printing[^\n]*$",
        ),
    ),
)

# people speak of themselves and each other in pronouns, programs do not
_MEMBER = r"(?:<@[UW]\w+(?:\|[^>]*)?>|(?!(?:i|we|you|he|she|they|who|it|everyone|nobody)\b)@?[^\n,;:!?]{1,60}?)"  # noqa: E501
_SLACK = (
    Rule(
        "channel event",
        _whole(
            rf"{_MEMBER} (?:has )?(?:joined|left) (?:the (?:channel|group)|#[\w-]+)\.?",
            rf"{_MEMBER} was (?:added to|removed from) (?:the (?:channel|group)|#[\w-]+)(?: by {_MEMBER})?\.?",  # noqa: E501
            rf"(?:{_MEMBER} )?(?:has )?(?:set|cleared) the channel(?:'s)? (?:topic|purpose|description)(?::[\s\S]*)?",  # noqa: E501
            rf"{_MEMBER} (?:has )?(?:renamed|archived|un-?archived) the channel[\s\S]*",
            rf"{_MEMBER} (?:has )?pinned (?:a message|[^\n]{{1,80}}) to (?:this channel|#[\w-]+)[\s\S]*",  # noqa: E501
            r"this message was deleted\.?",
            r"a file was (?:commented on|deleted)\.?",
        ),
    ),
)
_WHATSAPP = (
    Rule(
        "encryption notice",
        _whole(
            r"\u200e?(?:messages (?:and calls|to this (?:chat|group)[^\n]*) are (?:now )?(?:secured with )?end-to-end encrypt[\s\S]*)",  # noqa: E501
            r"\u200e?nachrichten und anrufe sind ende-zu-ende-verschlüsselt[\s\S]*",
            r"\u200e?los mensajes y las llamadas están cifrados de extremo a extremo[\s\S]*",
            r"\u200e?les messages et les appels sont chiffrés de bout en bout[\s\S]*",
            r"\u200e?as mensagens e (?:as )?(?:ligações|chamadas) são protegidas com[\s\S]*",
        ),
    ),
    Rule(
        "media placeholder",
        _whole(
            r"\u200e?<(?:media omitted|medien ausgeschlossen|multimedia omitido|mídia oculta|médias omis|media weggelaten|media omessi)>",  # noqa: E501
            r"\u200e?(?:image|video|audio|sticker|gif|document|bild|imagen|imagem|vídeo|dokument|documento)s? (?:omitted|weggelassen|omitid[oa]|omis)",  # noqa: E501
        ),
    ),
    Rule(
        "deleted message",
        _whole(
            r"\u200e?(?:this message was deleted|you deleted this message|diese nachricht wurde gelöscht|du hast diese nachricht gelöscht|se eliminó este mensaje|eliminaste este mensaje|mensagem apagada|ce message a été supprimé)\.?"  # noqa: E501
        ),
    ),
    Rule(
        "edited mark",
        _without(
            r"[ \t]*\u200e?<(?:this message was edited|diese nachricht wurde bearbeitet|se editó este mensaje|mensagem editada|ce message a été modifié)\.?>\s*\Z"  # noqa: E501
        ),
    ),
)
_CHATS = (
    Rule(
        "chat event",
        _whole(
            rf"{_MEMBER} (?:joined|left) the (?:group|chat|server|call|meeting)\.?",
            rf"{_MEMBER} (?:started|ended) (?:a|the) (?:video |voice |audio )?(?:call|meeting)(?: that lasted [^\n]*)?\.?",  # noqa: E501
            rf"{_MEMBER} pinned a message(?: to this channel)?\.?[^\n]*",
            rf"{_MEMBER} (?:changed|set) the (?:group|chat|channel|conversation) (?:name|photo|picture|title|topic|theme)[^\n]*",  # noqa: E501
            r"(?:meeting|call) (?:started|ended)(?:: [^\n]*)?",
        ),
    ),
)
_CITATIONS = Rule(
    "citation mark",
    _without(
        r"\ue200[^\ue201\n]{0,400}\ue201",
        r"【\d{1,3}(?::\d{1,3})?†[^】\n]{0,200}】",
        r"[\ue200-\ue206]",
    ),
)
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
# behind a sentence's mark or a word; an index stands behind a short name, mostly
_NUMBER = re.compile(r"(?:(?<=[.,;:!?)\"'])|(?<=[^\W\d_]{4}))(?:\[\d{1,2}\])+(?![\w(])")


def _without_numbers(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(part if at % 2 else _NUMBER.sub("", part) for at, part in enumerate(parts))


RULES: dict[str, tuple[Rule, ...]] = {
    "mail": _MAIL,
    "slack": _SLACK,
    "whatsapp": _WHATSAPP,
    "chats": _CHATS,
    "chatgpt": (_CITATIONS,),
    "perplexity": (Rule("citation mark", _without_numbers),),
}
"""Sets of rules by name."""

SETS_OF: dict[str, tuple[str, ...]] = {
    "mail": ("mail",),
    "zendesk": ("mail",),
    "intercom": ("mail",),
    "slack": ("slack",),
    "whatsapp": ("whatsapp",),
    **dict.fromkeys(
        ("telegram", "discord", "teams", "messenger", "signal", "line", "imessage", "googlechat"),
        ("chats",),
    ),
    "chatgpt": ("chatgpt",),
    "perplexity": ("perplexity",),
}
"""The sets that apply to an importer's conversations without being asked for."""

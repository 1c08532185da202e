"""What somebody wrote in a mail: own words, quoted tail and signature apart from each other.

Quotes between a reply's own lines stay: without them the lines answer nothing.
"""

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from ingest.html import to_text

_ATTRIBUTION = re.compile(
    r"^(?:On|Am|Le|El|Em|Il|Op|Den|På) [^\n]{4,200}(?:\n[^\n]{0,120})?"
    r"\b(?:wrote|schrieb|a écrit|escribió|escreveu|ha scritto|schreef|skrev)\b[^\n]{0,80}:[ \t]*$",
    re.MULTILINE,
)
_BEGINS = re.compile(
    r"^-{2,} ?(?:Original Message|Forwarded message|Original-Nachricht|Ursprüngliche Nachricht|"
    r"Weitergeleitete Nachricht|Message d'origine|Message transféré|Mensaje original|"
    r"Messaggio originale|Mensagem original|Oorspronkelijk bericht) ?-{2,}[ \t]*$|"
    r"^Begin forwarded message:[ \t]*$|"
    r"^(?:_{10,}[ \t]*\n)?\*?(?:From|Von|De|Van|Da|Från):\*? [^\n]+\n"
    r"(?:\*?[^\n:]{2,20}:\*? [^\n]+\n){0,2}"
    r"\*?(?:To|An|À|Para|Aan|A|Till|Subject|Betreff|Objet|Asunto|Onderwerp|Oggetto):\*? ",
    re.MULTILINE,
)
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_HTML_QUOTE = re.compile(
    r"<(?:div|blockquote)\b[^<>]{0,500}(?:class=[\"']?[^\"'<>]{0,200}(?:gmail_quote|yahoo_quoted|moz-cite-prefix)|"
    r"type=[\"']?cite|id=[\"']?(?:appendonsend|divRplyFwdMsg|OLK_SRC_BODY_SECTION))",
    re.IGNORECASE,
)


class Written(NamedTuple):
    """The parts of a mail's text.

    Attributes:
        own: what its sender wrote.
        quoted: the tail that repeats or forwards other mails.
        signature: what follows ``--``.
    """

    own: str
    quoted: str = ""
    signature: str = ""


def split_text(text: str) -> Written:
    """Part a plain text."""
    text = text.replace("\r\n", "\n").strip("\n")
    text, signature = _cut_signature(text, at_end=True)
    own, quoted = _cut_quote(text)
    if not signature:
        own, signature = _cut_signature(own, at_end=False)
    return Written(own.strip(), quoted.strip("\n"), signature.strip())


def split_html(html: str) -> Written:
    """Part an HTML text: mail programs mark the quote, what they do not mark is parted as text."""
    match = _HTML_QUOTE.search(html)
    if match is None:
        return split_text(to_text(html))
    own, quoted, signature = split_text(to_text(html[: match.start()]))
    tail = to_text(html[match.start() :]).strip("\n")
    return Written(own, f"{quoted}\n\n{tail}".strip("\n"), signature)


def unflowed(text: str, *, delete_space: bool) -> str:
    """Lines that ``format=flowed`` broke, joined again (RFC 3676).

    Args:
        text: the text; a line that ends with a blank goes on in the next of the same quote depth.
        delete_space: whether that blank was added (``DelSp=yes``).
    """
    lines: list[str] = []
    flows = False
    for line in text.replace("\r\n", "\n").split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        rest = line[depth:].removeprefix(" ")
        is_delimiter = rest == "-- "
        if flows and not is_delimiter and depth == _depth(lines[-1]):
            lines[-1] += rest
        else:
            lines.append(f"{'>' * depth} {rest}" if depth else rest)
        flows = rest.endswith(" ") and not is_delimiter
        if flows and delete_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(">"))


def _cut_signature(text: str, *, at_end: bool) -> tuple[str, str]:
    """(text, signature); with ``at_end`` only if nothing quoted follows it."""
    last = None
    for last in _SIGNATURE.finditer(text):  # noqa: B007
        pass
    if last is None:
        return text, ""
    below = text[last.end() :]
    if at_end and (re.search(r"^>", below, re.MULTILINE) or _ATTRIBUTION.search(below)
                   or _BEGINS.search(below)):  # fmt: skip
        return text, ""
    return text[: last.start()], below


def _counted(lines: list[str]) -> tuple[list[int], list[int], list[int]]:
    """Where each line starts, and how many lines from each one on are quoted and how many not.

    Counted once: a long thread has hundreds of attributions.
    """
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    said = [(line.startswith(">"), bool(line.strip())) for line in reversed(lines)]
    marked = list(accumulate((is_marked for is_marked, _ in said), initial=0))[::-1]
    plain = list(accumulate((words and not is_marked for is_marked, words in said), initial=0))
    return starts, marked, plain[::-1]


def _cut_quote(text: str) -> tuple[str, str]:
    """(own words, quoted tail)."""
    begin = _BEGINS.search(text)
    end = begin.start() if begin else len(text)
    lines = text[:end].split("\n")
    starts, marked, plain = _counted(lines)
    for match in _ATTRIBUTION.finditer(text, 0, end):
        after = bisect_right(starts, match.end())
        if not (marked[after] and plain[after]):
            return text[: match.start()], text[match.start() :]
    at = len(lines)
    while at and (lines[at - 1].startswith(">") or not lines[at - 1].strip()):
        at -= 1
    if at and any(line.startswith(">") for line in lines[at:]):
        own = "\n".join(lines[:at])
        return own, text[len(own) :]
    return text[:end], text[end:]

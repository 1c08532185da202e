"""Citations in ChatGPT's texts: marks that only its own pages can show become links, or go.

Two forms: ``U+E200 cite U+E202 turn0search1 U+E201`` and ``【4:0†source】``. What they stand for is
in the message's metadata, in ``content_references`` or the older ``citations``.
"""

import re
from collections.abc import Mapping
from typing import Any

from ingest.importers.fields import object_of, objects, text_of

_MARK = re.compile(
    "(?P<space>[ \\t]{0,9})(?P<mark>\ue200[^\ue200\ue201]*\ue201"
    "|\ue200[^\ue200\ue201\\s]*\\Z"  # the answer was broken off inside the mark
    "|【\\d+(?::\\d+)?†[^【】]*】)"
)
_STRAY = dict.fromkeys(range(0xE200, 0xE207))
_NO_SPACE_BEFORE = " \t\n.,;:!?)"


def is_cited(text: str) -> bool:
    """Whether a text may hold such marks."""
    return "\ue200" in text or "\u3010" in text or "\ue201" in text or "\ue202" in text


def resolve(text: str, references: Any, citations: Any) -> str:
    """The text with every mark as what it stands for, or without it.

    Args:
        text: as the export has it.
        references: ``content_references`` of the message.
        citations: ``citations`` of the message.
    """
    known = _referenced(text, references)
    placed = _placed(text, citations)

    def shown(match: re.Match[str]) -> str:
        mark = match["mark"]
        label = known.get(mark) or placed.get(match.start("mark"))
        if label:
            return match["space"] + label
        after = text[match.end() : match.end() + 1]
        return "" if not after or after in _NO_SPACE_BEFORE else match["space"]

    return _MARK.sub(shown, text).translate(_STRAY)


def _referenced(text: str, references: Any) -> Mapping[str, str]:
    """What to show by mark. Texts are compared, offsets are not: they count in other units."""
    found: dict[str, str] = {}
    for each in objects(references):
        mark = text_of(each.get("matched_text"))
        start, end = each.get("start_idx"), each.get("end_idx")
        if mark is None and type(start) is int and type(end) is int:
            mark = text[start:end]
        label = text_of(each.get("alt")) or text_of(each.get("name"))
        if mark and label and not is_cited(label):
            found[mark.strip(" \t")] = label.strip(" \t")
    return found


def _placed(text: str, citations: Any) -> Mapping[int, str]:
    """What to show by the mark's place: at the offset, or in order if there are as many."""
    marks = [match.start("mark") for match in _MARK.finditer(text)]
    stated = [each for each in objects(citations) if type(each.get("start_ix")) is int]
    stated.sort(key=lambda each: int(each["start_ix"]))
    if len(stated) == len(marks):
        pairs = zip(marks, stated, strict=True)
        return {at: label for at, each in pairs if (label := _label(each))}
    by_offset = {int(each["start_ix"]): _label(each) for each in stated}
    return {at: label for at in marks if (label := by_offset.get(at))}


def _label(citation: dict[str, Any]) -> str | None:
    facts = object_of(citation.get("metadata"))
    title, url = text_of(facts.get("title")), text_of(facts.get("url"))
    if url:
        return f"([{title or url}]({url}))"
    return f"({title})" if title else None

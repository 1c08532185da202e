"""Edits of iMessage: ``message_summary_info``, a property list with the history of each part."""

import plistlib
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError

from ingest.importers.fields import object_of, objects
from ingest.importers.typedstream import text_of_archive


class Edits(NamedTuple):
    """What was changed after sending.

    Attributes:
        last: the last text, where the message has one part and was edited.
        earlier: the texts before it, oldest first.
        unsent: whether every part was taken back.
    """

    last: str | None = None
    earlier: tuple[str, ...] = ()
    unsent: bool = False


def edits_of(blob: bytes | None) -> Edits:
    """The edits in a summary; none if it holds none or cannot be read.

    Its keys: ``ec`` is the history (``t``: an archived text) by part, ``rp`` the parts that were
    taken back, ``otr`` all parts.
    """
    if not blob:
        return Edits()
    try:
        summary = object_of(plistlib.loads(blob))
    except (plistlib.InvalidFileException, ExpatError, ValueError, KeyError, TypeError,
            IndexError, OverflowError, RecursionError):  # fmt: skip
        return Edits()
    parts = object_of(summary.get("otr"))
    taken = summary.get("rp")
    unsent = isinstance(taken, list) and bool(taken) and len(taken) >= len(parts)
    histories = [_texts(history) for history in object_of(summary.get("ec")).values()]
    histories = [history for history in histories if history]
    if len(histories) != 1 or len(parts) > 1:
        # which stretch of the text a part is, is not said: the archived text is the newest
        return Edits(None, tuple(text for history in histories for text in history[:-1]), unsent)
    (history,) = histories
    return Edits(history[-1], tuple(history[:-1]), unsent)


def _texts(history: Any) -> list[str]:
    found = []
    for event in objects(history):
        blob = event.get("t")
        text = text_of_archive(blob) if isinstance(blob, bytes) else None
        if text is not None:
            found.append(text)
    return found

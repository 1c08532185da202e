"""From the lines of one chat to items: what importers of people's chats do last, all alike."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from ingest.importers.base import ImportOptions, Item, Skip
from ingest.importers.records import zoned
from ingest.people import SESSION_GAP, Event, Line, session_conversation, sessions

NEVER = timedelta(days=100_000)
"""The gap of threads: however late an answer comes, it belongs to its question."""


def conversations(
    importer: str,
    place: str,
    items: Iterable[Line | Event],
    options: ImportOptions,
    seen: Counter[str],
    *,
    gap: timedelta = SESSION_GAP,
    title: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Iterator[Item]:
    """The sessions of a chat as conversations; those in which nobody speaks are skipped.

    Args:
        importer: name of the importer.
        place: what identifies the chat (or the thread) in every export of it.
        items: its lines and events in reading order.
        options: of the import.
        seen: counts ids over the whole export.
        gap: silence that ends a session.
        title: the chat's displayed name.
        metadata: facts about the chat.
    """
    for session in sessions(items, gap):
        if session.lines:
            found = session_conversation(
                importer, place, session, options.as_assistant, seen, title=title, metadata=metadata
            )
            yield zoned(found, options.tz)
        else:
            yield Skip(place, "no messages")

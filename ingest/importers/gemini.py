"""Gemini in Google Takeout: My Activity (a log of prompts) and Conversation History (talks).

My Activity knows no conversations: prompts are put together by the conversation that their address
names, else by silence. Which rule it was stands in ``metadata["grouped_by"]``.
"""

from collections import Counter
from collections.abc import Iterator

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers import gemini_activity as activity
from ingest.importers import gemini_history as history
from ingest.importers.base import ImporterKind, ImportOptions, Item, Skip
from ingest.shape import Peek, holds, like, peek

_HINT = "in Takeout choose JSON for My Activity ('Multiple formats'), and export again"
_MARKUP = 0.4  # enough to say what is wrong, not enough to outdo an importer that can read


class Gemini:
    """The importer of Gemini's two Takeout files."""

    name = "gemini"
    title = "Gemini, Google Takeout (My Activity as JSON, Conversation History)"
    kind: ImporterKind = "assistant"
    needs = "Takeout of 'My Activity > Gemini Apps' with JSON chosen, or of Gemini; zip or folder"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure of activities that name Gemini and of documents with ``conversation_turns``."""
        if holds(export, _is_ours):
            return 0.95
        return _MARKUP if holds(export, activity.is_markup) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every conversation of both files.

        Raises:
            ExportError: there is only the HTML that Takeout writes unless told otherwise.
        """
        markup = [member.name for member in like(export, activity.is_markup)]
        members: list[Member] = list(like(export, _is_ours))
        if markup and not members:
            raise ExportError(f"{markup[0]}: My Activity as HTML", _HINT)
        if not members and len(export.members) == 1:
            members = list(export.members)
        for name in markup:
            yield Skip(name, "My Activity as HTML; choose JSON in Takeout")
        seen: Counter[str] = Counter()
        for member in members:
            if peek(member).kind == "object":
                yield history.conversation(member, seen)
            else:
                yield from activity.conversations(member, seen)


def _is_ours(look: Peek) -> bool:
    return history.is_history(look) or activity.is_activity(look)

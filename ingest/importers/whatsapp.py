"""WhatsApp text export: ``WhatsApp Chat with X.txt`` or ``_chat.txt``, alone, in a zip or a folder.

A message begins with a date head and runs to the next head. The order of day and month is inferred
over the whole file; a file that leaves it open is refused, never guessed line by line.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import DateOrder, ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import conversations
from ingest.importers.signal_text import is_signal
from ingest.importers.whatsapp_dates import DateFormat, DateSurvey
from ingest.importers.whatsapp_lines import Style, dates_in, lines_in, style_of
from ingest.shape import peek

_CHAT_NAMES = re.compile(
    r"^(?:WhatsApp Chat with|WhatsApp Chat -|WhatsApp Chat mit|Chat WhatsApp con|"
    r"Chat de WhatsApp con|Conversa do WhatsApp com|Discussion WhatsApp avec|WhatsApp-chat met)"
    r"\s+(?P<name>.+?)(?: \(\d+\))?\.txt$"
)


class WhatsApp:
    """The importer of WhatsApp's text export."""

    name = "whatsapp"
    title = "WhatsApp chat export (text, zip)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME; --date-order where the file leaves it open"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a text member has a date head in its first lines."""
        return 0.9 if any(_is_ours(member) for member in _texts(export)) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation per session of each chat file."""
        members = list(_texts(export))
        if len(members) > 1:
            members = [member for member in members if _is_ours(member)]
        seen: Counter[str] = Counter()
        for member in members:
            try:
                style = _style(member)
                dates = _date_format(member, style, options.date_order)
            except ExportError as error:
                if len(members) == 1:
                    raise
                yield Reject(member.name, error.message, error.hint)
                continue
            chat = _chat_name(export, member)
            with member.open() as file:
                lines = lines_in(file, style, dates)
                yield from conversations(self.name, chat, lines, options, seen, title=chat)


def _texts(export: Export) -> Iterator[Member]:
    if len(export.members) == 1:
        yield from export.members
        return
    for member in export.members:
        if member.base.endswith(".txt"):
            yield member


def _is_ours(member: Member) -> bool:
    look = peek(member)
    if look.kind not in ("text", "array"):  # an iOS export begins with '['
        return False
    found = style_of(look.text[:4096])
    return found is not None and found[1] < 400 and not is_signal(look.text[:4096])


def _chat_name(export: Export, member: Member) -> str:
    match = _CHAT_NAMES.match(member.base)
    if match:
        return match["name"]
    if member.base == "_chat.txt":
        parts = PurePosixPath(member.name).parts
        outer = parts[-2] if len(parts) > 1 else _container(export)
        return re.sub(r"^WhatsApp Chat - ", "", outer)
    return PurePosixPath(member.base).stem


def _container(export: Export) -> str:
    return (
        export.path.resolve().parent.name
        if export.path.name == "_chat.txt"
        else (export.path.name if export.is_folder else export.path.stem)
    )


def _style(member: Member) -> Style:
    found = style_of(peek(member).text)
    if found is None:
        raise ExportError(
            f"{member.name}: no line starts with a date", "this is not a WhatsApp text export"
        )
    return found[0]


def _date_format(member: Member, style: Style, order: DateOrder) -> DateFormat:
    survey = DateSurvey()
    with member.open() as file:
        for date in dates_in(file, style):
            survey.add(date)
    decided = survey.decide(order)
    if decided is None:
        raise ExportError(
            f"{member.name}: the order of day and month cannot be inferred from its dates",
            "pass --date-order dmy, mdy or ymd",
        )
    return decided

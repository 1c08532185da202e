"""Microsoft Copilot: the CSV files of the privacy dashboard, in their three headers.

The files have no ids. Rows of one chat stand together, newest first in the files seen; the
direction is read from each file, since question and answer often carry the same second.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.records import certainty, ours
from ingest.message import Conversation, Message, Role, conversation_id
from ingest.shape import peek
from ingest.times import from_iso, in_utc, in_zone

_HEADERS = {
    ("conversation", "time", "author", "message"),
    ("chatname", "createdat", "author", "messagecontent"),
    ("clientapp", "timestamp", None, "prompt"),  # prompts only
}
_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "bot": "assistant",
    "copilot": "assistant",
    "assistant": "assistant",
    "api_tool": "tool",
}
_PROMPT_GAP = timedelta(minutes=30)
_LARGEST_CELL = 64 << 20


class _Row(NamedTuple):
    chat: str
    written: str  # the time as the file has it
    at: datetime | None
    role: Role
    text: str


class Copilot:
    """The importer of Microsoft Copilot's activity files."""

    name = "copilot"
    title = "Microsoft Copilot activity (privacy dashboard, CSV)"
    kind: ImporterKind = "assistant"
    needs = "account.microsoft.com/privacy > Copilot > Export all activity history"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first row is one of the three headers, in any order."""
        return certainty(export, ".csv", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation per stretch of rows with one chat name."""
        for member in ours(export, ".csv", _is_ours, "Copilot"):
            if isinstance(member, Skip):
                yield member
            else:
                yield from _conversations(member, options)


def _columns(header: list[str]) -> dict[str, int] | None:
    """Column by meaning; None if this is no header of ours."""
    found = [cell.strip().lower() for cell in header]
    for chat, time, author, message in _HEADERS:
        wanted = [name for name in (chat, time, author, message) if name]
        if sorted(found) == sorted(wanted):
            columns = {"chat": chat, "time": time, "author": author, "text": message}
            return {key: found.index(name) for key, name in columns.items() if name}
    return None


def _is_ours(member: Member) -> bool:
    look = peek(member)
    if look.kind != "text":
        return False
    first = re.split(r"[\r\n]", look.text, maxsplit=1)[0]
    return _columns([cell.strip().strip('"') for cell in first.split(",")]) is not None


def _conversations(member: Member, options: ImportOptions) -> Iterator[Item]:
    newest_first = _newest_first(member, options)
    group: list[_Row] = []
    rejected = 0
    for row in _rows(member, options):
        if isinstance(row, Reject):
            yield row
            rejected += 1
            continue
        if group and _is_new(group[-1], row):
            yield _conversation(group, newest_first, rejected)
            group, rejected = [], 0
        group.append(row)
    if group:
        yield _conversation(group, newest_first, rejected)


def _is_new(last: _Row, row: _Row) -> bool:
    if last.chat != row.chat:
        return True
    prompts = last.role == row.role == "user" and row.chat.startswith("\0")
    return bool(prompts and last.at and row.at and abs(row.at - last.at) > _PROMPT_GAP)


def _rows(member: Member, options: ImportOptions) -> Iterator[_Row | Reject]:
    # the module's own limit of 128 KiB is less than a pasted document
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))
    with member.open() as file:
        text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
        reader = csv.reader(text, strict=True)
        columns = _header(reader)
        if columns is None:
            raise ExportError(
                f"{member.name}: the first line is no header of a Copilot file",
                "export it from account.microsoft.com/privacy",
            )
        while True:
            where = f"{member.name}: line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Reject(where, "the row is damaged", "export the file again")
                continue
            if cells:
                yield _row(cells, columns, where, options)


def _header(reader: Iterator[list[str]]) -> dict[str, int] | None:
    try:
        return _columns(next(reader, []))
    except csv.Error:
        return None


def _row(
    cells: list[str], columns: dict[str, int], where: str, options: ImportOptions
) -> _Row | Reject:
    if len(cells) != len(columns):
        return Reject(where, f"{len(cells)} cells instead of {len(columns)}", "export it again")
    author = cells[columns["author"]].strip().lower() if "author" in columns else "user"
    role = _ROLES.get(author)
    if role is None:
        return Reject(where, "the author is neither user nor Copilot", "report this author to us")
    mark = "" if "author" in columns else "\0"
    written = cells[columns["time"]].strip()
    at = in_zone(from_iso(written) or _from_dashboard(written, options), options.tz)
    return _Row(mark + cells[columns["chat"]].strip(), written, at, role, cells[columns["text"]])


def _from_dashboard(text: str, options: ImportOptions) -> datetime | None:
    """``1/31/2026 10:00:00 +00:00``, with AM and PM too; month first unless the user says dmy."""
    date = "%d/%m/%Y" if options.date_order == "dmy" else "%m/%d/%Y"
    for clock in ("%H:%M:%S %z", "%I:%M:%S %p %z", "%H:%M:%S", "%I:%M:%S %p"):
        try:
            return in_utc(datetime.strptime(text, f"{date} {clock}"))
        except (ValueError, OverflowError):
            continue
    return None


def _newest_first(member: Member, options: ImportOptions) -> bool:
    """Whether later rows of a chat are older: by their times, else by who answers whom."""
    times, answers = 0, 0
    last: _Row | None = None
    for row in _rows(member, options):
        if isinstance(row, Reject):
            continue
        if last is not None and last.chat == row.chat:
            if last.at and row.at and (last.at.tzinfo is None) == (row.at.tzinfo is None):
                times += (row.at < last.at) - (row.at > last.at)
            answers += (last.role == "assistant") - (last.role == "user")
        last = row
    return times > 0 or (times == 0 and answers > 0)


def _conversation(rows: list[_Row], newest_first: bool, rejected: int) -> Conversation:
    if newest_first:
        rows = rows[::-1]
    first = rows[0]
    prompts = first.chat.startswith("\0")
    chat = first.chat.removeprefix("\0")
    said = hashlib.sha256(f"{first.role}\0{first.text}".encode("utf-8", "surrogatepass"))
    native = f"{chat}|{first.written}|{said.hexdigest()[:16]}"
    metadata: dict[str, object] = {"rejected_rows": rejected} if rejected else {}
    if prompts:
        metadata |= {"ClientApp": chat, "grouped_by": "30 minutes of silence"}
    return Conversation(
        id=conversation_id("copilot", native),
        importer="copilot",
        source_id=native,
        title=None if prompts else chat or None,
        created_at=first.at,
        messages=tuple(_message(row) for row in rows),
        metadata=metadata,
    )


def _message(row: _Row) -> Message:
    return Message(
        role=row.role,
        content=row.text,
        created_at=row.at,
        train=None if row.text.strip() else False,
        extra={} if row.at or not row.written else {"time": row.written},
    )

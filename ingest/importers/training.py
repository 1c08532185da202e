"""What importers of training files share: a record is an object, a file holds many.

The same record comes as JSON lines, in a JSON array, as one JSON document or as a row of a parquet
file; a format only says which records are its own and what conversation one of them is.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import orjson

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers import parquet_rows
from ingest.importers.base import Item, Reject, Skip
from ingest.lines import iter_lines
from ingest.loose import loads_loose
from ingest.message import Conversation
from ingest.shape import Peek, peek
from ingest.stream import Broken, iter_array

Source = dict[str, Any]
"""A record as decoded."""

_MEND = "mend or delete the record"
_FIRST_LINE = 8 << 20
"""Bytes of the longest first line that is read to tell a format."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,22}")

_decode = msgspec.json.Decoder(Source).decode


class RecordError(ValueError):
    """Why a record is no conversation; its text holds no content."""


def word(value: Any) -> str:
    """A value as a reason may show it: one short word in quotes, else ``?``, for it may be text."""
    return repr(value) if isinstance(value, str) and _WORD.fullmatch(value) else "?"


def sniff_records(export: Export, is_ours: Callable[[Source], bool]) -> float:
    """How sure a format is: 0.9 as soon as one member's first record is its own."""
    return 0.9 if any(is_ours(first_record(member)) for member in export.members) else 0.0


def read_records(
    export: Export,
    is_ours: Callable[[Source], bool],
    convert: Callable[[Source, str], Conversation | None],
) -> Iterator[Item]:
    """Every record of the members that are of the format.

    Args:
        export: a file, or several with other files beside them.
        is_ours: whether a record is of the format.
        convert: makes the conversation of (record, native id); None if it has no messages;
            raises RecordError.
    """
    seen: Counter[bytes] = Counter()
    for member in members(export, is_ours):
        for found in records(member):
            if isinstance(found, Reject):
                yield found
                continue
            where, record = found
            try:
                conversation = convert(record, native_id(record, seen))
            except RecordError as fault:
                yield Reject(where, str(fault), _MEND)
            else:
                yield conversation or Skip(where, "no messages")


def members(export: Export, is_ours: Callable[[Source], bool]) -> tuple[Member, ...]:
    """The members whose first record is of the format; all, where the user insists on one."""
    found = tuple(member for member in export.members if is_ours(first_record(member)))
    return found or export.members


def first_record(member: Member) -> Source:
    """The first record of a file, as much as its beginning shows; empty if there is none."""
    if parquet_rows.is_parquet(member):
        return parquet_rows.first(member)
    look = peek(member)
    if look.kind == "object" and member.size > len(member.head()) and "\n" not in look.text:
        with member.open() as file:  # one long record: its later keys lie behind the head
            line = file.readline(_FIRST_LINE).removeprefix(b"\xef\xbb\xbf")
        try:
            return _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return look.first
    return look.first


def records(member: Member) -> Iterator[tuple[str, Source] | Reject]:
    """The records of a file with their places."""
    if parquet_rows.is_parquet(member):
        yield from _table(member)
        return
    look = peek(member)
    with member.open() as file:
        if _is_array(look):
            for item in iter_array(file, _decode):
                if isinstance(item, Broken):
                    where = f"{member.name}: bytes {item.offset}-{item.end}"
                    yield Reject(where, item.reason, "mend the file")
                else:
                    yield from_raw(f"{member.name}: byte {item.offset}", item.raw)
        elif _is_document(look):
            yield from_raw(member.name, file.read())
        else:
            for number, (_, line) in enumerate(iter_lines(file), 1):
                yield from_raw(f"{member.name}: record {number}", line)


def _table(member: Member) -> Iterator[tuple[str, Source] | Reject]:
    number = 0
    try:
        for row in parquet_rows.rows(member):
            number += 1
            yield f"{member.name}: row {number}", row
    except ExportError as error:  # what was read before the damage stays
        yield Reject(f"{member.name}: after row {number}", error.message, error.hint)


def _is_array(look: Peek) -> bool:
    """Whether the file is one array; else it is lines, even if the first line is an array."""
    first, _, rest = look.text.lstrip().partition("\n")
    if not first.startswith("["):
        return False
    # a whole array before other lines is one bad line of many, unless it holds the records
    others = rest.lstrip().startswith("{") or (rest.strip() and not look.first)
    return not (first.rstrip().endswith("]") and others)


def _is_document(look: Peek) -> bool:
    """Whether the file is one object over several lines."""
    first, _, rest = look.text.strip().partition("\n")
    if look.kind != "object" or not rest:
        return False
    return not first.rstrip().endswith("}") and not rest.lstrip().startswith('{"')


def from_raw(where: str, raw: bytes) -> tuple[str, Source] | Reject:
    """A record of its bytes."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            record = loads_loose(raw.removeprefix(b"\xef\xbb\xbf"))
        except ValueError as error:
            return Reject(where, f"not JSON: {str(error).split(':')[0]}", _MEND)
    if not isinstance(record, dict):
        return Reject(where, "the record is not an object", _MEND)
    return where, record


def native_id(record: Source, seen: Counter[bytes]) -> str:
    """sha256 (hex) of the record as compact JSON with sorted keys; ``#2`` when it comes again.

    Ids inside training records are numbers of their file and collide between files, so the content
    is the identity.

    Raises:
        RecordError: the record is nested too deeply to be written.
    """
    try:
        text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # orjson writes fewer levels than it reads
        raise RecordError("nested too deeply") from None
    digest = hashlib.sha256(text)
    seen[digest.digest()] += 1
    count = seen[digest.digest()]
    return digest.hexdigest() if count == 1 else f"{digest.hexdigest()}#{count}"


def listed(value: Any) -> list[Any] | None:
    """A value as a list, also one that is written as JSON text, as tables often hold it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, list) else None


def first_item(value: Any) -> Source:
    """The first element of a list if it is an object, else an empty one."""
    found = listed(value)
    return found[0] if found and isinstance(found[0], dict) else {}


def tools_text(tools: Any) -> str | None:
    """Tool definitions as JSON text: text as it is written, else compact."""
    if isinstance(tools, str):
        return tools if tools.strip() not in ("", "[]", "null") else None
    return orjson.dumps(tools).decode() if tools else None


def rest(record: Source, *used: str) -> Source:
    """The entries of a record that have no field of ours."""
    return {key: value for key, value in record.items() if key not in used}

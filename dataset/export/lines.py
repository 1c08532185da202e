"""JSON lines, in an order from whose beginning a loader can tell every field."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import orjson

from dataset.export.base import FormatOptions

_SEEN_AT_ONCE = 1 << 20
"""Bytes from whose records every loader infers the fields; ``datasets`` reads ten times as many."""


class Lines:
    """What formats of JSON lines share; those that one trainer reads add its config."""

    suffix = ".jsonl"

    def __init__(self, options: FormatOptions) -> None:
        self.options = options

    def write(self, records: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
        """Write the records of one split."""
        write_lines(records, file)

    def companions(self, data: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """No file beside the data."""
        return {}


def write_lines(records: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """Write records as JSON lines, in order.

    Except: a record late in the file that has a field which none before it has comes first.
    ``datasets`` fixes the fields by the first 10 MB and fails on one that appears later.
    """
    first: list[bytes] = []
    seen: set[str] = set()
    with tempfile.TemporaryFile() as rest:  # has no name that others could open
        for record in records:
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            fields = set(_fields(record))
            late = rest.tell() + len(line) > _SEEN_AT_ONCE and not fields <= seen
            seen |= fields
            if late:
                first.append(line)
            else:
                rest.write(line)
        rest.seek(0)
        file.writelines(first)
        shutil.copyfileobj(rest, file)


def _fields(record: dict[str, Any]) -> Iterator[str]:
    for key, value in record.items():
        if value is not None:
            yield key
        if key == "messages":
            for message in value:
                yield from (
                    f"messages.{name}" for name, each in message.items() if each is not None
                )

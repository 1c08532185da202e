"""Which conversations a record of an export stands for alone, and which must outlive its damage."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import fuzz_bytes
from fuzz_documents import Document, open_document, paths, value_at, write_document
from fuzz_laws import Bench
from fuzz_samples import Sample
from fuzz_structure import Change, changed

from ingest.registry import importers

_MARK = "\ue001record\ue001"
_DEEP = 3
_STYLES: list[int | None] = [None, None, 1, 4]


class Unit(NamedTuple):
    """A record: a file of an export, or a list's element in a file.

    Attributes:
        sample: the export.
        part: the file.
        path: the element's place; empty for the whole file.
    """

    sample: Sample
    part: str
    path: tuple[Any, ...]

    def replaced(self, record: bytes, style: int | None = None) -> dict[str, bytes]:
        """The export's parts with other bytes in the record's place."""
        if not self.path:
            return self.sample.parts | {self.part: record}
        before, _, after = self._around(style)
        return self.sample.parts | {self.part: before + record + after}

    def _around(self, style: int | None) -> tuple[bytes, bytes, bytes]:
        """What stands before the record in its file, the margin it has, what stands after it."""
        document = open_document(self.part, self.sample.parts[self.part])
        value = copy.deepcopy(document.value)
        value_at(value, self.path[:-1])[self.path[-1]] = _MARK
        data = write_document(Document(document.kind, value), spaces=style)
        before, _, after = data.partition(json.dumps(_MARK).encode())
        line = before.rpartition(b"\n")[2]
        return before, line[: len(line) - len(line.lstrip())], after

    def _written(self, value: Any, style: int | None) -> bytes:
        """The record as it stands in its file: on one line, or with the margin of its lines."""
        kind = open_document(self.part, self.sample.parts[self.part]).kind
        text = write_document(Document("json", value), spaces=style if kind == "json" else None)
        return text.replace(b"\n", b"\n" + self._around(style)[1])

    def structure(self, drawn: list[Change], style: int | None) -> bytes:
        """The record with changes of structure."""
        document = open_document(self.part, self.sample.parts[self.part])
        # the record itself may go too: it is the one element of a list
        (made,) = changed([value_at(document.value, self.path)], drawn)[:1] or [None]
        return self._written(made, style)

    def bytes(self, draw: Random, style: int | None) -> tuple[bytes, list[str]]:
        """The record with changes of bytes."""
        if self.path:
            document = open_document(self.part, self.sample.parts[self.part])
            data = self._written(value_at(document.value, self.path), style)
        else:
            data = self.sample.parts[self.part]
        return fuzz_bytes.mutated(data, draw, b"", fuzz_bytes.INSIDE)


def style(draw: Random) -> int | None:
    """How the list is laid out."""
    return draw.choice(_STYLES)


def units(sample: Sample) -> Iterator[Unit]:
    """What may be a record of its own; :func:`others` tells whether it is."""
    if len(sample.parts) > 1:
        yield from (Unit(sample, part, ()) for part in sample.parts)
    if importers()[sample.importer].kind == "people":
        return  # records are messages there: one that loses its time joins the talk before it
    for part, data in sample.parts.items():
        document = open_document(part, data)
        if document.kind in ("json", "lines"):
            whole = document.value
            lists = [(), *(at for at in paths(whole) if len(at) <= _DEEP)]
            for at in lists:
                inner = value_at(whole, at)
                if isinstance(inner, list) and sum(isinstance(each, dict) for each in inner) > 1:
                    yield from (Unit(sample, part, (*at, place)) for place in range(len(inner)))


def others(unit: Unit, bench: Bench) -> dict[str, str] | None:
    """The conversations that the record has no part in; None if it is no conversation's own.

    With the record emptied, one conversation or more must be gone and all others as they were:
    where a format joins records, or one record tells about another, that is not so.
    """
    without = unit.replaced(b"{}" if unit.path else b"")
    if not unit.path:
        without = {part: data for part, data in without.items() if part != unit.part}
    left = bench.run(unit.sample, without, unit.sample.importer).hashes
    golden = unit.sample.golden
    alone = left.items() <= golden.items() and 0 < len(left) < len(golden)
    return left if alone else None

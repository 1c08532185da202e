"""One case of the fuzz campaign: an import, and the laws that hold whatever is in the file."""

import contextlib
import hashlib
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
from fuzz_samples import MARKER, Sample, empty

from ingest.archive import Export
from ingest.errors import UserError
from ingest.importers.base import Importer, ImportOptions, Item, Reject
from ingest.load import ImportReport, import_export
from ingest.message import Conversation, Message, Participant
from ingest.registry import importers
from ingest.store import Store, open_store

SECONDS = 10.0
"""An import that takes more CPU time hangs."""
GROWTH_MIB = 128
"""What the process may grow by beyond what the undamaged samples need."""
_CASES_A_STORE = 400
_LEAK = MARKER[:6]  # a cut through the marker must not hide a leak
_CANONICAL = msgspec.json.Decoder(
    tuple[
        str | None,
        str | None,
        datetime | None,
        tuple[Message, ...],
        tuple[Participant, ...],
        str | None,
        dict[str, Any],
    ]
).decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Conversation).decode


class Hang(BaseException):
    """The time is over. No exception of the usual kind, so that nobody catches it on the way."""


@dataclass
class Outcome:
    """What became of one case.

    Attributes:
        report: None if the whole export was refused.
        hashes: content hash by id of what the store holds.
        broken: the laws that were broken, each with its place.
        seconds: CPU time of the import.
    """

    report: ImportReport | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


class _Spied:
    """An importer whose items are noted as they pass."""

    def __init__(self, inner: Importer, items: list[Item]) -> None:
        self._inner = inner
        self._items = items
        self.name, self.title, self.kind = inner.name, inner.title, inner.kind
        self.needs, self.version = inner.needs, inner.version

    def sniff(self, export: Export) -> float:
        return self._inner.sniff(export)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        for item in self._inner.read(export, options):
            self._items.append(item)
            yield item


def peak_mib() -> float:
    """The most memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Bench:
    """Runs cases one after the other in stores of its own.

    Attributes:
        base_mib: the peak after the undamaged samples; set it before the first case.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cases = 0
        self._open = contextlib.ExitStack()
        self._items: list[Item] = []
        self.base_mib = float("inf")
        self.store = self._new_store()
        found = importers()
        self._plain = dict(found)
        found.update({name: _Spied(each, self._items) for name, each in self._plain.items()})
        self._unraisable: list[str] = []
        sys.unraisablehook = lambda fault: self._unraisable.append(
            f"unraisable {fault.exc_value!r}"
        )

    def close(self) -> None:
        sys.unraisablehook = sys.__unraisablehook__
        importers().update(self._plain)
        self._open.close()

    def _new_store(self) -> Store:
        self._open.close()
        shutil.rmtree(self._folder / "store", ignore_errors=True)
        return self._open.enter_context(open_store(self._folder / "store" / "store.duckdb"))

    def run(
        self,
        sample: Sample,
        parts: dict[str, bytes],
        format_name: str,
        *,
        whole: bytes | None = None,
        tz: str | None = None,
    ) -> Outcome:
        """Import a damaged export.

        Args:
            sample: what was damaged.
            parts: its content by path.
            format_name: as for :func:`ingest.load.import_export`.
            whole: a file to import in place of the parts, such as a zip of them.
            tz: zone of times that state none, in place of the sample's.
        """
        self._cases += 1
        if self._cases % _CASES_A_STORE == 0:
            self.store = self._new_store()
        scratch = self._folder / "case"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        if whole is None:
            path = sample.write(scratch, parts)
        else:
            path = scratch / "export.zip"
            path.write_bytes(whole)
        return self._judged(path, replace(sample.options, tz=tz or sample.options.tz), format_name)

    def _judged(self, path: Path, options: ImportOptions, format_name: str) -> Outcome:
        outcome = Outcome()
        self._items.clear()
        said: list[str] = []
        started = process_time()
        try:
            with _alarm():
                outcome.report = import_export(
                    path, self.store, format_name=format_name, options=options
                )
        except UserError as error:
            said += [error.message, error.hint]
        except (Exception, Hang) as error:
            outcome.broken.append(f"{type(error).__name__} {_frame(error)}")
        outcome.seconds = process_time() - started
        if not outcome.broken:
            self._check(outcome, said)
        outcome.broken += self._unraisable
        self._unraisable.clear()
        grown = peak_mib() - self.base_mib
        if grown > GROWTH_MIB:
            outcome.broken.append(f"memory grew by {grown:.0f} MiB")
            self.base_mib += grown
        if outcome.broken:
            self.store = self._new_store()
        else:
            empty(self.store)
        return outcome

    def _check(self, outcome: Outcome, said: list[str]) -> None:
        items, report, broken = self._items, outcome.report, outcome.broken
        found = [(talk, hash_) for talk, hash_, _ in self.store.stream()]
        outcome.hashes = {talk.id: hash_ for talk, hash_ in found}
        for entry in self.store.rejects():
            said += [entry["where"], entry["reason"], entry["hint"]]
        if report is None:
            if found or said[2:]:
                broken.append("refused, and yet something is stored")
        else:
            said += [*report.warnings, *report.skipped]
            broken += _miscounted(report, items, len(found))
            made: dict[str, list[Conversation]] = {}
            for item in items:
                if isinstance(item, Conversation):
                    made.setdefault(item.id, []).append(item)
            broken += _changed_in_store(made, found)
        broken += [f"message text leaks: {_shape(text)}" for text in said if _LEAK in text.lower()]


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _frame(error: BaseException) -> str:
    """The innermost line of ours in a traceback, and the error's own."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/ingest/" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}: {str(error)[:90]}"


def _shape(text: str) -> str:
    """An error's words without what it quotes."""
    return text[: text.lower().index(_LEAK)][-60:]


def _miscounted(report: ImportReport, items: list[Item], in_store: int) -> list[str]:
    counted = report.stored + report.updated + report.unchanged + report.rejected
    counted += sum(report.skipped.values())
    broken = []
    if report.read != counted:
        broken.append("read is not the sum of its parts")
    if report.read != len(items):
        broken.append("an item was not counted")
    if report.rejected != sum(isinstance(item, Reject) for item in items):
        broken.append("a reject was not counted")
    if not report.read and not report.warnings:
        broken.append("nothing was read, and nothing is said of it")
    if report.stored != in_store:
        broken.append("stored is not what the store holds")
    return broken


def _changed_in_store(
    made: dict[str, list[Conversation]], found: list[tuple[Conversation, str]]
) -> list[str]:
    broken = []
    if made.keys() != {talk.id for talk, _ in found}:
        broken.append("a conversation is not in the store")
    for talk, hash_ in found:
        importer = talk.importer
        wanted = made.get(talk.id)  # several with one id: which one counts, test_load.py knows
        body = talk.canonical()
        if wanted is not None and talk not in wanted:
            field_ = _differs(talk, wanted[-1])
            broken.append(f"{importer}: comes back from the store changed in {field_}")
        elif hashlib.sha256(body).hexdigest() != hash_:
            broken.append(f"{importer}: hash of what comes back differs")
        elif _encode(_CANONICAL(body)) != body or _decode(_encode(talk)) != talk:
            broken.append(f"{importer}: canonical form does not round-trip")
    return broken


def _differs(one: Conversation, two: Conversation) -> str:
    for name in one.__struct_fields__:
        if name != "messages" and getattr(one, name) != getattr(two, name):
            return name
    for mine, theirs in zip(one.messages, two.messages, strict=False):
        for name in mine.__struct_fields__:
            if getattr(mine, name) != getattr(theirs, name):
                return f"messages.{name}"
    return "messages"

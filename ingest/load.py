"""From an export to the store: one transaction, every conversation counted once."""

import contextlib
import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ingest import columns
from ingest.archive import Export, open_export, shown
from ingest.batch import Batch, collect_seldom
from ingest.errors import ExportError
from ingest.forgotten import REASON as FORGOTTEN
from ingest.forgotten import Marks
from ingest.importers.base import Importer, ImportOptions, Reject
from ingest.raw import keep_raw
from ingest.registry import choose, sniff, unrecognised
from ingest.shape import peek
from ingest.store import Known, SourceRecord, Store
from ingest.workers import read_batches

if TYPE_CHECKING:
    import numpy as np

_SURE = 0.85
_LOOKED_AT = 64
_MIXED_AT_MOST = 64
"""A folder with more entries than this that is an export as a whole is not searched for others."""

PARALLEL_BYTES = 64 << 20
"""Bytes of an export from which several processes are worth their start."""


class Progress(NamedTuple):
    """How far the import of one export is.

    Attributes:
        export: which one.
        bytes_read: of it.
        bytes_total: in it.
        conversations: read from it.
    """

    export: str
    bytes_read: int
    bytes_total: int
    conversations: int


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Source:
    """One export that an import read."""

    path: str
    sha256: str
    importer: str


@dataclass
class ImportReport:
    """What an import did, counted in conversations.

    ``read == stored + updated + unchanged + rejected + sum(skipped)``, always.

    Attributes:
        sources: the exports read, in order.
        read: conversations found.
        stored: new ones.
        updated: ones whose content changed since the last import.
        unchanged: ones that were there already, in this form or a newer one.
        missing: stored ones that a newer export of the same account no longer has; they are kept.
        rejected: ones that could not be read; see the quarantine.
        skipped: ones left out on purpose, by reason.
        messages: messages in the conversations read.
        seconds: wall time.
        warnings: things the user should know, without any message text.
    """

    sources: list[Source] = field(default_factory=list)
    read: int = 0
    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    rejected: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def add(self, other: "ImportReport") -> None:
        """Add the counts of another report."""
        self.sources += other.sources
        for name in ("read", "stored", "updated", "unchanged", "missing", "rejected", "messages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.skipped = dict(Counter(self.skipped) + Counter(other.skipped))
        self.seconds += other.seconds
        self.warnings += other.warnings

    def as_json(self) -> dict[str, object]:
        """The report in the shape of ``turnmill import --json``."""
        names = {source.importer for source in self.sources}
        return {
            **asdict(self),
            "importer": names.pop() if len(names) == 1 else "mixed",
            "skipped": sum(self.skipped.values()),
            "skipped_reasons": self.skipped,
        }


def find_exports(path: Path, format_name: str = "auto") -> list[tuple[Export, Importer]]:
    """The exports at a path with their importers: one, or several in a folder of exports.

    Raises:
        ExportError: nothing there is recognised.
    """
    export = open_export(path)
    if format_name != "auto" or not export.is_folder:
        return [(export, choose(export, format_name))]
    marks = sniff(export)
    children = [child for child in sorted(path.iterdir()) if _may_be_export(child)]
    if marks and len(children) > _MIXED_AT_MOST:
        return [(export, marks[0][1])]
    found: list[tuple[Export, tuple[float, Importer]]] = []
    faults: list[tuple[str, ExportError]] = []
    for child in children:
        try:
            inner = open_export(child)
            found += [(inner, mark) for mark in sniff(inner)[:1]]
        except ExportError as error:  # a damaged file costs no other
            faults.append((child.name, error))
    chosen = [(inner, kind) for inner, (_, kind) in found]
    if marks:
        # the unpacked export of one importer; what others know for sure lies beside it
        whole = marks[0][1]
        others = [(inner, kind) for inner, (mark, kind) in found if mark >= _SURE and kind != whole]
        chosen = [(export, whole), *others]
    if not chosen:
        raise faults[0][1] if faults else unrecognised(export)
    first, kind = chosen[0]
    left_out = tuple((name, f"it cannot be read: {error.message}") for name, error in faults)
    return [(replace(first, skipped=first.skipped + left_out), kind), *chosen[1:]]


def _may_be_export(path: Path) -> bool:
    """Whether to look into an entry of a folder: not hidden, no link, not empty."""
    if path.name.startswith(".") or path.is_symlink():
        return False
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def import_export(
    path: Path,
    store: Store,
    *,
    format_name: str = "auto",
    options: ImportOptions | None = None,
    raw: Path | None = None,
    workers: int | None = 1,
    on_progress: Tell | None = None,
) -> ImportReport:
    """Import the export (or the folder of exports) at ``path`` into the store.

    Each export lands in one transaction: after an error or Ctrl-C the store is as before. A bad
    record goes to quarantine and costs no other.

    Args:
        path: a file or folder.
        store: open, and not used by anybody else.
        format_name: an importer's name; ``auto`` looks at the content.
        options: what the export does not say itself.
        raw: folder in which a copy of each export is kept, packed; None keeps none.
        workers: processes that read; None takes several for a large export. The result is the same.
        on_progress: called as batches land.

    Raises:
        ExportError: the file cannot be read as an export at all.
        StoreError: the store cannot be written.
    """
    options = options or ImportOptions()
    total = ImportReport()
    for export, importer in find_exports(path, format_name):
        count = _workers_for(export) if workers is None else workers
        total.add(_import_one(export, importer, store, options, raw, count, on_progress))
    return total


def _workers_for(export: Export) -> int:
    return min(os.cpu_count() or 1, 4) if export.size >= PARALLEL_BYTES else 1


def _import_one(
    export: Export,
    importer: Importer,
    store: Store,
    options: ImportOptions,
    raw: Path | None,
    workers: int,
    tell: Tell | None,
) -> ImportReport:
    started = perf_counter()
    sha256 = export.sha256()
    key = orjson.dumps(
        {"importer": importer.name, "version": importer.version, **asdict(options)},
        option=orjson.OPT_SORT_KEYS,
    ).decode()
    source = Source(shown(str(export.path)), sha256, importer.name)
    report = ImportReport(sources=[source])
    report.warnings += [
        f"{source.path}: {shown(name)} is left out: {reason}" for name, reason in export.skipped
    ]
    # where something was erased, no copy may lie on disk before it is known what is in it
    forgotten = store.forgotten.marks()
    keeps_at_once = not forgotten
    if raw is not None and keeps_at_once:
        keep_raw(export, sha256, raw)
    record = store.source_record(sha256, key)
    if record is not None:
        report.read, report.rejected, report.skipped = record.read, record.rejected, record.skipped
        report.unchanged = record.read - record.rejected - sum(record.skipped.values())
        report.messages = record.messages
    else:
        with store.transaction(), _few_collections():
            landing = _Landing(store, source, report, forgotten)
            for batch in read_batches(export, importer, options, sha256, workers):
                landing.add(batch)
                if tell is not None:
                    tell(Progress(source.path, batch.position, export.size, report.read))
            record = landing.finish()
            store.put_source(sha256, key, importer.name, source.path, record)
    if raw is not None and FORGOTTEN in report.skipped:
        report.warnings.append(
            f"{source.path}: no copy is kept, because it holds conversations that were forgotten"
        )
    elif raw is not None and not keeps_at_once:
        keep_raw(export, sha256, raw)
    report.warnings += [f"{source.path}: {fault}" for fault in _unreadable(export)]
    if not report.read:
        report.warnings.append(
            f"{source.path}: no conversation was found in it, read as {importer.name}"
        )
    if record.one_sided:
        report.warnings.append(
            f"{source.path}: {record.one_sided} conversations hold one side only; they are stored "
            "and searchable, but nothing of them is ever trained on"
        )
    report.seconds = perf_counter() - started
    return report


def _unreadable(export: Export) -> Iterator[str]:
    """Files that are JSON by their name and by nothing else: importers pass over them."""
    if len(export.members) < 2:
        return  # a lone file is read whatever it looks like, and its damage counted
    named = [m for m in export.members if m.base.endswith((".json", ".jsonl", ".ndjson"))]
    for member in named[:_LOOKED_AT]:
        if peek(member).kind in ("text", "binary"):
            yield f"{member.name} does not begin like JSON; it may be damaged"
        elif member.fault is not None:
            yield f"{member.name} cannot be read"


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    before = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Landing:
    """Writes batches of one export: what is new or newer goes in, everything is counted once."""

    def __init__(
        self, store: Store, source: Source, report: ImportReport, forgotten: Marks
    ) -> None:
        self._store = store
        self._source = source
        self._report = report
        self._next = store.next_ord()
        self._was_empty = store.is_empty()
        self._forgotten = forgotten
        self._held: dict[str, int] = {}  # id -> ord, of all that the export holds
        self._rejects: list[Reject] = []
        self._skipped: Counter[str] = Counter()
        self._one_sided = 0

    def add(self, batch: Batch) -> None:
        """Write one batch."""
        if self._forgotten:
            from ingest.sieve import sifted

            batch = sifted(batch, self._forgotten)
        self._report.read += batch.read
        self._report.messages += batch.messages.num_rows
        self._one_sided += batch.one_sided
        self._rejects += batch.rejects
        self._skipped += batch.skipped
        if not batch.ids:
            return
        ords, replaced = self._ords(batch)
        self._store.delete(replaced)
        if (ords >= 0).any():
            self._store.insert(
                columns.renumbered(batch.conversations, ords),
                columns.renumbered(batch.messages, ords),
            )

    def _ords(self, batch: Batch) -> "tuple[np.ndarray[Any, np.dtype[np.int64]], list[int]]":
        """Order number of each conversation, -1 for those not to write; numbers to delete first."""
        import numpy as np

        ords = np.full(len(batch.ids), -1, dtype=np.int64)
        asked = batch.ids if not self._was_empty else [i for i in batch.ids if i in self._held]
        known = self._store.known(asked) if asked else {}
        times = batch.conversations["updated_at"].to_pylist()
        placed: dict[str, int] = {}  # id -> its place in this batch
        replaced: list[int] = []
        for at, (id_, hash_, time) in enumerate(zip(batch.ids, batch.hashes, times, strict=True)):
            stored = known.get(id_)
            again = id_ in self._held
            if (before := placed.get(id_)) is not None:
                # one id twice in an export: the newer one counts, of equal ones the later
                stored = Known(self._held[id_], batch.hashes[before], times[before])
            if stored is None:
                self._held[id_] = ords[at] = self._next
                self._next += 1
                self._report.stored += 1
                placed[id_] = at
                continue
            self._held[id_] = stored.ord
            if hash_ == stored.content_hash or _is_older(time, stored.updated_at):
                self._report.unchanged += 1
                continue
            if before is None:
                replaced.append(stored.ord)
            else:
                ords[before] = -1
            ords[at] = stored.ord
            placed[id_] = at
            if again:
                self._report.unchanged += 1
            else:
                self._report.updated += 1
        return ords, replaced

    def finish(self) -> SourceRecord:
        """What belongs to the export as a whole; call once, last."""
        source, report = self._source, self._report
        report.rejected = len(self._rejects)
        report.skipped = dict(self._skipped)
        if not self._was_empty and self._held:
            held = list(self._held.values())
            report.missing = self._store.mark_seen(source.importer, source.sha256, held)
        self._store.put_rejects(source.sha256, source.importer, source.path, self._rejects)
        return SourceRecord(
            report.read, report.rejected, report.skipped, report.messages, self._one_sided
        )


def _is_older(time: datetime | None, stored: datetime | None) -> bool:
    return time is not None and stored is not None and time < stored

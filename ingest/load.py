"""From an export to the store: one transaction, every conversation counted once."""

import contextlib
import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

import orjson

from ingest.archive import Export, open_export, shown
from ingest.errors import ExportError
from ingest.importers.base import Importer, ImportOptions, Item, Reject, Skip
from ingest.message import Conversation
from ingest.raw import keep_raw
from ingest.registry import choose, sniff
from ingest.store import SourceRecord, Store

BATCH_MESSAGES = 4096
_BATCH_BYTES = 4 << 20
_SURE = 0.85
_MIXED_AT_MOST = 64
"""A folder with more entries than this that is an export as a whole is not searched for others."""

Progress = Callable[[int], None]
"""Called now and then with the number of conversations read so far."""


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
        unchanged: ones that were there already.
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
    rejected: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def add(self, other: "ImportReport") -> None:
        """Add the counts of another report."""
        self.sources += other.sources
        for name in ("read", "stored", "updated", "unchanged", "rejected", "messages"):
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
    found = [
        (inner, inner_marks[0])
        for child in children
        for inner in [open_export(child)]
        if (inner_marks := sniff(inner))
    ]
    if marks:
        # the unpacked export of one importer; what others know for sure lies beside it
        whole = marks[0][1]
        others = [(inner, kind) for inner, (mark, kind) in found if mark >= _SURE and kind != whole]
        return [(export, whole), *others]
    if not found:
        raise ExportError(
            f"{path}: nothing in this folder is recognised",
            "run 'turnmill formats' for what is read; name one with --format if you know it",
        )
    return [(inner, kind) for inner, (_, kind) in found]


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
    on_progress: Progress | None = None,
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
        on_progress: see :data:`Progress`.

    Raises:
        ExportError: the file cannot be read as an export at all.
        StoreError: the store cannot be written.
    """
    options = options or ImportOptions()
    total = ImportReport()
    for export, importer in find_exports(path, format_name):
        total.add(_import_one(export, importer, store, options, raw, on_progress))
    return total


def _import_one(
    export: Export,
    importer: Importer,
    store: Store,
    options: ImportOptions,
    raw: Path | None,
    on_progress: Progress | None,
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
    if raw is not None:
        keep_raw(export, sha256, raw)
    if known := store.source_record(sha256, key):
        report.read, report.rejected, report.skipped = known.read, known.rejected, known.skipped
        report.unchanged = known.read - known.rejected - sum(known.skipped.values())
        report.messages = known.messages
    else:
        with store.transaction(), _few_collections():
            _land(importer.read(export, options), store, source, report, on_progress)
            record = SourceRecord(report.read, report.rejected, report.skipped, report.messages)
            store.put_source(sha256, key, importer.name, source.path, record)
    report.seconds = perf_counter() - started
    return report


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of cycles run seldom: records have none, and it took a fifth of it all."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _land(
    items: Iterator[Item],
    store: Store,
    source: Source,
    report: ImportReport,
    on_progress: Progress | None,
) -> None:
    rejects: list[Reject] = []
    skipped: Counter[str] = Counter()
    landing = _Landing(store, source.sha256, report)
    one_sided = 0
    for item in items:
        report.read += 1
        if isinstance(item, Conversation):
            landing.add(item)
            one_sided += item.metadata.get("one_sided") is True
        elif isinstance(item, Reject):
            rejects.append(item)
        else:
            assert isinstance(item, Skip)
            skipped[item.reason] += 1
        if on_progress is not None and report.read % 64 == 0:
            on_progress(report.read)
    landing.flush()
    report.rejected = len(rejects)
    report.skipped = dict(skipped)
    if one_sided:
        report.warnings.append(
            f"{source.path}: {one_sided} conversations hold one side only; they are stored and "
            "searchable, but nothing of them is ever trained on"
        )
    store.put_rejects(source.sha256, source.importer, source.path, rejects)


class _Landing:
    """Collects conversations into batches and writes those that are new or changed."""

    def __init__(self, store: Store, source: str, report: ImportReport) -> None:
        self._store = store
        self._source = source
        self._report = report
        self._batch: list[tuple[Conversation, str]] = []
        self._messages = 0
        self._bytes = 0
        self._next = store.next_ord()
        self._was_empty = store.is_empty()
        self._written: set[str] = set()

    def add(self, conversation: Conversation) -> None:
        body = conversation.canonical()
        self._batch.append((conversation, hashlib.sha256(body).hexdigest()))
        self._messages += len(conversation.messages)
        self._bytes += len(body)
        if self._messages >= BATCH_MESSAGES or self._bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        batch = self._batch
        if not batch:
            return
        # one id twice in an export: the later one is the newer
        hashes = {each[0].id: each for each in batch}
        self._report.unchanged += len(batch) - len(hashes)
        ids = list(hashes)
        repeated = not self._written.isdisjoint(ids)
        known = {} if self._was_empty and not repeated else self._store.known_hashes(ids)
        fresh = [hashes[id_] for id_ in ids if id_ not in known]
        changed = [hashes[id_] for id_ in known if hashes[id_][1] != known[id_][1]]
        self._store.delete([known[c.id][0] for c, _ in changed])
        ords = [known[c.id][0] for c, _ in changed]
        ords += range(self._next, self._next + len(fresh))
        self._next += len(fresh)
        rows = changed + fresh
        self._store.insert(self._source, ords, [c for c, _ in rows], [hash_ for _, hash_ in rows])
        self._written.update(ids)
        self._report.stored += len(fresh)
        self._report.updated += len(changed)
        self._report.unchanged += len(hashes) - len(fresh) - len(changed)
        self._report.messages += self._messages
        self._batch, self._messages, self._bytes = [], 0, 0

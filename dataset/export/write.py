"""From a sealed version to a folder in an outward format.

The folder appears whole or not at all. It holds one data file a split, the trainer's config where
there is one, and ``export.json``: from which version, what was written, what was refused and why.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from dataset.export.base import DatasetExportError, Format, FormatOptions, Misfit
from dataset.export.checks import has_objects
from dataset.export.config_text import UNSET
from dataset.export.losses import LOSSES, fit
from dataset.export.registry import format_named
from dataset.export.trainer_settings import TrainerSettings
from dataset.manifest import SPLITS, DatasetVersion
from ingest.files import sha256_file, write_json, write_whole
from ingest.version import __version__

EXPORT = "export.json"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExportedSplit(_Value):
    """What became of one split; counts are conversations."""

    rows: int = Field(description="in the version")
    exported: int = Field(description="written")
    refused: dict[str, int] = Field(description="not written, by reason")
    lost: dict[str, int] = Field(description="written without what --lossy names, by name")
    left_out: dict[str, int] = Field(description="written without a label, by label")


class ExportedFile(_Value):
    """One file of an export."""

    path: str = Field(description="name in the folder")
    sha256: str = Field(description="hex digest of the bytes")
    bytes: int = Field(description="size")


class DatasetExport(_Value):
    """What an export did: the content of ``export.json``."""

    version: str = Field(description="name@fingerprint of the dataset version")
    format: str = Field(description="the outward format")
    lossy: list[str] = Field(description="what was allowed to be lost, by name")
    splits: dict[str, ExportedSplit] = Field(description="by split")
    files: list[ExportedFile] = Field(description="data and config")
    to_set: list[str] = Field(description="what the user must set in a config: file and key")
    code_version: str = Field(description="turnmill's version")

    @property
    def refused(self) -> dict[str, int]:
        """Conversations of all splits that were not written, by reason, most first."""
        return _sum(split.refused for split in self.splits.values())

    @property
    def lost(self) -> dict[str, int]:
        """Conversations of all splits that lost something, by its name."""
        return _sum(split.lost for split in self.splits.values())

    @property
    def left_out(self) -> dict[str, int]:
        """Conversations of all splits without a label of theirs, by label."""
        return _sum(split.left_out for split in self.splits.values())


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())


def export_version(
    version: DatasetVersion,
    format_name: str,
    out: Path,
    *,
    lossy: Sequence[str] = (),
    base_model: str | None = None,
    settings: TrainerSettings = TrainerSettings(),  # noqa: B008 - immutable
) -> DatasetExport:
    """Write a version in an outward format.

    Args:
        version: what to write; its files are checked first.
        format_name: see ``dataset.export.registry``.
        out: the folder to make; must not exist or be empty.
        lossy: names of what may be lost; see ``dataset.export.losses``.
        base_model: for the trainer's config.
        settings: for the same.

    Raises:
        DatasetExportError: unknown format or loss, the folder is not empty, nothing fits, or the
            version holds something else than conversations.
        VersionError: the version is damaged.
    """
    make = format_named(format_name)
    version.verify()
    outward = make(_options(version, base_model, settings))
    _check_lossy(outward, lossy)
    _check_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
    try:
        done = _write(version, outward, part, frozenset(lossy))
        part.replace(out)
    except BaseException:
        shutil.rmtree(part)
        raise
    return done


def _check_lossy(outward: Format, lossy: Sequence[str]) -> None:
    for name in lossy:
        if name not in outward.cannot:
            possible = [f"{each.name} ({each.effect})" for each in LOSSES
                        if each.name in outward.cannot]  # fmt: skip
            raise DatasetExportError(
                f"--lossy {name}: {outward.name} loses nothing that is called so",
                f"it can lose: {'; '.join(possible)}" if possible else "leave the option out",
            )


def _check_folder(out: Path) -> None:
    if out.resolve() == Path.cwd() or (out.exists() and not out.is_dir()):
        raise DatasetExportError(f"{out}: cannot become the export's folder", "name a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise DatasetExportError(f"{out}: the folder is not empty", "name a new or empty folder")


def _options(
    version: DatasetVersion, base_model: str | None, settings: TrainerSettings
) -> FormatOptions:
    """What a format is made from, by a look at every message of the version.

    Raises:
        DatasetExportError: the version holds something else than conversations.
    """
    used: set[str] = set()
    objects = True
    for split in version.splits:
        with pq.ParquetFile(version.file(split), pre_buffer=False) as file:
            if "messages" not in file.schema_arrow.names:
                raise DatasetExportError(
                    f"{version.ref}: its rows are no conversations",
                    "outward formats hold conversations; use the version's own parquet files",
                )
            for batch in file.iter_batches(columns=["messages"]):
                messages = batch.column("messages").flatten()
                calls = messages.field("tool_calls")
                objects = objects and all(
                    has_objects({"tool_calls": each}) for each in calls.drop_null().to_pylist()
                )
                used |= {
                    field.name
                    for field in messages.type
                    if messages.field(field.name).null_count < len(messages)
                }
    return FormatOptions(version.name, frozenset(used), objects, base_model, settings)


def _write(
    version: DatasetVersion, outward: Format, folder: Path, lossy: frozenset[str]
) -> DatasetExport:
    names: dict[str, str] = {}
    splits: dict[str, ExportedSplit] = {}
    for split in (name for name in SPLITS if name in version.splits):
        name = f"{split}{outward.suffix}"
        tally = _Tally(outward, lossy)
        with write_whole(folder / name) as file:
            outward.write(tally.records(version.rows(split)), file)
        splits[split] = tally.report()
        if splits[split].exported:
            names[split] = name
        else:
            (folder / name).unlink()  # loaders fail on a file without rows
    if "train" not in names:
        reasons = ", ".join(splits["train"].refused) or "the split is empty"
        raise DatasetExportError(
            f"no conversation of {version.ref}'s train split fits {outward.name}: {reasons}",
            "choose another format, or see --lossy",
        )
    companions = outward.companions(names)
    for name, text in companions.items():
        with write_whole(folder / name) as file:
            file.write(text.encode())
    done = DatasetExport(
        version=version.ref,
        format=outward.name,
        lossy=sorted(lossy),
        splits=splits,
        files=[_file(folder, name) for name in (*names.values(), *companions)],
        to_set=[
            f"{name}: {line.partition(':')[0]}"
            for name, text in companions.items()
            for line in text.splitlines()
            if f'"{UNSET}"' in line
        ],
        code_version=__version__,
    )
    write_json(folder / EXPORT, done.model_dump())
    return done


def _file(folder: Path, name: str) -> ExportedFile:
    path = folder / name
    return ExportedFile(path=name, sha256=sha256_file(path), bytes=path.stat().st_size)


class _Tally:
    """Turns rows into records and counts what becomes of them."""

    def __init__(self, outward: Format, lossy: frozenset[str]) -> None:
        self.outward = outward
        self.lossy = lossy
        self.rows = self.exported = 0
        self.refused: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def records(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            self.rows += 1
            try:
                fitting, lost = fit(row, self.outward.cannot, self.lossy)
                record = self.outward.record(fitting)
            except Misfit as misfit:
                self.refused[str(misfit)] += 1
                continue
            self.exported += 1
            self.lost.update(lost)
            self.left_out.update(record.left_out)
            yield record.value

    def report(self) -> ExportedSplit:
        return ExportedSplit(
            rows=self.rows,
            exported=self.exported,
            refused=dict(self.refused),
            lost=dict(self.lost),
            left_out=dict(self.left_out),
        )

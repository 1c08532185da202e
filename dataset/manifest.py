"""What a sealed dataset version is, and how one is opened.

A version is a folder ``<datasets>/<name>/<fingerprint>/`` with ``data/<split>-00000.parquet`` files
and a ``manifest.json`` that was written last. A folder without a manifest does not exist.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    ValidationError,
    model_serializer,
    model_validator,
)

from ingest.errors import SpecError, UserError
from ingest.files import read_json, sha256_file
from ingest.workspace import Workspace

MANIFEST = "manifest.json"
SPLITS = ("train", "validation", "test")
"""Every split a version may have, in the order in which they are shown."""

GroupBy = Literal["near-duplicates", "participants", "thread"]

_AGAIN = "build the version again"

Spec = TypeVar("Spec", bound=BaseModel)


class VersionError(UserError):
    """A dataset version that is missing, ambiguous or damaged."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Where(_Value):
    """Which conversations of the store take part; an empty list means all."""

    importers: list[str] = Field(default=[], description="importer names")
    participants: list[str] = Field(default=[], description="at least one of these takes part")
    since: datetime | None = Field(default=None, description="created at or after")
    until: datetime | None = Field(default=None, description="created before")
    tags: list[str] = Field(default=[], description="carries at least one of these tags")
    without_tags: list[str] = Field(default=[], description="carries none of these tags")


class SplitSpec(_Value):
    """Which conversations are held out; the rest is ``train``. See docs/design/splits.md."""

    by: Literal["conversation", "time"] = Field(
        default="conversation", description="by a hash of the id, or by when it began"
    )
    validation: float = Field(default=0.05, ge=0, lt=1, description="share of conversations")
    test: float = Field(default=0.05, ge=0, lt=1, description="share of conversations")
    validation_from: datetime | None = Field(
        default=None, description="by time: where validation begins"
    )
    test_from: datetime | None = Field(default=None, description="by time: where test begins")
    group_by: list[GroupBy] = Field(default=[], description="what must not be in two splits")
    near: float = Field(
        default=0.8, gt=0, le=1, description="similarity of near-duplicates; see dedupe-near"
    )

    @model_validator(mode="before")
    @classmethod
    def _shares_or_times(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("by") == "time":
            if value.get("validation") or value.get("test"):
                raise ValueError("by time, the splits have no shares")
            if value.get("validation_from") is None and value.get("test_from") is None:
                raise ValueError("by time, validation_from or test_from is needed")
            return {**value, "validation": 0, "test": 0}
        return value

    @model_validator(mode="after")
    def _leaves_some(self) -> "SplitSpec":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must be less than 1")
        if self.by == "conversation" and (self.validation_from or self.test_from):
            raise ValueError('validation_from and test_from need by = "time"')
        if self.validation_from and self.test_from:
            naive = (each.tzinfo is None for each in (self.validation_from, self.test_from))
            if len(set(naive)) > 1:
                raise ValueError("validation_from and test_from need a zone both, or neither")
            if self.validation_from >= self.test_from:
                raise ValueError("validation_from must be before test_from")
        return self


class StepSpec(_Value):
    """One entry of ``steps``: a name, or a table of the name and the step's options."""

    name: str = Field(description="the step's name")
    options: dict[str, JsonValue] = Field(default={}, description="as the step's Options say")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "options" not in value:
            options = {key: _plain(each) for key, each in value.items() if key != "name"}
            return {**({"name": value["name"]} if "name" in value else {}), "options": options}
        return value

    @model_serializer
    def _shortest(self) -> str | dict[str, JsonValue]:
        return {"name": self.name, **self.options} if self.options else self.name


def _plain(value: Any) -> Any:
    """A TOML value as JSON has it."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


class DatasetSpec(_Value):
    """What is asked of a build; read from a TOML file, unknown keys refused."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$", description="the dataset's name")
    kind: Literal["chat", "preference"] = Field(
        default="chat", description="a row is a conversation, or a pair of answers to one prompt"
    )
    where: Where = Field(default=Where(), description="selection from the store")
    steps: list[StepSpec] = Field(
        default=[StepSpec(name="has-assistant"), StepSpec(name="dedupe-exact")],
        description="in order; names, or tables of a name and options",
    )
    split: SplitSpec = Field(default=SplitSpec(), description="shares of held-out splits")
    seed: int = Field(default=0, ge=0, description="salt of the split")


class StepReport(_Value):
    """What one step did; counts are conversations."""

    name: str = Field(description="the step's name")
    rows_in: int = Field(alias="in", description="conversations that came in")
    kept: int = Field(description="conversations that went on")
    dropped: dict[str, int] = Field(default={}, description="conversations dropped, by reason")
    changed: int = Field(default=0, description="conversations kept but altered")
    changes: dict[str, int] = Field(default={}, description="what was altered, by kind: how often")
    facts: dict[str, int] = Field(default={}, description="further figures of the step's own")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def plus(self, other: "StepReport") -> "StepReport":
        """Both together; reasons and kinds by how often, then by name."""
        return StepReport(
            name=self.name,
            rows_in=self.rows_in + other.rows_in,
            kept=self.kept + other.kept,
            dropped=_sum(self.dropped, other.dropped),
            changed=self.changed + other.changed,
            changes=_sum(self.changes, other.changes),
            facts=_sum(self.facts, other.facts),
        )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    total = Counter(one)
    total.update(other)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


class Curation(_Value):
    """What was decided by hand about the conversations of a version; see ``dataset.curate``."""

    excluded: int = Field(description="conversations of the selection that are excluded by hand")
    decisions: str = Field(description="sha256 over the decisions that made a difference")


class GroupCount(_Value):
    """How one kind of group lies across the splits, counted over the sealed rows."""

    asked: bool = Field(description="whether the spec says that none may be in two splits")
    groups: int = Field(description="groups; of near-duplicates, those of two or more")
    in_two_splits: int = Field(description="groups with conversations in more than one split")


class SplitReport(_Value):
    """What splitting did; counts are conversations."""

    rows_in: int = Field(alias="in", description="conversations that came in")
    kept: int = Field(description="conversations that went on")
    dropped: dict[str, int] = Field(description="conversations left out, by reason")
    groups: dict[str, GroupCount] = Field(description="by kind")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SplitCounts(_Value):
    """Size of one split."""

    conversations: int = Field(description="rows")
    messages: int = Field(description="messages in them")
    assistant_messages: int = Field(description="messages of the assistant in them")


class FileInfo(_Value):
    """One file of a version."""

    sha256: str = Field(description="hex digest of the bytes")
    bytes: int = Field(description="size")

    @classmethod
    def of(cls, file: Path) -> "FileInfo":
        """What there is to say of a file."""
        return cls(sha256=sha256_file(file), bytes=file.stat().st_size)

    def matches(self, file: Path) -> bool:
        """Whether an existing file is this one; its size is looked at first."""
        return file.stat().st_size == self.bytes and sha256_file(file) == self.sha256


class DatasetVersion(_Value):
    """A sealed version: the content of ``manifest.json`` plus where it lies."""

    path: Path = Field(exclude=True, description="the version's folder")
    format: int = Field(default=1, description="layout of the folder and of the rows")
    name: str = Field(description="the dataset's name")
    fingerprint: str = Field(description="hash over canonical rows and their splits")
    created_at: datetime = Field(description="when it was sealed, UTC")
    spec: DatasetSpec = Field(description="what was asked")
    splits: dict[str, SplitCounts] = Field(description="size by split")
    split_report: SplitReport | None = Field(
        default=None, description="what splitting did, and what is in two splits"
    )
    steps: list[StepReport] = Field(description="what each step did, in order")
    sources: list[str] = Field(description="sha256 of the exports the rows come from")
    files: dict[str, FileInfo] = Field(description="by path relative to the folder")
    parent: str | None = Field(default=None, description="fingerprint of the version before")
    curation: Curation | None = Field(
        default=None, description="decisions by hand that were applied, if any were"
    )
    code_version: str = Field(description="turnmill's version")
    seconds: dict[str, float] = Field(
        default={}, description="CPU seconds by step, seconds of the build; no part of the content"
    )

    @property
    def ref(self) -> str:
        """``name@fingerprint``, as commands take it."""
        return f"{self.name}@{self.fingerprint}"

    def require_chat(self) -> None:
        """Refuse preference pairs where conversations are needed.

        Raises:
            VersionError: the version's rows are pairs.
        """
        if self.spec.kind != "chat":
            raise VersionError(
                f"{self.ref}: its rows are {self.spec.kind} pairs, no conversations",
                'name a version of kind = "chat"; pairs are for DPO, see docs/preference.md',
            )

    def table(self, split: str) -> pa.Table:
        """All rows of a split: ``dataset.rows.ROW_SCHEMA``, or ``dataset.preference.PAIR_SCHEMA``.

        Raises:
            VersionError: the version has no such split.
        """
        return pq.read_table(self.file(split), partitioning=None)

    def rows(self, split: str) -> Iterator[dict[str, Any]]:
        """The rows of a split as dicts, in stored order; see ``dataset.rows.to_chat``.

        Read in batches: memory does not grow with the split.

        Raises:
            VersionError: the version has no such split.
        """
        # read ahead, the whole file would stay in memory to the end
        with pq.ParquetFile(self.file(split), pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()

    def file(self, split: str) -> Path:
        """The parquet file of a split.

        Raises:
            VersionError: the version has no such split.
        """
        if split not in self.splits:
            raise VersionError(
                f"{self.ref} has no split {split!r}", f"it has: {', '.join(self.splits)}"
            )
        return self.path / "data" / f"{split}-00000.parquet"

    def verify(self) -> None:
        """Check each file's size and sha256 against the manifest.

        Raises:
            VersionError: a file is missing or differs.
        """
        for name, info in self.files.items():
            file = self.path / name
            if not file.is_file():
                raise VersionError(f"{file}: missing", _AGAIN)
            if not info.matches(file):
                raise VersionError(f"{file}: differs from {MANIFEST}", _AGAIN)


class _Manifest(RootModel[dict[str, Any]]):
    """What a manifest file holds, before its keys are looked at."""


def load_spec(path: Path) -> DatasetSpec:
    """Read a dataset spec.

    Raises:
        SpecError: missing file, broken TOML, unknown or wrong key; all faults are named at once.
    """
    return parse_toml(path, DatasetSpec)


def parse_toml(path: Path, kind: type[Spec]) -> Spec:
    """Read a TOML file into a pydantic model, with every fault in one SpecError."""
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file", "name a TOML spec file") from None
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}", "name a TOML spec file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: {error}", "this must be a TOML file") from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, f['loc'])) or 'spec'}: {f['msg']}" for f in error.errors()]
        known = ", ".join(kind.model_fields)
        raise SpecError(f"{path}: {'; '.join(faults)}", f"known keys: {known}") from None


def list_versions(workspace: Workspace, name: str | None = None) -> list[DatasetVersion]:
    """All sealed versions, oldest first; only of ``name`` if given."""
    versions = [
        open_version(file.parent)
        for file in workspace.datasets.glob(f"*/*/{MANIFEST}")
        # a hidden folder is a build or a pull that stopped before it got its name
        if name in (None, file.parts[-3]) and not any(p.startswith(".") for p in file.parts[-3:])
    ]
    return sorted(versions, key=lambda version: (version.created_at, version.fingerprint))


def open_version(folder: Path) -> DatasetVersion:
    """Open the version in ``folder``.

    Raises:
        VersionError: no manifest, or one that does not parse.
    """
    file = folder / MANIFEST
    try:
        return DatasetVersion.model_validate({**_Manifest(read_json(file)).root, "path": folder})
    except FileNotFoundError:
        raise VersionError(f"{folder}: holds no {MANIFEST}", "run 'turnmill versions'") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the manifest"
        raise VersionError(f"{file}: {place}: {first['msg']}", _AGAIN) from None
    except ValueError as error:
        raise VersionError(f"{file}: {str(error).splitlines()[0]}", _AGAIN) from None


def load_version(ref: str, workspace: Workspace) -> DatasetVersion:
    """Find a version by ``name``, ``name@latest``, ``name@<fingerprint prefix>`` or folder.

    Raises:
        VersionError: none or several fit.
    """
    folder = Path(ref)
    if (folder / MANIFEST).is_file():
        return open_version(folder)
    name, _, which = ref.partition("@")
    versions = list_versions(workspace, name or None) if name or which else []
    if which not in ("", "latest"):
        versions = [version for version in versions if version.fingerprint.startswith(which)]
        if len({version.fingerprint for version in versions}) > 1:
            raise VersionError(f"{ref}: fits {len(versions)} versions", "give more of the hash")
    if not versions:
        raise VersionError(f"{ref}: no such dataset version", "list them with 'turnmill versions'")
    return versions[-1]

"""What still holds erased conversations: versions, and what was made of them.

``tainted.json`` in the workspace names them by hash and count; it holds no text, no name and no id
of a conversation. A version is on the list until its folder is deleted; one of which a later
version was built counts as rebuilt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dataset.manifest import DatasetVersion, list_versions
from ingest.errors import StoreError, UserError
from ingest.files import write_json
from ingest.workspace import Workspace


class TaintError(UserError):
    """A version that may not be used because it holds what was erased."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaintedVersion(_Value):
    """A version that held erased conversations when they were erased, and what came of it."""

    name: str = Field(description="the dataset's name")
    fingerprint: str = Field(description="of the version")
    conversations: int = Field(description="how many of the erased it holds")
    repositories: list[str] = Field(default=[], description="to which it was pushed, ORG/NAME")
    runs: list[str] = Field(default=[], description="that trained on it")
    models: list[str] = Field(default=[], description="merged from those runs")
    evaluations: list[str] = Field(default=[], description="on it, or of those models")


class Taint(_Value):
    """What held the erased at the time of one erasure."""

    time: datetime = Field(description="when, UTC")
    conversations: int = Field(description="conversations erased from the store")
    messages: int = Field(description="messages erased from the store")
    versions: list[TaintedVersion] = Field(description="sealed versions")


_List = TypeAdapter(list[Taint])


def read_taints(workspace: Workspace) -> list[Taint]:
    """Every erasure of which something was left, oldest first.

    Raises:
        StoreError: the file is damaged.
    """
    path = workspace.tainted
    try:
        return _List.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError):
        raise StoreError(
            f"{path}: cannot be read", "restore it from a copy; it names what was erased where"
        ) from None


def add_taint(workspace: Workspace, taint: Taint) -> None:
    """Write down what an erasure left behind."""
    taints = [*read_taints(workspace), taint]
    write_json(workspace.tainted, _List.dump_python(taints, mode="json"))


@dataclass(frozen=True)
class Standing:
    """A tainted version that is still on disk.

    Attributes:
        version: it.
        taint: what it holds and what came of it, over all erasures.
        since: when the first of them was.
        rebuilt: the first version that was built since, under the same name.
    """

    version: DatasetVersion
    taint: TaintedVersion
    since: datetime
    rebuilt: DatasetVersion | None


def tainted_versions(workspace: Workspace) -> list[Standing]:
    """The tainted versions on disk, oldest first."""
    taints = read_taints(workspace)
    versions = list_versions(workspace) if taints else []
    bad = {each.fingerprint for taint in taints for each in taint.versions}
    found: list[Standing] = []
    for version in versions:
        times = [taint.time for taint in taints if _of(version, [taint])]
        if not times:
            continue
        later = [
            other
            for other in versions
            if other.name == version.name
            and other.created_at > max(times)
            and other.fingerprint not in bad
        ]
        found.append(
            Standing(
                version, _together(_of(version, taints)), min(times), later[0] if later else None
            )
        )
    return found


def _of(version: DatasetVersion, taints: Sequence[Taint]) -> list[TaintedVersion]:
    return [
        each
        for taint in taints
        for each in taint.versions
        if each.fingerprint == version.fingerprint
    ]


def _together(parts: Sequence[TaintedVersion]) -> TaintedVersion:
    return TaintedVersion(
        name=parts[0].name,
        fingerprint=parts[0].fingerprint,
        conversations=sum(part.conversations for part in parts),
        repositories=sorted({each for part in parts for each in part.repositories}),
        runs=sorted({each for part in parts for each in part.runs}),
        models=sorted({each for part in parts for each in part.models}),
        evaluations=sorted({each for part in parts for each in part.evaluations}),
    )


def taint_of(version: DatasetVersion, workspace: Workspace) -> str | None:
    """What is wrong with a version that holds erased conversations, in one line; None if nothing.

    Args:
        version: any, also one that lies elsewhere: the fingerprint counts.
        workspace: in which it was erased.
    """
    parts = _of(version, read_taints(workspace))
    if not parts:
        return None
    return (
        f"{version.name}@{version.fingerprint[:12]} holds {_together(parts).conversations:,} "
        "conversations that were erased"
    )


def refuse_tainted(version: DatasetVersion, workspace: Workspace) -> None:
    """Let no erased conversation leave the machine.

    Raises:
        TaintError: the version holds some.
    """
    if (taint := taint_of(version, workspace)) is not None:
        raise TaintError(taint, "build it again and use the new version")

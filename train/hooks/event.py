"""What happened, said without any text of a conversation: ids, counts, hashes and states.

Paths are relative to the workspace; of what lies elsewhere only the last part is named.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from dataset.manifest import DatasetVersion
from ingest.workspace import Workspace

if TYPE_CHECKING:
    from train.merge import MergeCertificate
    from train.record import RunRecord

Kind = Literal[
    "dataset.sealed",
    "dataset.pushed",
    "run.finished",
    "run.failed",
    "model.merged",
    "eval.finished",
    "ping",
]
Fact = str | int | float | bool | None | dict[str, int | float | None]

_ALWAYS = ("event_id", "kind")
_OF_RUN = ("run_id", "dataset", "fingerprint", "base_model", "path", "state")
PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "dataset.sealed": (*_ALWAYS, "dataset", "fingerprint", "path", "state"),
    "dataset.pushed": (*_ALWAYS, "dataset", "fingerprint", "repo", "commit", "state"),
    "run.finished": (*_ALWAYS, *_OF_RUN),
    "run.failed": (*_ALWAYS, *_OF_RUN, "failure"),
    "model.merged": (*_ALWAYS, "run_id", "model", "dataset", "fingerprint", "path", "state"),
    "eval.finished": (*_ALWAYS, "eval_id", "model", "dataset", "fingerprint", "path", "state"),
}
"""What stands for a value in a hook's command, by kind of event; a ping gives each as ``ping``."""


class Event(BaseModel):
    """One thing that happened. The same thing has the same id, however often it is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^evt_[0-9a-f]{32}$", description="hash over kind, time and data")
    kind: Kind = Field(description="what happened")
    at: datetime = Field(description="when, UTC")
    data: dict[str, Fact] = Field(description="ids, counts, hashes and states")
    chain: list[str] = Field(default=[], description="the hooks that led to it, the first first")
    hooks: list[str] | None = Field(
        default=None, description="those it is for; null where turnmill.toml could not be read"
    )

    def body(self) -> bytes:
        """The JSON document that receivers get; the same bytes at every try."""
        # a number beyond JSON's is null there
        return orjson.dumps(
            {"type": self.kind, "timestamp": self.at, "id": self.id, "data": self.data},
            option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z,
        )

    def placeholders(self) -> dict[str, str]:
        """Values for a hook's command, by name."""
        if self.kind == "ping":
            names = {name for each in PLACEHOLDERS.values() for name in each}
            return {**dict.fromkeys(names, "ping"), "event_id": self.id}
        plain = {name: str(value) for name, value in self.data.items()}
        return {**plain, "event_id": self.id, "kind": self.kind}


def make_event(kind: Kind, at: datetime, data: Mapping[str, Fact]) -> Event:
    """An event whose id follows from what it says.

    Args:
        kind: what happened.
        at: when; with the rest it makes the id, so it comes from the record and not from a clock.
        data: ids, counts, hashes and states.
    """
    said = orjson.dumps([kind, at, dict(data)], option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(said).hexdigest()
    return Event(id=f"evt_{digest[:32]}", kind=kind, at=at, data=dict(data))


def ping() -> Event:
    """An event that says nothing; no two are the same."""
    return make_event("ping", datetime.now(UTC), {"nonce": secrets.token_hex(8)})


def sealed(version: DatasetVersion, workspace: Workspace) -> Event:
    """A dataset version was sealed."""
    counts = version.splits
    data: dict[str, Fact] = {
        "dataset": version.name,
        "fingerprint": version.fingerprint,
        "parent": version.parent,
        "rows": version.spec.kind,
        "conversations": sum(each.conversations for each in counts.values()),
        "messages": sum(each.messages for each in counts.values()),
        "splits": {name: each.conversations for name, each in counts.items()},
        "path": shown_path(version.path, workspace),
        "state": "sealed",
    }
    return make_event("dataset.sealed", version.created_at, data)


def pushed(
    version: DatasetVersion, repo: str, commit: str, workspace: Workspace, *, private: bool
) -> Event:
    """A dataset version was published; the same commit is the same event."""
    data: dict[str, Fact] = {
        "dataset": version.name,
        "fingerprint": version.fingerprint,
        "repo": repo,
        "commit": commit,
        "path": shown_path(version.path, workspace),
        "state": "private" if private else "public",
    }
    return make_event("dataset.pushed", version.created_at, data)


def run_ended(record: "RunRecord", workspace: Workspace) -> Event:
    """A run succeeded or failed. An interruption is neither."""
    plan, last = record.plan, record.states[-1]
    data: dict[str, Fact] = {
        "run_id": record.run_id,
        "dataset": plan.dataset.name,
        "fingerprint": record.dataset_fingerprint,
        "base_model": shown_name(plan.base.model),
        "steps": plan.steps,
        "trained_tokens": plan.trained_tokens,
        "metrics": dict(record.metrics),
        "path": shown_path(workspace.runs / record.run_id, workspace),
        "state": record.state,
    }
    if record.state == "failed":
        # the class only: its message may name files and what is in them; run.json has it
        data["failure"] = record.failure.kind if record.failure else "unknown"
        return make_event("run.failed", last.at, data)
    return make_event("run.finished", last.at, data)


def merged(
    record: "RunRecord", folder: Path, certificate: "MergeCertificate", workspace: Workspace
) -> Event:
    """A run was merged into the model in ``folder``."""
    proof = certificate.comparison
    data: dict[str, Fact] = {
        "run_id": record.run_id,
        "model": shown_name(folder.name),
        "dataset": record.plan.dataset.name,
        "fingerprint": record.dataset_fingerprint,
        "proof": {"max_abs": proof.max_abs, "kl": proof.kl, "adapter_effect": proof.adapter_effect},
        "path": shown_path(folder, workspace),
        "state": certificate.verdict,
    }
    return make_event("model.merged", certificate.created_at, data)


def shown_path(path: Path, workspace: Workspace) -> str:
    """A path as events name it: relative to the workspace, or else its last part only."""
    whole, home = path.absolute(), workspace.home.absolute()
    if whole.is_relative_to(home):
        return _said(whole.relative_to(home).as_posix())
    return _said(whole.name)


def shown_name(model: str) -> str:
    """A Hub id as it is; of a folder its last part."""
    is_hub_id = model.count("/") <= 1 and not model.startswith("/") and not Path(model).exists()
    return _said(model if is_hub_id else Path(model).name)


def _said(name: str) -> str:
    """A file's name as JSON can say it, whatever bytes it is made of."""
    return name.encode("utf-8", "replace").decode()

"""What a run did: ``run.json``, rewritten whole at each change of state."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.errors import UserError
from ingest.files import read_json, write_json
from ingest.workspace import Workspace
from train.failures import KILLED
from train.plan import PLAN, TrainPlan
from train.processes import LOCK, ProcessId, lives, lock
from train.step_down import StepDown

RECORD = "run.json"
State = Literal["planned", "running", "interrupted", "failed", "succeeded"]


class RunError(UserError):
    """A run that is missing, ambiguous or damaged."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StateChange(_Value):
    """When a run entered a state."""

    state: State = Field(description="the state entered")
    at: datetime = Field(description="UTC")


class Failure(_Value):
    """Why a run failed, and what to do."""

    kind: str = Field(alias="class", description="see train.failures")
    message: str = Field(description="what is wrong and where, one line")
    advice: str = Field(description="what to do about it, one line")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class RunRecord(_Value):
    """What a run did, bound to all that decided it."""

    format: int = Field(default=1, description="layout of this file")
    run_id: str = Field(description="the run's name")
    plan: TrainPlan = Field(description="what was to be done")
    dataset_fingerprint: str = Field(description="the version trained on")
    template_sha256: str = Field(description="the chat template trained with")
    states: list[StateChange] = Field(description="in order")
    hardware: dict[str, str | int | float | None] = Field(default={}, description="the machine")
    packages: dict[str, str] = Field(default={}, description="versions")
    metrics: dict[str, float] = Field(default={}, description="steps, losses, tokens, seconds")
    artefacts: dict[str, str] = Field(default={}, description="sha256 by path in the run's folder")
    failure: Failure | None = Field(default=None, description="of the last attempt")
    process: ProcessId | None = Field(default=None, description="that did the last attempt")
    changes: list[StepDown] = Field(default=[], description="made because memory ran out")
    cost: float | None = Field(default=None, description="US dollars, where a launcher knows it")

    @property
    def state(self) -> State:
        """The last state entered."""
        return self.states[-1].state

    def entered(self, state: State, **changes: Any) -> "RunRecord":
        """This record in another state, with other fields changed too."""
        change = StateChange(state=state, at=datetime.now(UTC))
        return self.model_copy(update={"states": [*self.states, change], **changes})

    def write(self, run_dir: Path) -> "RunRecord":
        """Write ``run.json``, whole; returns the record."""
        write_json(run_dir / RECORD, self.model_dump(mode="json", by_alias=True))
        return self


def new_record(plan: TrainPlan) -> RunRecord:
    """The record of a run that was planned and not yet started."""
    return RunRecord(
        run_id=plan.run_id,
        plan=plan,
        dataset_fingerprint=plan.dataset.fingerprint,
        template_sha256=plan.base.template_sha256,
        states=[StateChange(state="planned", at=datetime.now(UTC))],
    )


def read_record(run_dir: Path) -> RunRecord:
    """The record in a run's folder.

    Raises:
        RunError: none, or one that does not parse.
    """
    file = run_dir / RECORD
    try:
        return RunRecord.model_validate(read_json(file))
    except FileNotFoundError:
        raise RunError(f"{run_dir}: holds no {RECORD}", "list runs with 'turnmill runs'") from None
    except ValueError as error:
        detail = str(error).splitlines()[0]
        raise RunError(f"{file}: {detail}", f"start again from its {PLAN}") from None


def settled_record(run_dir: Path) -> RunRecord:
    """The record in a run's folder; a run whose process is gone without a word has failed.

    Raises:
        RunError: none, or one that does not parse.
    """
    record = read_record(run_dir)
    if record.state != "running" or record.process is None or lives(record.process):
        return record
    # a lock is left only where the run was done on this machine
    if lives(record.process) is None and not (run_dir / LOCK).exists():
        return record
    with lock(run_dir) as held:
        # another process may have gone on with it meanwhile
        if held is None or read_record(run_dir) != record:
            return read_record(run_dir)
        failure = Failure(
            kind=KILLED,
            message=f"its process {record.process.pid} is gone, and so is the one that watched it",
            advice=f"turnmill train --resume {record.run_id} goes on from the last checkpoint",
        )
        return record.entered("failed", failure=failure).write(run_dir)


def list_runs(workspace: Workspace) -> list[RunRecord]:
    """All runs with a record, oldest first."""
    folders = sorted(file.parent for file in workspace.runs.glob(f"*/{RECORD}"))
    return [settled_record(folder) for folder in folders]


def open_run(ref: str, workspace: Workspace) -> RunRecord:
    """Find a run by id, by the beginning of its id, or as ``latest``.

    Raises:
        RunError: none or several fit.
    """
    names = sorted(file.parent.name for file in workspace.runs.glob(f"*/{RECORD}"))
    if ref == "latest":
        fitting = names[-1:]
    else:
        fitting = [ref] if ref in names else [name for name in names if name.startswith(ref)]
    if len(fitting) != 1:
        found = f"fits {len(fitting)} runs" if fitting else "no such run"
        raise RunError(f"{ref}: {found}", "list them with 'turnmill runs'")
    return settled_record(workspace.runs / fitting[0])

"""``python -m train.sft plan.json``: the one program that trains, here or on a rented machine.

The same command again goes on from the last whole checkpoint. Events go to stdout, one JSON
object per line, and to ``metrics.jsonl`` in the run's folder. Exit status: 0 done, 2 the user can
mend it, 130 interrupted, anything else a bug of ours.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

import orjson

from dataset.manifest import open_version
from ingest.errors import UserError
from ingest.files import sha256_file
from train.checkpoints import DiskError, Progress, latest, room_checked
from train.distributed import (
    World,
    end_with_parent,
    failure_told,
    forget_failures,
    gathered_weights,
    is_lost_peer,
    one_card,
    peer_failure,
    require_room,
    with_silent_row,
    world,
)
from train.plan import PlanError, TrainPlan, read_plan
from train.record import RECORD, Failure, RunRecord, State, new_record, read_record

METRICS = "metrics.jsonl"
ADAPTER = "adapter"
Emit = Callable[[dict[str, Any]], None]


class StopRequest:
    """Set by the first signal; the second one stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether somebody has asked to stop."""
        return self.requested

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM inside the block."""

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Run the plan named on the command line; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m train.sft PLAN.json\n")
        return 2
    # libraries may print: only events go to the real stdout
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    here = world()
    if here.size == 1:
        one_card(os.environ)
    else:
        end_with_parent()
    files = [out] if here.speaks else []
    try:
        plan = read_plan(Path(arguments[0]))
        with (plan.run_dir / METRICS).open("ab", buffering=0) as log:
            return _run_told(plan, _emitter(*files, *([log] if here.speaks else [])))
    except UserError as error:
        _emitter(*files)({"event": "error", "message": error.message, "hint": error.hint})
        return 2


def _emitter(*files: IO[bytes]) -> Emit:
    def emit(event: dict[str, Any]) -> None:
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        for file in files:
            file.write(line)

    return emit


def _run_told(plan: TrainPlan, emit: Emit) -> int:
    stop = StopRequest()
    with stop.on_signals():
        record = run(plan, emit, stop)
    if record.failure and record.state == "failed":
        told = {"message": record.failure.message, "hint": record.failure.advice}
        emit({"event": "error", "class": record.failure.kind, **told})
    else:
        emit({"event": record.state, "run": plan.run_id, "metrics": record.metrics})
    # torchrun ends all processes once one has not ended well: only the first may say "interrupted"
    interrupted = 130 if world().speaks else 0
    return {"succeeded": 0, "interrupted": interrupted}.get(record.state, 2)


def run(plan: TrainPlan, emit: Emit, stop: Callable[[], bool]) -> RunRecord:
    """Train as planned, from the last whole checkpoint if there is one.

    Where this is one of several processes, the first of them writes the record.

    Args:
        plan: lies as ``plan.json`` in its own ``run_dir``.
        emit: takes each event.
        stop: asked after each step; when true a checkpoint is written and the run ends.

    Returns:
        The record, as written: ``succeeded``, ``interrupted`` or ``failed``.
    """
    from train.device import find_device, hardware, packages

    folder, here = plan.run_dir, world()
    record = read_record(folder) if (folder / RECORD).exists() else new_record(plan)
    if record.state == "succeeded":
        return record
    device = find_device()
    record = record.entered("running", hardware=hardware(device), packages=packages(), failure=None)
    if here.speaks:
        forget_failures(folder)
        record.write(folder)
    try:
        require_room(plan, here.size)
        check_unchanged(plan, device.kind)
        with room_checked(folder):
            finished, metrics, artefacts = _trained(plan, emit, stop)
    except KeyboardInterrupt:
        if not here.speaks:
            raise
        return record.entered("interrupted").write(folder)
    except UserError as error:
        failure = Failure(kind=_kind(error), message=error.message, advice=error.hint)
        return _failed(record, failure, folder, here)
    except MemoryError:
        failure = Failure(kind="memory", message="out of memory", advice=_LESS_MEMORY)
        return _failed(record, failure, folder, here)
    except BaseException as error:
        if here.size > 1 and is_lost_peer(error):
            failed = record.entered("failed", failure=peer_failure(folder, plan.run_id))
            return failed.write(folder) if here.speaks else failed
        # a bug of ours: the record must not say "running" for ever
        failure = Failure(kind="bug", message=type(error).__name__, advice="see the traceback")
        _failed(record, failure, folder, here)
        raise
    state: State = "succeeded" if finished else "interrupted"
    record = record.entered(state, metrics=metrics, artefacts=artefacts)
    return record.write(folder) if here.speaks else record


def _failed(record: RunRecord, failure: Failure, folder: Path, here: World) -> RunRecord:
    """The record of a failed run, written; a process that does not write it leaves word."""
    failed = record.entered("failed", failure=failure)
    if here.speaks:
        return failed.write(folder)
    failure_told(folder, failure)
    return failed


_LESS_MEMORY = "halve micro_batch and double grad_accumulation, or set checkpointing = true"


def _kind(error: UserError) -> str:
    return (
        "disk"
        if isinstance(error, DiskError)
        else type(error).__name__.removesuffix("Error").lower()
    )


def check_unchanged(plan: TrainPlan, device: str) -> None:
    """Compare what the plan names with what is here.

    Raises:
        PlanError: another device, dataset version, rendered rows, base weights or chat template.
        VersionError: the version is missing or damaged.
    """
    from train.load import load_tokenizer, weights_sha256
    from train.render import template_sha256

    if device != plan.device.kind:
        raise PlanError(
            f"{plan.run_id}: planned for {plan.device.kind}, but this machine has {device}",
            "start a new run here",
        )
    version = open_version(plan.dataset.path)
    again = f"{plan.run_id}: planned with another"
    if version.fingerprint != plan.dataset.fingerprint:
        raise PlanError(f"{again} dataset version", "start a new run from its spec")
    version.verify()
    for counts in plan.splits.values():
        file = plan.run_dir / counts.file
        if not file.is_file() or sha256_file(file) != counts.sha256:
            raise PlanError(f"{file}: is not what was planned", "start a new run from its spec")
    if weights_sha256(plan.base.path) != plan.base.weights:
        raise PlanError(f"{again} base model", "put its files back, or start a new run")
    if template_sha256(load_tokenizer(str(plan.base.path))) != plan.base.template_sha256:
        raise PlanError(f"{again} chat template", "put it back, or start a new run")


def _trained(
    plan: TrainPlan, emit: Emit, stop: Callable[[], bool]
) -> tuple[bool, dict[str, float], dict[str, str]]:
    """Whether the run came to its end, its metrics, its artefacts."""
    import torch

    from train.load import load_model, load_tokenizer, quiet
    from train.trainer import build_trainer, load_rows

    found = latest(plan.run_dir / "checkpoints")
    resumed, progress = found if found else (None, Progress())
    emit({"event": "start", "run": plan.run_id, "steps": plan.steps, "from_step": progress.step})
    base = str(plan.base.path)
    dtype = "bfloat16" if plan.precision == "bf16" else "float32"
    quiet()
    trainer = build_trainer(
        plan,
        load_model(base, dtype=dtype),
        load_tokenizer(base),
        with_silent_row(load_rows(plan.run_dir / plan.splits["train"].file), world().size),
        emit=emit,
        progress=progress,
        stop=stop,
    )
    metrics: dict[str, float] = {}
    held_out = load_rows(plan.run_dir / plan.splits["validation"].file) if plan.eval else None
    if held_out is not None and resumed is None:
        # the adapter starts as nothing: this is the base model's loss
        metrics["eval_loss_before"] = _judged(trainer, held_out, 0, emit)
    try:
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    except torch.OutOfMemoryError:
        raise MemoryError from None
    done = trainer.progress
    metrics |= {**done._asdict(), "tokens_per_s": done.tokens / max(done.seconds, 1e-9)}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    metrics |= {"loss_first": losses[0], "loss_last": losses[-1]}
    if done.step < plan.steps:
        return False, metrics, {}
    if held_out is not None:
        metrics["eval_loss"] = _judged(trainer, held_out, done.step, emit)
    return True, metrics, _save_adapter(trainer, plan.run_dir)


def _judged(trainer: Any, held_out: Any, step: int, emit: Emit) -> float:
    loss, tokens = trainer.held_out_loss(held_out)
    emit({"event": "eval", "step": step, "loss": loss, "trained_tokens": tokens})
    return float(loss)


def _save_adapter(trainer: Any, run_dir: Path) -> dict[str, str]:
    weights = gathered_weights(trainer)
    if not world().speaks:
        return {}
    part, final = run_dir / f".{ADAPTER}.part", run_dir / ADAPTER
    shutil.rmtree(part, ignore_errors=True)
    trainer.model.save_pretrained(part, state_dict=weights)
    (part / "README.md").unlink(missing_ok=True)
    shutil.rmtree(final, ignore_errors=True)
    part.rename(final)
    return {f"{ADAPTER}/{file.name}": sha256_file(file) for file in sorted(final.iterdir())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

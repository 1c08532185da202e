"""``python -m train.sft plan.json``: the one program that trains, here or on a rented machine.

The same command again goes on from the last whole checkpoint. Events go to stdout, one JSON
object per line, and to ``metrics.jsonl`` in the run's folder. Exit status: 0 done, 2 the user can
mend it, 4 another process does this run, 130 interrupted, anything else a bug of ours.

Where memory runs out, the program replaces itself by a new one that needs less.
"""

import argparse
import contextlib
import faulthandler
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NoReturn

from ingest.errors import UserError
from train.checkpoints import BEST, Progress, latest, room_checked
from train.distributed import (
    World,
    end_with_parent,
    failure_told,
    forget_failures,
    is_lost_peer,
    one_card,
    peer_failure,
    require_room,
    visible_cards,
    with_silent_row,
    world,
)
from train.events import Events, StopRequest
from train.failures import BUG, LESS_MEMORY, OUT_OF_MEMORY, DataError, class_of
from train.failures import is_out_of_memory as says_out_of_memory
from train.guards import check_unchanged, others_on, require_disk, require_free_card
from train.plan import TrainPlan, read_plan
from train.processes import lock, this_process
from train.pulse import EVERY_S, Pulse
from train.record import RECORD, Failure, RunRecord, State, new_record, read_record
from train.step_down import Moment, StepDown, next_setup, setup_after, stepped

METRICS = "metrics.jsonl"
_BUSY = 4
# kept free so that a full disk can still be told of in the record
_RESERVE, _RESERVE_BYTES = ".reserve", 1 << 18
Emit = Callable[[dict[str, Any]], None]


def main(arguments: list[str]) -> int:
    """Run the plan named on the command line; returns the exit status."""
    asked = _arguments().parse_args(arguments)
    # libraries may print: only events go to the real stdout
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    # a launcher that hears nothing asks where every thread stands
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    here = world()
    if here.size == 1:
        one_card()
    else:
        end_with_parent()
    told = Events(*([out] if here.speaks else []))
    try:
        plan = read_plan(asked.plan)
        with _locked(plan, asked.lock) as held, room_checked(plan.run_dir):
            if held is None:
                told({"event": "busy", "run": plan.run_id})
                return _BUSY
            with (plan.run_dir / METRICS).open("ab", buffering=0) as log:
                if here.speaks:
                    told.files.append(log)
                status = _run_told(plan, told, asked.memory_limit)
            if status is not None:
                return status
            _start_again(asked, out, held)
    except UserError as error:
        wrong = {"class": class_of(error), "message": error.message, "hint": error.hint}
        Events(*told.files[:1])({"event": "error", **wrong})
        return 2


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m train.sft", description="Train as planned.")
    parser.add_argument("plan", type=Path, metavar="PLAN.json")
    parser.add_argument(
        "--memory-limit", type=float, metavar="GIB", help="what may be held of the device's memory"
    )
    # of the program that this one replaced
    parser.add_argument("--lock", type=int, help=argparse.SUPPRESS)
    return parser


@contextlib.contextmanager
def _locked(plan: TrainPlan, inherited: int | None) -> Iterator[int | None]:
    """The run's lock; of several processes the first holds it for all."""
    if not world().speaks:
        yield -1
        return
    with lock(plan.run_dir, inherited) as held:
        yield held


def _start_again(asked: argparse.Namespace, out: IO[bytes], held: int) -> NoReturn:
    """Become a new program of the same command: what the old one held of memory is free."""
    limit = [] if asked.memory_limit is None else ["--memory-limit", str(asked.memory_limit)]
    os.set_inheritable(held, True)
    os.dup2(out.fileno(), 1)
    words = ["-m", "train.sft", str(asked.plan), *limit, "--lock", str(held)]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - our own program


def _run_told(plan: TrainPlan, emit: Emit, memory_limit_gib: float | None) -> int | None:
    """The exit status; None where the run is to go on in a new program."""
    stop = StopRequest()
    with stop.on_signals():
        record = run(plan, emit, stop, memory_limit_gib)
    if record.state == "running":
        return None
    if record.failure and record.state == "failed":
        told = {"message": record.failure.message, "hint": record.failure.advice}
        emit({"event": "error", "class": record.failure.kind, **told})
    else:
        emit({"event": record.state, "run": plan.run_id, "metrics": record.metrics})
    # torchrun ends all processes once one has not ended well: only the first may say "interrupted"
    interrupted = 130 if world().speaks else 0
    return {"succeeded": 0, "interrupted": interrupted}.get(record.state, 2)


def run(
    plan: TrainPlan,
    emit: Emit,
    stop: Callable[[], bool],
    memory_limit_gib: float | None = None,
) -> RunRecord:
    """Train as planned, from the last whole checkpoint if there is one.

    Where this is one of several processes, the first of them writes the record.

    Args:
        plan: lies as ``plan.json`` in its own ``run_dir``.
        emit: takes each event.
        stop: asked after each step; when true a checkpoint is written and the run ends.
        memory_limit_gib: what may be held of the device's memory; left out: all of it.

    Returns:
        The record, as written: ``succeeded``, ``interrupted`` or ``failed``; ``running`` where
        memory ran out and the same call, best in a new process, goes on with less.
    """
    from train.device import find_device, hardware, packages

    folder, here = plan.run_dir, world()
    record = read_record(folder) if (folder / RECORD).exists() else new_record(plan)
    if record.state == "succeeded":
        return record
    # before this process holds memory of a card itself
    held = others_on(visible_cards()) if plan.device.kind == "cuda" and here.size == 1 else []
    device = find_device()
    about = {"hardware": hardware(device), "packages": packages(), "process": this_process()}
    record = record.entered("running", failure=None, **about)
    if here.speaks:
        forget_failures(folder)
        record.write(folder)
    at = Moment()
    pulse = Pulse(emit, min(EVERY_S, plan.stall_s / 4))
    try:
        require_room(plan, here.size)
        require_free_card(plan, held)
        check_unchanged(plan, device.kind)
        with room_checked(folder), _reserve(folder, here):
            now = stepped(plan, setup_after(plan, record.changes))
            finished, metrics, artefacts = _trained(now, plan, pulse, stop, at, memory_limit_gib)
    except KeyboardInterrupt:
        if not here.speaks:
            raise
        return record.entered("interrupted").write(folder)
    except UserError as error:
        failure = Failure(kind=class_of(error), message=error.message, advice=error.hint)
        return _failed(record, failure, folder, here)
    except BaseException as error:
        if says_out_of_memory(error):
            return _out_of_memory(record, at, error, here, pulse.emit)
        if here.size > 1 and is_lost_peer(error):
            failed = record.entered("failed", failure=peer_failure(folder, plan.run_id))
            return failed.write(folder) if here.speaks else failed
        # a bug of ours: the record must not say "running" for ever
        failure = Failure(kind=BUG, message=type(error).__name__, advice="see the traceback")
        _failed(record, failure, folder, here)
        raise
    state: State = "succeeded" if finished else "interrupted"
    record = record.entered(state, metrics=metrics, artefacts=artefacts)
    if here.speaks:
        record.write(folder)
        if finished:
            # delivered, but not before the record says so: until then a resumed run needs them
            shutil.rmtree(folder / BEST, ignore_errors=True)
    return record


def _failed(record: RunRecord, failure: Failure, folder: Path, here: World) -> RunRecord:
    """The record of a failed run, written; a process that does not write it leaves word."""
    failed = record.entered("failed", failure=failure)
    if here.speaks:
        return failed.write(folder)
    failure_told(folder, failure)
    return failed


@contextlib.contextmanager
def _reserve(folder: Path, here: World) -> Iterator[None]:
    """Keep some room free inside the block for the record of its failure."""
    reserve = folder / _RESERVE
    if here.speaks:
        reserve.write_bytes(bytes(_RESERVE_BYTES))
    try:
        yield
    finally:
        reserve.unlink(missing_ok=True)


def _out_of_memory(
    record: RunRecord, at: Moment, error: BaseException, here: World, emit: Emit
) -> RunRecord:
    """Step down, or fail where there is no rung left."""
    plan, reason = record.plan, (str(error).splitlines() or [type(error).__name__])[0]
    now = setup_after(plan, record.changes)
    # the others of several processes could not be told to begin anew
    after = next_setup(plan, now, at.longest, at.during) if here.size == 1 else None
    if after is None or not at.longest:
        message = f"out of memory in {at.during} with {now}"
        failure = Failure(kind=OUT_OF_MEMORY, message=message, advice=LESS_MEMORY)
        return _failed(record, failure, plan.run_dir, here)
    change = StepDown(
        at=datetime.now(UTC),
        step=at.step,
        during=at.during,
        reason=reason[:200],
        peak_gib=at.peak_gib,
        before=now,
        after=after,
    )
    emit({"event": "step_down", "step": at.step, "during": at.during, "peak_gib": at.peak_gib,
          "before": str(now), "after": str(after)})  # fmt: skip
    return record.model_copy(update={"changes": [*record.changes, change]}).write(plan.run_dir)


def _trained(
    plan: TrainPlan,
    written: TrainPlan,
    pulse: Pulse,
    stop: Callable[[], bool],
    at: Moment,
    memory_limit_gib: float | None,
) -> tuple[bool, dict[str, float], dict[str, str]]:
    """Whether the run came to its end, its metrics, its artefacts.

    Args:
        plan: as it is now done.
        written: as it was planned: the order of the rows is its.
        pulse: takes each event.
        stop: whether somebody has asked to stop.
        at: told what is being done.
        memory_limit_gib: of the device.
    """
    from train.adapter import attention_of, delivered_name, save_weights
    from train.burn_in import BurnIn, peak_gib
    from train.evals import Judge, is_ended
    from train.load import load_model, load_tokenizer, quiet
    from train.memory_bound import bounded

    load_rows, build_trainer = _trainer_of(plan)
    emit = pulse.emit
    found = latest(plan.run_dir / "checkpoints", lambda name: emit(_damaged(name)))
    resumed, progress = found if found else (None, Progress())
    emit({"event": "start", "run": plan.run_id, "steps": plan.steps, "from_step": progress.step})
    base = str(plan.base.path)
    dtype = "bfloat16" if plan.precision == "bf16" else "float32"
    quiet()
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    trainer = build_trainer(
        plan,
        load_model(base, dtype=dtype, quantization=plan.quantization, attention=attention_of(plan)),
        load_tokenizer(base),
        with_silent_row(_cut(rows, plan, written, emit), world().size),
        emit=emit,
        progress=progress,
        stop=stop,
    )
    trainer.pulse, trainer.order_micro_batch = pulse, written.micro_batch
    if plan.max_length < written.max_length:
        trainer.order_lengths = [len(ids) for ids in rows["input_ids"]]
    trainer.add_callback(BurnIn(trainer, at))
    require_disk(plan, trainer.model)
    at.longest = max(trainer.lengths_of(rows))
    metrics: dict[str, float] = {}
    held_out = load_rows(plan.run_dir / plan.splits["validation"].file) if plan.eval else None
    judge = Judge(trainer, held_out, at) if held_out is not None else None
    with bounded(memory_limit_gib, plan.device.kind, trainer.model):
        try:
            if judge and resumed is None:
                judge.before()
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
            finished = is_ended(plan, trainer.progress)
            if judge and finished:
                metrics |= judge.deliver()
        finally:
            at.step, at.peak_gib = trainer.progress.step, peak_gib(plan.device.kind)
    done = trainer.progress
    metrics |= {**done.metrics(), "tokens_per_s": done.tokens / max(done.seconds, 1e-9)}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    metrics |= {"loss_first": losses[0], "loss_last": losses[-1]}
    if not finished:
        return False, metrics, {}
    name = delivered_name(plan.method)
    written_files = save_weights(trainer, plan.run_dir / name)
    return True, metrics, {f"{name}/{file}": sha256 for file, sha256 in written_files.items()}


def _trainer_of(plan: TrainPlan) -> tuple[Callable[[Path], Any], Callable[..., Any]]:
    """What reads the rows of a plan's kind, and what trains on them."""
    if plan.kind == "preference":
        from train import preference_trainer

        return preference_trainer.load_rows, preference_trainer.build_trainer
    from train import trainer

    return trainer.load_rows, trainer.build_trainer


def _damaged(checkpoint: str) -> dict[str, Any]:
    return {"event": "checkpoint_damaged", "checkpoint": checkpoint}


def _cut(rows: Any, plan: TrainPlan, written: TrainPlan, emit: Emit) -> Any:
    """The rows, shorter where the run has stepped down to that."""
    if plan.max_length == written.max_length:
        return rows
    from train.shorten import shorten

    made = shorten(rows, plan.max_length)
    if not made.trained_tokens:
        raise DataError(
            f"{plan.run_id}: cut to {plan.max_length} tokens no row has anything to train",
            LESS_MEMORY,
        )
    emit({"event": "shortened", "max_length": plan.max_length, "rows_cut": made.rows_cut,
          "trained_tokens_lost": made.trained_tokens_lost})  # fmt: skip
    return made.rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

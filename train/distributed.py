"""One run on several processes of this machine: who speaks, who gets which rows, what is summed.

``torchrun`` starts the processes and accelerate averages their gradients; here is only what our
own part of a run must know of it. The rows of every optimiser step are those of a run on one
process: micro batches are dealt in turn, and where they do not come out even, a row without a
trained token takes the free place, which adds nothing to a loss that is a mean over tokens.
"""

import faulthandler
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ingest.errors import UserError
from ingest.files import read_json, write_json
from train.failures import KILLED
from train.plan import PLAN, TrainPlan
from train.record import Failure

_FAILURE = "failure-of-another-process.json"
# how long a process that fails waits for the first to say the same of itself, and the first for
# another to say why it went
_GRACE_S = 5.0
_PARENT_CHECKED_S = 1.0


class DistributedError(UserError):
    """A plan that cannot be run by so many processes here."""


class World(NamedTuple):
    """The processes of a run.

    Attributes:
        rank: which of them this is, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def speaks(self) -> bool:
        """Whether this is the one that writes the record, events, checkpoints and artefacts."""
        return self.rank == 0


def world() -> World:
    """What ``torchrun`` or ``accelerate launch`` said when it started this process."""
    # the protocol of those programs, not a setting of ours
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def visible_cards() -> str:
    """The cards that this process may see, as ``CUDA_VISIBLE_DEVICES`` has it."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0")


def torchrun_line(plan: TrainPlan, processes: int) -> list[str]:
    """The words that start a plan on several processes of one machine."""
    return [
        *("torchrun", "--standalone", f"--nproc_per_node={processes}"),
        *("-m", "train.sft", str(plan.run_dir / PLAN)),
    ]


def passes_each(plan: TrainPlan, size: int) -> int:
    """Forward passes of each process in an optimiser step: the effective batch stays the plan's.

    Raises:
        DistributedError: the passes of a step cannot be shared out evenly.
    """
    passes, left = divmod(plan.grad_accumulation, size)
    if left or not passes:
        raise DistributedError(
            f"{plan.run_id}: the {plan.grad_accumulation} passes of a step cannot be shared out"
            f" among {size} processes",
            f"plan it with processes = {size}, or take a number that divides"
            f" {plan.grad_accumulation}",
        )
    return passes


def require_room(plan: TrainPlan, size: int) -> None:
    """Refuse what several processes cannot do.

    Raises:
        DistributedError: the passes of a step do not divide; no card for each process; preference
            training, whose loss is a mean over batches.
    """
    if size == 1:
        return
    passes_each(plan, size)
    if plan.kind == "preference":
        raise DistributedError(
            f"{plan.run_id}: preference training runs on one process only",
            "its loss is a mean over pairs, and a free place would need a pair that counts nothing",
        )
    if plan.device.kind == "mps":
        raise DistributedError(
            f"{plan.run_id}: planned for an Apple GPU, of which there is one", "set processes = 1"
        )
    if plan.device.kind == "cuda":
        import torch

        cards = torch.cuda.device_count()
        if cards < size:
            raise DistributedError(
                f"{plan.run_id}: {size} processes, but {cards} cards are visible",
                f"start {cards}, or look at CUDA_VISIBLE_DEVICES",
            )


def one_card() -> None:
    """Let a process that is alone see one card only: the first of those it would see.

    With several, transformers would wrap the model in ``nn.DataParallel``. To be called before
    torch looks for cards.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    # an empty list means none, and so it stays
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


def dealt(order: Sequence[int], micro_batch: int, size: int) -> Iterator[int]:
    """Rows in an order that makes one whole micro batch for each process, again and again.

    Args:
        order: row numbers, from 0.
        micro_batch: rows per forward pass.
        size: how many processes there are.

    Yields:
        The same, then for each free place the number after the last row's: the silent row's.
    """
    yield from order
    if size > 1:
        yield from [len(order)] * (-len(order) % (micro_batch * size))


def with_silent_row(rows: Any, size: int) -> Any:
    """Rendered rows, and for several processes one more: one token that is never trained."""
    if size == 1:
        return rows
    import datasets as hf_datasets

    silent = {name: [[-100 if name == "labels" else 0]] for name in rows.column_names}
    return hf_datasets.concatenate_datasets(
        [rows, hf_datasets.Dataset.from_dict(silent, features=rows.features)]
    )


def summed(accelerator: Any, *values: float) -> list[float]:
    """Each value summed over all processes. All of them must ask.

    Args:
        accelerator: the trainer's.
        *values: numbers, exact up to 2**53.
    """
    if accelerator.num_processes == 1:
        return list(values)
    import torch

    own = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
    total: list[float] = accelerator.reduce(own, reduction="sum").tolist()
    return total


def gathered_weights(trainer: Any) -> dict[str, Any] | None:
    """All weights, gathered, where FSDP or DeepSpeed shard them; None where each process has them.

    All processes must ask; only the first gets them.
    """
    if trainer.accelerator.distributed_type.value not in {"FSDP", "DEEPSPEED"}:
        return None
    weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return weights


def failure_told(run_dir: Path, failure: Failure) -> None:
    """Leave word of why a process other than the first ends; the first writes the record."""
    write_json(run_dir / _FAILURE, failure.model_dump(by_alias=True))
    # torchrun ends all as soon as one has ended: the first must come to its last word
    time.sleep(_GRACE_S)


def failure_found(run_dir: Path, *, wait: bool) -> Failure | None:
    """What another process left word of.

    Args:
        run_dir: the run's folder.
        wait: whether it may still be about to.
    """
    until = time.monotonic() + (_GRACE_S if wait else 0)
    while not (run_dir / _FAILURE).exists():
        if time.monotonic() >= until:
            return None
        time.sleep(0.1)
    return Failure.model_validate(read_json(run_dir / _FAILURE))


def forget_failures(run_dir: Path) -> None:
    """Before an attempt: what an earlier one left word of counts no more."""
    (run_dir / _FAILURE).unlink(missing_ok=True)


def is_lost_peer(error: BaseException) -> bool:
    """Whether an error says that another process of the run is gone."""
    import torch.distributed

    if isinstance(error, torch.distributed.DistError):
        return True
    # gloo has no class of its own
    return isinstance(error, RuntimeError) and "gloo" in str(error).lower()


def peer_failure(run_dir: Path, run_id: str, *, wait: bool = True) -> Failure:
    """Why a run failed of which a process is gone: its own word, else that it was ended."""
    return failure_found(run_dir, wait=wait) or Failure(
        kind=KILLED,
        message=f"{run_id}: a process of the run was ended",
        advice="a process that ends without a word mostly ran out of memory; the same command"
        " goes on from the last checkpoint",
    )


def end_with_parent() -> None:
    """End this process when the program that started it is gone: no card stays taken."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECKED_S)
        faulthandler.dump_traceback(all_threads=True)
        # the main thread may wait for the others for ever
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()

"""The rows of an optimiser step: how many there are is the user's, how they are split is ours."""

from ingest.errors import SpecError
from train.spec import TrainSpec

BASELINE_MICRO_BATCH = 2
BASELINE_ROWS = 16


def split_batch(spec: TrainSpec, micro_batch: int = BASELINE_MICRO_BATCH) -> tuple[int, int]:
    """Micro batch and accumulation: the effective batch is the user's, the split is ours.

    Args:
        spec: what is asked.
        micro_batch: rows per forward pass where the spec leaves it open.

    Raises:
        SpecError: the numbers contradict each other, or the passes cannot be shared out among the
            processes.
    """
    split = _split(spec, micro_batch)
    if split[1] % spec.processes:
        raise SpecError(
            f"a step of {split[1]} passes cannot be shared out among processes = {spec.processes}",
            f"choose an effective_batch that micro_batch x {spec.processes} divides",
        )
    return split


def _split(spec: TrainSpec, micro_batch: int) -> tuple[int, int]:
    asked, processes = spec.effective_batch, spec.processes
    if spec.micro_batch and spec.grad_accumulation:
        made = spec.micro_batch * spec.grad_accumulation
        if asked not in {None, made}:
            raise SpecError(
                f"effective_batch = {asked}, but micro_batch x grad_accumulation is {made}",
                "leave one of the three out",
            )
        return spec.micro_batch, spec.grad_accumulation
    if asked is None:
        if spec.micro_batch:
            asked = spec.micro_batch * _up(max(1, BASELINE_ROWS // spec.micro_batch), processes)
        elif spec.grad_accumulation:
            asked = micro_batch * spec.grad_accumulation
        else:
            asked = _up(BASELINE_ROWS, processes)
    fixed = spec.micro_batch or spec.grad_accumulation
    if fixed and asked % fixed:
        name = "micro_batch" if spec.micro_batch else "grad_accumulation"
        raise SpecError(
            f"effective_batch = {asked} cannot be divided by {name} = {fixed}",
            f"choose a multiple of {fixed}",
        )
    if spec.micro_batch:
        return spec.micro_batch, asked // spec.micro_batch
    if spec.grad_accumulation:
        return asked // spec.grad_accumulation, spec.grad_accumulation
    # what does not divide is refused by the caller
    share = max(1, asked // processes)
    divisor = max(n for n in range(1, min(micro_batch, share) + 1) if share % n == 0)
    return divisor, asked // divisor


def _up(number: int, processes: int) -> int:
    """The next multiple of the number of processes."""
    return -(-number // processes) * processes

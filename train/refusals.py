"""What no trainer can run is refused when it is planned, not when it has been loaded."""

from dataset.manifest import DatasetVersion
from ingest.errors import SpecError
from train.batch import split_batch
from train.device import Device
from train.spec import DpoSpec, TrainSpec


def refuse_impossible(spec: TrainSpec, device: Device) -> None:
    """Refuse what no trainer can run, before anything is rendered.

    Raises:
        SpecError: bitsandbytes off CUDA; all weights trained while they are quantised; numbers of
            the batch that contradict each other; several processes on an Apple GPU.
    """
    asked = [
        f'{name} = "{value}"'
        for name, value in (("quantization", spec.quantization), ("optimiser", spec.optimiser))
        if value not in {"none", "auto", "adamw"}
    ]
    if asked and device.kind != "cuda":
        raise SpecError(
            f"{' and '.join(asked)}: bitsandbytes runs on CUDA only, not on {device.kind}",
            "leave it out, or plan for a card with 'turnmill plan --gpu NAME'",
        )
    if spec.method == "full" and spec.quantization not in {"none", "auto"}:
        raise SpecError(
            f'method = "full" with quantization = "{spec.quantization}": quantised weights cannot'
            " be trained themselves",
            'train an adapter (method = "lora"), or leave quantization out',
        )
    if spec.processes > 1 and device.kind == "mps":
        raise SpecError(
            f"processes = {spec.processes}: there is one Apple GPU", "leave processes out"
        )
    split_batch(spec)


def refuse_for_kind(spec: TrainSpec, version: DatasetVersion) -> None:
    """Refuse what makes no sense for conversations, or none for preference pairs.

    Raises:
        SpecError: a table ``dpo`` for conversations; for pairs, what needs a row of its own.
    """
    if version.spec.kind == "chat":
        # a table that only says what is so anyhow does no harm
        if spec.dpo != DpoSpec():
            raise SpecError(
                f"[dpo] is for preference pairs, and {version.ref} holds conversations",
                'leave the table out, or name a version of kind = "preference"',
            )
        return
    wrong = {
        'train_on = "all"': spec.train_on == "all",
        "packing = true": spec.packing is True,
        "allow_shorter = true": spec.allow_shorter,
        f"processes = {spec.processes}": spec.processes > 1,
    }
    asked = [name for name, is_asked in wrong.items() if is_asked]
    if asked:
        raise SpecError(
            f"{', '.join(asked)}: not with preference pairs, which {version.ref} holds",
            "leave it out: of a pair the answers are trained, each whole, on one process",
        )

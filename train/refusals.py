"""What no trainer can run is refused when it is planned, not when it has been loaded."""

from ingest.errors import SpecError
from train.batch import split_batch
from train.device import Device
from train.spec import TrainSpec


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

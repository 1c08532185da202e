"""What of a model is trained, what moves it, and how its weights are written: adapter or whole."""

import os
import shutil
from pathlib import Path
from typing import Any

from ingest.files import sha256_file
from train.plan import TrainPlan
from train.spec import Method, Optimiser

ADAPTER = "adapter"
MODEL = "model"

_OPTIMISERS: dict[Optimiser, str] = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}


def delivered_name(method: Method) -> str:
    """Folder, in the run's, of what a run makes: an adapter, or a whole model."""
    return ADAPTER if method == "lora" else MODEL


def lora_config(plan: TrainPlan) -> Any:
    """The adapter as peft takes it; None where all weights are trained."""
    from peft import LoraConfig

    if plan.method == "full":
        return None
    return LoraConfig(
        r=plan.lora.r,
        lora_alpha=plan.lora.alpha,
        lora_dropout=plan.lora.dropout,
        target_modules=plan.lora.targets,
        use_rslora=plan.lora.rslora,
        use_dora=plan.lora.dora,
        task_type="CAUSAL_LM",
    )


def optimiser_name(plan: TrainPlan) -> str:
    """The optimiser as transformers' Trainer names it.

    Raises:
        BaseError: it is one of bitsandbytes, which is missing here or has no CUDA device.
    """
    from train.load import require_bitsandbytes

    if plan.optimiser != "adamw":
        require_bitsandbytes(f'optimiser = "{plan.optimiser}"')
    return _OPTIMISERS[plan.optimiser]


def attention_of(plan: TrainPlan) -> str | None:
    """The attention a base model is loaded with; None: as transformers chooses, which is sdpa.

    Flash attention is told where rows laid end to end begin; sdpa keeps them apart by a mask.
    """
    from transformers.utils import is_flash_attn_2_available

    flash = plan.packing and plan.device.kind == "cuda" and plan.precision == "bf16"
    return "flash_attention_2" if flash and is_flash_attn_2_available() else None


def save_weights(trainer: Any, folder: Path) -> dict[str, str]:
    """Write what is trained as safetensors; the folder appears whole.

    Several processes must all ask; the first of them writes.

    Args:
        trainer: holds the model.
        folder: replaced if it exists.

    Returns:
        sha256 by file name; empty where another process writes.
    """
    from train.distributed import gathered_weights, world

    weights = gathered_weights(trainer)
    if not world().speaks:
        return {}
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    trainer.model.save_pretrained(part, state_dict=weights)
    if trainer.plan.method == "full":
        # a model folder is loaded by itself: with the tokenizer and template it was trained with
        trainer.processing_class.save_pretrained(part)
    (part / "README.md").unlink(missing_ok=True)
    digests = {}
    for file in sorted(part.iterdir()):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
        digests[file.name] = sha256_file(file)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return digests

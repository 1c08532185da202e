"""What a plan says to any of TRL's trainers."""

from typing import Any

from train.adapter import optimiser_name
from train.distributed import passes_each, world
from train.plan import TrainPlan
from train.trackers import others


def run_settings(plan: TrainPlan) -> dict[str, Any]:
    """Arguments of every trainer's configuration."""
    return {
        "output_dir": str(plan.run_dir / "checkpoints"),
        "max_steps": plan.steps,
        "per_device_train_batch_size": plan.micro_batch,
        "gradient_accumulation_steps": passes_each(plan, world().size),
        "optim": optimiser_name(plan),
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": plan.warmup_steps,
        # the name since transformers 5.20-odd; TRL still sets the old one by default
        "activation_checkpointing": plan.checkpointing,
        "gradient_checkpointing": None,
        "bf16": plan.precision == "bf16",
        "use_cpu": plan.device.kind == "cpu",
        # rows arrive as tokens, cut and masked by train.render
        "max_length": None,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": plan.save_every_steps,
        "eval_strategy": "no",
        "seed": plan.seed,
        "data_seed": plan.seed,
        # every weight that is trained is used in every pass, the silent row's too
        "ddp_find_unused_parameters": False,
        # TensorBoard is ours: into the run's folder, and appended to
        "report_to": others(plan.report_to) or "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": plan.device.kind == "cuda",
    }

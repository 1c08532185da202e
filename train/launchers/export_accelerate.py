"""A plan as configs of ``accelerate launch``: copies of the base, or shards of it.

DDP copies the base to each card: enough wherever the forecast fits one, as gradients of an adapter
are small. Beyond, FSDP2 or DeepSpeed ZeRO-3 shard the weights, ZeRO-2 gradients and optimiser only.
"""

from typing import Any, Literal

from train.launchers.export_yaml import yaml_text
from train.plan import TrainPlan

Sharding = Literal["ddp", "fsdp2", "zero2", "zero3"]
SHARDINGS: tuple[Sharding, ...] = ("ddp", "fsdp2", "zero2", "zero3")
_HEADS: dict[Sharding, str] = {
    "ddp": "Each process holds the base and trains a share of the rows of every step.",
    "fsdp2": "FSDP2: each process holds a part of all weights.",
    "zero2": "DeepSpeed ZeRO-2: each holds the base, and a part of gradients and optimiser.",
    "zero3": "DeepSpeed ZeRO-3: each process holds a part of all weights.",
}


def sharding(plan: TrainPlan) -> Sharding:
    """What the forecast asks for: copies where a step fits one card, else shards."""
    if plan.peak is None or plan.peak.fits is not False:
        return "ddp"
    memory, parts = plan.peak.memory_gib, plan.peak.parts_gib
    assert memory is not None
    needed = plan.peak.peak_gib * (1 + plan.peak.expected_error)
    spared = parts.get("gradients", 0.0) + parts.get("optimiser", 0.0)
    # ZeRO-2 exchanges less than ZeRO-3; it spares only where all weights are trained
    if needed - spared * (1 - 1 / plan.processes) <= memory:
        return "zero2"
    return "fsdp2"


def accelerate_configs(plan: TrainPlan) -> dict[Sharding, str]:
    """The text of each config file."""
    return {one: _config(plan, one) for one in SHARDINGS}


def _config(plan: TrainPlan, kind: Sharding) -> str:
    cpu = plan.device.kind == "cpu"
    several = {"ddp": "MULTI_CPU" if cpu else "MULTI_GPU", "fsdp2": "FSDP"}
    alone = plan.processes == 1 and kind == "ddp"
    values: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO" if alone else several.get(kind, "DEEPSPEED"),
        "num_machines": 1,
        "num_processes": plan.processes,
        "machine_rank": 0,
        "mixed_precision": "bf16" if plan.precision == "bf16" else "no",
        "use_cpu": cpu,
        "main_training_function": "main",
        "rdzv_backend": "static",
        "same_network": True,
        "downcast_bf16": "no",
    }
    if kind == "fsdp2":
        values["fsdp_config"] = _fsdp()
    elif kind != "ddp":
        values["deepspeed_config"] = _deepspeed(plan, stage=int(kind[-1]))
    return yaml_text(values, head="\n".join([_HEADS[kind], *_notes(plan, kind)]))


def _fsdp() -> dict[str, Any]:
    return {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_reshard_after_forward": True,
        "fsdp_cpu_ram_efficient_loading": True,
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        "fsdp_offload_params": False,
        # the trainer recomputes activations itself; both at once are refused
        "fsdp_activation_checkpointing": False,
    }


def _deepspeed(plan: TrainPlan, *, stage: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "zero_stage": stage,
        "gradient_accumulation_steps": plan.grad_accumulation // plan.processes,
        "gradient_clipping": 1.0,
        "offload_optimizer_device": "none",
        "offload_param_device": "none",
    }
    if stage == 3:
        # the adapter, and weights at the end, are gathered to be written
        made |= {"zero3_init_flag": plan.quantization is None, "zero3_save_16bit_model": True}
    return made


def _notes(plan: TrainPlan, kind: Sharding) -> list[str]:
    if kind in {"ddp", "zero2"}:
        return []
    if plan.quantization == "int8":
        return ["The plan's base is int8, which cannot be sharded: take nf4 or none."]
    if plan.quantization == "nf4":
        return [
            "The base is nf4: it is sharded only where its bytes are stored as the type that is",
            "computed in (BitsAndBytesConfig's bnb_4bit_quant_storage = bfloat16).",
        ]
    return []

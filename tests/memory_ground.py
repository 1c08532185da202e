"""Model shapes from public configurations, and real training steps whose memory is counted."""

import gc
import itertools
from pathlib import Path

LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0, "tie_word_embeddings": False,
}  # fmt: skip
QWEN3_8B = {
    "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
    "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
    "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 40960,
    "tie_word_embeddings": False,
}  # fmt: skip
GEMMA3_4B = {
    "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
    "num_hidden_layers": 34, "num_attention_heads": 8, "num_key_value_heads": 4,
    "head_dim": 256, "vocab_size": 262208, "max_position_embeddings": 131072,
    "sliding_window": 1024, "tie_word_embeddings": True,
}  # fmt: skip
TINYLLAMA = {
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
    "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4,
    "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip

_SMALL = {
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 6,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 16, "vocab_size": 2048,
    "max_position_embeddings": 2048,
}  # fmt: skip
SMALL = {
    "llama": {**_SMALL, "model_type": "llama", "tie_word_embeddings": True},
    "qwen3": {**_SMALL, "model_type": "qwen3", "tie_word_embeddings": False},
    "gemma3": {
        **_SMALL, "model_type": "gemma3_text", "tie_word_embeddings": True, "sliding_window": 64,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    },
}  # fmt: skip


def real_model(config, setup):
    import torch
    from transformers import AutoModelForCausalLM

    from train.memory_model import model_config

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dtype = torch.bfloat16 if setup.precision == "bf16" else torch.float32
    return AutoModelForCausalLM.from_config(model_config(config), dtype=dtype)


def trainer_bytes(config, setup, folder: Path) -> int:
    """Peak of live tensors over two steps of the run's own trainer, on the CPU."""
    import datasets
    from torch.utils.data import SequentialSampler
    from train_ground import tiny_tokenizer

    from train.checkpoints import Progress
    from train.device import Device
    from train.load import quiet
    from train.memory_count import LiveBytes
    from train.plan import TrainPlan
    from train.trainer import build_trainer

    quiet()
    rows, length = setup.micro_batch, setup.max_length
    batch = [length, *[length - setup.has_padding] * (rows - 1)]
    ids = [[5] * n for n in batch * 4]
    data = datasets.Dataset.from_dict({"input_ids": ids, "labels": ids})
    plan = TrainPlan.model_construct(
        run_id="r", run_dir=folder, lora=setup.lora, device=Device(kind="cpu", name="x"),
        precision=setup.precision, checkpointing=setup.checkpointing, micro_batch=rows,
        grad_accumulation=2, max_length=length, learning_rate=1e-4, warmup_steps=0, steps=2,
        save_every_steps=9, keep_checkpoints=1, seed=0, tokens=1,
    )  # fmt: skip
    trainer = build_trainer(
        plan, real_model(config, setup), tiny_tokenizer(), data,
        emit=lambda event: None, progress=Progress(), stop=lambda: False,
    )  # fmt: skip
    trainer.args.save_strategy = "no"
    # every batch is the worst one
    trainer._get_train_sampler = lambda dataset=None: SequentialSampler(data)
    counter = LiveBytes()
    for tensor in itertools.chain(trainer.model.parameters(), trainer.model.buffers()):
        counter.add(tensor, "weights")
    with counter:
        trainer.train()
    gc.collect()
    return max(peak.total for peak in counter.peaks.values())


def allocator_bytes(config, setup) -> int:
    """Peak of torch's own CPU allocator over a step, by torch.profiler, plus the weights.

    Sees what a dispatch mode cannot: what kernels allocate inside themselves.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    from train.memory_count import LiveBytes
    from train.memory_trace import StepTrace, fused_head

    lora = LoraConfig(
        r=setup.lora.r, lora_alpha=setup.lora.alpha, lora_dropout=setup.lora.dropout,
        target_modules="all-linear", task_type="CAUSAL_LM",
    )  # fmt: skip
    model = get_peft_model(real_model(config, setup), lora)
    if setup.checkpointing:
        model.activation_checkpointing_enable()
        model.enable_input_require_grads()
    model.train()
    step = StepTrace(model, setup, LiveBytes())
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        optimiser = step.optimiser()
        ids, labels, mask = step.batch()
        with fused_head(step.base):
            step.loss(ids, labels, mask).backward()
        torch.nn.utils.clip_grad_norm_(step.trained, 1.0)
        optimiser.step()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    moving = max(itertools.accumulate(event.nbytes() for event in events))
    storages = {p.untyped_storage()._cdata: p.untyped_storage() for p in model.parameters()}
    return moving + sum(storage.nbytes() for storage in storages.values())

"""A small sealed version and a tiny base model, for the tests of ``train``."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.manifest import MANIFEST, DatasetSpec, DatasetVersion, FileInfo, SplitCounts
from dataset.rows import ROW_SCHEMA, row_hash
from ingest.files import sha256_file, write_json
from ingest.workspace import Workspace
from train.base_model import make_tokenizer
from train.spec import LoraSpec, TrainSpec

WORDS = [
    *("the", "parcel", "order", "was", "sent", "on", "monday"),
    *("please", "wait", "thanks", "refund", "invoice", "late", "open"),
]


def talk(n, turns=1):
    """A conversation of invented words; different for each ``n``."""
    messages = []
    for turn in range(turns):
        at = n * 7 + turn * 3
        ask = " ".join(WORDS[(at + i) % len(WORDS)] for i in range(2 + at % 5))
        answer = " ".join(WORDS[(at * 2 + i) % len(WORDS)] for i in range(1 + at % 9))
        messages += [message("user", ask), message("assistant", answer + " Ω")]
    return messages


def message(role, content, **more):
    return {
        "role": role, "content": content, "name": None, "reasoning": None, "tool_calls": None,
        "tool_call_id": None, "train": None, **more,
    }  # fmt: skip


def row(n, messages):
    return {
        "id": f"c{n}", "importer": "openai", "title": None, "created_at": None,
        "participants": [], "tools": None, "messages": messages, "content_hash": f"{n:064x}",
    }  # fmt: skip


def seal_version(workspace: Workspace, splits, name="support") -> DatasetVersion:
    rows = {split: [row(n, one) for n, one in enumerate(talks)] for split, talks in splits.items()}
    digest = row_hash(rows)
    folder = workspace.datasets / name / digest
    (folder / "data").mkdir(parents=True)
    files, counts = {}, {}
    for split, some in rows.items():
        file = folder / "data" / f"{split}-00000.parquet"
        pq.write_table(pa.Table.from_pylist(some, ROW_SCHEMA), file)
        files[f"data/{file.name}"] = FileInfo(sha256=sha256_file(file), bytes=file.stat().st_size)
        total = sum(len(one["messages"]) for one in some)
        counts[split] = SplitCounts(
            conversations=len(some), messages=total, assistant_messages=total // 2
        )
    version = DatasetVersion(
        path=folder, name=name, fingerprint=digest, created_at=datetime.now(UTC),
        spec=DatasetSpec(name=name), splits=counts, steps=[], sources=[], files=files,
        code_version="0",
    )  # fmt: skip
    write_json(folder / MANIFEST, version.model_dump(mode="json", by_alias=True))
    return version


def small_version(workspace: Workspace) -> DatasetVersion:
    train = [talk(n, 1 + n % 3) for n in range(22)]
    return seal_version(workspace, {"train": train, "validation": [talk(n) for n in range(50, 55)]})


def tiny_tokenizer():
    return make_tokenizer([" ".join(WORDS)] * 3, vocab_size=320)


def tiny_base(folder: Path, *, seed=0) -> Path:
    """About 20,000 parameters, random."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
            bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=True,
        )
    )  # fmt: skip
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def small_spec(base: Path, **more) -> TrainSpec:
    asked = {
        "dataset": "support@latest", "base_model": str(base), "lora": LoraSpec(r=4, alpha=8),
        "learning_rate": 5e-3, "epochs": 2.0, "grad_accumulation": 2, "save_every_steps": 4,
        "max_length": 256,
    }  # fmt: skip
    return TrainSpec.model_validate({**asked, **more})


def never():
    return False


def stop_after(step):
    """Asks to stop once ``step`` checks were made."""
    checks = iter(range(1, 1000))
    return lambda: next(checks) >= step


def trained(plan, stop=never):
    """The record of a run in this process, and its events."""
    from train.sft import run

    events = []
    record = run(plan, events.append, stop)
    return record, events


def plain_loss(model, rows):
    """Mean negative log-likelihood (nats) over the labelled tokens, one row at a time."""
    import torch

    total, count = 0.0, 0
    for row in rows:
        with torch.no_grad():
            logits = model(torch.tensor(row["input_ids"])[None]).logits[0]
        for at, label in enumerate(row["labels"]):
            if label != -100:
                total -= torch.log_softmax(logits[at - 1], -1)[label].item()
                count += 1
    return total / count

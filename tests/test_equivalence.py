"""How the rows of a step are split into passes, padded or laid end to end, changes nothing."""

import pytest
import torch
from safetensors.torch import load_file
from train_ground import seal_version, small_spec, talk, tiny_base

from ingest.workspace import Workspace
from train.adapter import lora_config
from train.checkpoints import Progress
from train.load import load_model, load_tokenizer
from train.run import prepare_run
from train.sft import run
from train.spec import LoraSpec
from train.trainer import build_trainer, load_rows

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

SPLITS = [(4, 1), (2, 2), (1, 4)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A workspace whose rows are of unequal length, with unequal numbers of trained tokens."""
    workspace = Workspace(tmp_path_factory.mktemp("home")).create()
    # 21 rows: the last step of an epoch has one row, the last pass of it is short
    train = [talk(n, 1 + n % 4) for n in range(21)]
    seal_version(workspace, {"train": train, "validation": [talk(n) for n in range(50, 53)]})
    return workspace, tiny_base(tmp_path_factory.mktemp("base"))


def planned(ground, run_id, **more):
    workspace, base = ground
    spec = small_spec(
        base, **{"lora": LoraSpec(r=4, alpha=8, dropout=0), "epochs": 2.0, "eval": False,
                 "micro_batch": 4, "grad_accumulation": 1, "report_to": [], **more}
    )  # fmt: skip
    return prepare_run(spec, workspace, run_id=run_id)


def curve(plan, micro_batch, grad_accumulation):
    """Losses by step, and the adapter, of a plan whose steps are split another way."""
    split = {"micro_batch": micro_batch, "grad_accumulation": grad_accumulation}
    told = []
    base = str(plan.base.path)
    trainer = build_trainer(
        plan.model_copy(update=split),
        load_model(base),
        load_tokenizer(base),
        load_rows(plan.run_dir / plan.splits["train"].file),
        emit=told.append,
        progress=Progress(),
        stop=lambda: False,
    )
    # the order stays the plan's, as when a run steps down
    trainer.order_micro_batch = plan.micro_batch
    trainer.train()
    weights = {name: p.detach().clone() for name, p in trainer.model.named_parameters()
               if p.requires_grad}  # fmt: skip
    return [event for event in told if event["event"] == "step"], weights


@pytest.fixture(scope="module")
def curves(ground):
    made = {}
    for packing in (False, True):
        plan = planned(ground, f"packing-{packing}", packing=packing)
        assert plan.packing is packing
        for split in SPLITS:
            made[packing, split] = curve(plan, *split)
    return made


OTHERS = [(packing, split) for packing in (False, True) for split in SPLITS][1:]


@pytest.mark.parametrize("other", OTHERS)
def test_the_loss_curve_is_the_same(curves, other):
    one, _ = curves[False, (4, 1)]
    two, _ = curves[other]
    assert len(one) == 12
    assert [event["loss"] for event in two] == pytest.approx(
        [event["loss"] for event in one], rel=1e-5
    )
    assert [event["grad_norm"] for event in two] == pytest.approx(
        [event["grad_norm"] for event in one], rel=1e-3
    )


@pytest.mark.parametrize("other", OTHERS)
def test_the_counts_are_the_same(curves, other):
    counts = ("tokens", "trained_tokens", "step")
    one, two = ([[event[name] for name in counts] for event in events]
                for events in (curves[False, (4, 1)][0], curves[other][0]))  # fmt: skip
    assert one == two


@pytest.mark.parametrize("other", OTHERS)
def test_the_weights_are_the_same_within_rounding(curves, other):
    _, one = curves[False, (4, 1)]
    _, two = curves[other]
    moved = max(weight.abs().max() for weight in one.values())
    for name, weight in one.items():
        assert torch.allclose(weight, two[name], rtol=0, atol=2e-3 * moved.item()), name


def logits_by_row(trainer, rows):
    """Logits of each row out of one batch laid end to end."""
    batch = trainer.data_collator(rows)
    assert batch["input_ids"].shape[0] == 1
    assert "attention_mask" not in batch
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        logits = trainer.model(**inputs, use_cache=False).logits[0]
    return torch.split(logits, [len(row["input_ids"]) for row in rows])


@pytest.fixture(scope="module")
def packed(ground):
    plan = planned(ground, "packed", packing=True)
    base = str(plan.base.path)
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    trainer = build_trainer(
        plan,
        load_model(base),
        load_tokenizer(base),
        rows,
        emit=lambda _: None,
        progress=Progress(),
        stop=lambda: False,
    )
    trainer.model.eval()
    return trainer, [rows[n] for n in range(3)]


def test_rows_end_to_end_do_not_see_each_other(packed):
    trainer, rows = packed
    before = logits_by_row(trainer, rows)
    changed = [7 if at else first for at, first in enumerate(rows[1]["input_ids"])]
    after = logits_by_row(trainer, [rows[0], {**rows[1], "input_ids": changed}, rows[2]])
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[1], after[1])


def test_rows_end_to_end_give_the_logits_they_give_alone(packed):
    trainer, rows = packed
    for row, logits in zip(rows, logits_by_row(trainer, rows), strict=True):
        with torch.no_grad():
            alone = trainer.model(torch.tensor([row["input_ids"]])).logits[0]
        assert torch.allclose(logits, alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["rslora", "dora"])
def test_the_kinds_of_adapter_are_peft_s(ground, kind):
    asked = LoraSpec(r=4, alpha=8, dropout=0, **{kind: True})
    plan = planned(ground, kind, lora=asked, max_steps=2, save_every_steps=2)
    assert getattr(lora_config(plan), f"use_{kind}")
    record = run(plan, lambda _: None, lambda: False)
    assert record.state == "succeeded"
    names = load_file(plan.run_dir / "adapter" / "adapter_model.safetensors")
    assert any("lora_magnitude_vector" in name for name in names) is (kind == "dora")

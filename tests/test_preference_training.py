"""Training on preference pairs: exact rows, exact log-probabilities, exact resume."""

import gc
import itertools
import json
import math

import datasets
import pytest
import torch
from memory_ground import SMALL, real_model
from preference_ground import obvious, pair, pair_spec, said, seal_pairs, small_pairs
from train_ground import (
    never,
    small_spec,
    small_version,
    stop_after,
    tiny_base,
    tiny_tokenizer,
    trained,
)
from typer.testing import CliRunner

from ingest.errors import SpecError
from serve.cli import app
from train.checkpoints import Progress
from train.device import Device
from train.load import load_model, load_tokenizer, quiet
from train.memory import read_config
from train.memory_count import LiveBytes
from train.memory_setup import StepSetup
from train.merge import merge_run
from train.order import step_rows
from train.peak import forecaster, pair_forecaster
from train.plan import TrainPlan
from train.policy import Policy
from train.preference_rendered import TOO_LONG
from train.preference_rows import APART, PROMPT, SAME, UNTRAINED, pair_rows
from train.preference_trainer import build_trainer, load_rows
from train.render import RenderError, prompt, render
from train.run import prepare_run
from train.sequences import first_sequences, sequence_lengths
from train.spec import LoraSpec

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]
TOKENIZER = tiny_tokenizer()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def plan(workspace, base):
    small_pairs(workspace)
    return prepare_run(pair_spec(base), workspace, run_id="r1")


def steps(events):
    return [event for event in events if event["event"] == "step"]


def chat(*messages):
    return [{"role": role, "content": content} for role, content in messages]


def rows_of(prompt_, chosen, rejected, tokenizer=TOKENIZER, **policy):
    asked = {"prompt": prompt_, "chosen": chosen, "rejected": rejected, "tools": None}
    return pair_rows([asked], tokenizer, Policy(**policy))[0]


def refusal(made):
    assert isinstance(made, RenderError)
    return made.message


def with_template(template):
    other = tiny_tokenizer()
    other.chat_template = template
    return other


# thoughts are shown in the last turn only, as reasoning models' templates do
THOUGHTS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.reasoning_content and loop.last %}<t>{{ m.reasoning_content }}</t>{% endif %}"
    "{{ m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# -- rows -----------------------------------------------------------------------------------------


def test_an_answer_is_what_the_model_emits_after_the_generation_prompt():
    before = chat(("user", "parcel"), ("assistant", "wait"), ("user", "late"))
    row = rows_of(before, chat(("assistant", "thanks")), chat(("assistant", "open monday")))
    served = prompt(before, TOKENIZER)
    for answer, text in ((row.chosen, "thanks"), (row.rejected, "open monday")):
        assert answer.prompt == served
        assert TOKENIZER.decode(answer.ids) == f"{text}<|im_end|>"
        assert answer.loss_mask == [1] * len(answer.ids)
    assert row.tokens == 2 * len(served) + len(row.chosen.ids) + len(row.rejected.ids)
    assert row.longest == len(served) + len(row.rejected.ids)


def test_questions_inside_an_answer_are_not_trained():
    long = chat(("assistant", "wait"), ("user", "late"), ("assistant", "thanks"))
    row = rows_of(chat(("user", "parcel")), long, chat(("assistant", "refund")))
    whole = render([*chat(("user", "parcel")), *long], TOKENIZER)
    assert (
        whole.ids[: len(row.chosen.prompt + row.chosen.ids)] == row.chosen.prompt + row.chosen.ids
    )
    assert row.chosen.loss_mask == whole.loss_mask[len(row.chosen.prompt) :][: len(row.chosen.ids)]
    last = rows_of(chat(("user", "parcel")), long, chat(("assistant", "refund")), train_on="last")
    assert TOKENIZER.decode(last.chosen.said()) == "thanks<|im_end|>"


def test_answers_that_are_the_same_are_left_out():
    same = chat(("assistant", "thanks"))
    assert refusal(rows_of(chat(("user", "parcel")), same, same)) == SAME
    thought = [{"role": "assistant", "content": "thanks", "reasoning_content": "late"}]
    shown = with_template(THOUGHTS)
    assert not isinstance(rows_of(chat(("user", "parcel")), thought, same, shown), RenderError)
    # thoughts that are not trained tell nothing apart
    untold = rows_of(chat(("user", "parcel")), thought, same, shown, train_reasoning=False)
    assert refusal(untold) == SAME


def test_a_prompt_that_an_answer_changes_is_left_out():
    turned = with_template(THOUGHTS.replace("{% for", "{{ messages | length }}{% for", 1))
    long = chat(("assistant", "wait"), ("user", "late"), ("assistant", "thanks"))
    made = rows_of(chat(("user", "parcel")), long, chat(("assistant", "refund")), turned)
    assert refusal(made) in {PROMPT, APART}


def test_an_answer_whose_turns_need_rows_of_their_own_is_left_out():
    long = [
        {"role": "assistant", "content": "wait", "reasoning_content": "open"},
        *chat(("user", "late"), ("assistant", "thanks")),
    ]
    made = rows_of(
        chat(("user", "parcel")), long, chat(("assistant", "refund")), with_template(THOUGHTS)
    )
    assert refusal(made) == APART


def test_an_answer_without_a_trained_token_is_left_out():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}
    called = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    calls = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
        "{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}"
        "{{ '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    shown = with_template(calls)
    answer = chat(("assistant", "refund"))
    assert not isinstance(rows_of(chat(("user", "late")), called, answer, shown), RenderError)
    made = rows_of(chat(("user", "late")), called, answer, shown, train_tool_calls=False)
    assert refusal(made) == UNTRAINED


def test_a_plan_counts_pairs_and_what_it_leaves_out(workspace, base):
    long = pair(
        90, [said("user", "parcel " * 90)], [said("assistant", "wait")], [said("assistant", "open")]
    )
    same = pair(91, [said("user", "late")], *[[said("assistant", "wait")]] * 2)
    seal_pairs(workspace, {"train": [obvious(0), long, same, obvious(1)], "validation": []})
    made = prepare_run(pair_spec(base, max_length=64, epochs=1), workspace, run_id="r1")
    counts = made.splits["train"]
    assert (made.kind, made.rows, made.eval) == ("preference", 2, False)
    assert counts.refused == {TOO_LONG: 1, SAME: 1}
    kept = load_rows(made.run_dir / counts.file)
    sides = [("chosen_ids", "chosen_mask"), ("rejected_ids", "rejected_mask")]
    sizes = [len(row["prompt_ids"]) + len(row[ids]) for row in kept for ids, _ in sides]
    assert sequence_lengths(made.run_dir / counts.file) == sizes
    assert [len(one) for one in first_sequences(made.run_dir / counts.file, 3)] == sizes[:3]
    assert counts.tokens == made.tokens == sum(sizes)
    assert made.trained_tokens == sum(sum(row[mask]) for row in kept for _, mask in sides)
    cut = next(one for one in made.lengths if one.max_length == 64)
    assert (cut.rows_cut, cut.tokens_beyond) == (1, counts.tokens_lost)


@pytest.mark.parametrize(
    "wrong",
    [{"train_on": "all"}, {"packing": True}, {"allow_shorter": True}, {"processes": 2}],
)
def test_what_makes_no_sense_for_pairs_is_refused(workspace, base, wrong):
    small_pairs(workspace)
    with pytest.raises(SpecError, match=next(iter(wrong))):
        prepare_run(pair_spec(base, **wrong), workspace, run_id="r1")


def test_a_table_for_preferences_is_refused_for_conversations(workspace, base):
    small_version(workspace)
    with pytest.raises(SpecError, match="holds conversations"):
        prepare_run(small_spec(base, dpo={"beta": 0.2}), workspace, run_id="r1")


def test_the_rate_left_out_is_that_of_preferences(workspace, base):
    small_pairs(workspace)
    spec = pair_spec(base)
    left_out = spec.model_copy(update={"learning_rate": 2e-4})
    left_out.model_fields_set.discard("learning_rate")
    made = prepare_run(left_out, workspace, run_id="r1")
    assert made.learning_rate == 5e-6
    assert any("learning rate" in one for one in made.decisions)


def test_the_forecast_counts_both_answers_and_trusts_itself_less(workspace, base):
    small_pairs(workspace)
    peak = prepare_run(pair_spec(base, micro_batch=3), workspace, run_id="r1").peak
    longest = max(sequence_lengths(workspace.runs / "r1" / "rendered" / "train.parquet"))
    setup = StepSetup(
        lora=pair_spec(base).lora, micro_batch=6, max_length=longest, precision="fp32",
        device="cpu", checkpointing=False,
    )  # fmt: skip
    rows = forecaster(read_config(base))(setup)
    assert peak.peak_gib == pytest.approx(rows.peak_gib)
    assert peak.expected_error > rows.expected_error
    assert "both answers" in peak.basis


def test_the_forecast_is_that_of_the_live_trainer_where_every_token_counts(tmp_path):
    config = {**SMALL["llama"], "num_hidden_layers": 2}
    setup = StepSetup(
        micro_batch=2, max_length=96, precision="fp32", checkpointing=False, device="cpu",
        lora=LoraSpec(r=4, dropout=0.0),
    )  # fmt: skip
    made = pair_forecaster(config)(setup)
    assert live_bytes(config, setup, tmp_path) == pytest.approx(made.tensor_bytes, rel=0.02)


def live_bytes(config, setup, folder):
    """Peak of live tensors over two steps of the run's own trainer, on the CPU."""
    pairs, answer = 4 * setup.micro_batch, setup.max_length - 1
    data = datasets.Dataset.from_dict(
        {
            "id": [str(n) for n in range(pairs)], "prompt_ids": [[5]] * pairs,
            "chosen_ids": [[5] * answer] * pairs, "chosen_mask": [[1] * answer] * pairs,
            "rejected_ids": [[6] * (answer - 1)] * pairs,
            "rejected_mask": [[1] * (answer - 1)] * pairs,
        }
    )  # fmt: skip
    plan = TrainPlan.model_construct(
        run_id="r", run_dir=folder, kind="preference", lora=setup.lora, eval=False, rows=pairs,
        device=Device(kind="cpu", name="x"), precision="fp32", checkpointing=False, tokens=1,
        micro_batch=setup.micro_batch, grad_accumulation=2, max_length=setup.max_length, seed=0,
        learning_rate=1e-4, warmup_steps=0, steps=2, save_every_steps=9, keep_checkpoints=1,
    )  # fmt: skip
    quiet()
    trainer = build_trainer(
        plan, real_model(config, setup), tiny_tokenizer(), data,
        emit=lambda _: None, progress=Progress(), stop=never,
    )  # fmt: skip
    trainer.args.save_strategy = "no"
    counter = LiveBytes()
    for tensor in itertools.chain(trainer.model.parameters(), trainer.model.buffers()):
        counter.add(tensor, "weights")
    with counter:
        trainer.train()
    gc.collect()
    return max(peak.total for peak in counter.peaks.values())


# -- the loss -------------------------------------------------------------------------------------


def plain_logps(model, row):
    """Sums of log-softmax over what counts, of both answers; no padding, no batch."""
    sums = []
    for side in ("chosen", "rejected"):
        ids = torch.tensor([*row["prompt_ids"], *row[f"{side}_ids"]])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0].double()
        total, start = 0.0, len(row["prompt_ids"])
        for at, one in enumerate(row[f"{side}_mask"]):
            if one:
                token = ids[start + at]
                total += torch.log_softmax(logits[start + at - 1], -1)[token].item()
        sums.append(total)
    return sums


def built(plan, base, **plan_changes):
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    trainer = build_trainer(
        plan.model_copy(update=plan_changes),
        load_model(str(base)),
        load_tokenizer(str(base)),
        rows,
        emit=lambda _: None,
        progress=Progress(),
        stop=never,
    )
    return trainer, rows


def moved(model):
    """Give the adapter something to say."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn_like(weight) * 0.2)


@pytest.mark.parametrize("loss", ["sigmoid", "ipo", "robust"])
def test_the_loss_is_that_of_plain_sums_over_the_masked_tokens(plan, base, loss):
    dpo = plan.dpo.model_copy(update={"loss": loss, "label_smoothing": 0.1 * (loss == "robust")})
    trainer, rows = built(plan, base, dpo=dpo)
    moved(trainer.model)
    trainer.model.eval()
    reference = load_model(str(base))
    losses, gains, leads, told = [], [], [], []
    for row in rows:
        (chosen, rejected), (ref_c, ref_r) = (
            plain_logps(trainer.model, row), plain_logps(reference, row)
        )  # fmt: skip
        gains.append((chosen - ref_c) - (rejected - ref_r))
        leads.append(chosen - rejected)
        told.append((chosen, rejected))
        losses.append(_formula(loss, row, chosen - ref_c, rejected - ref_r, dpo))
    judged = trainer.held_out(rows)
    assert judged.loss == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert judged.margin == pytest.approx(dpo.beta * sum(gains) / len(gains), abs=1e-4)
    assert judged.accuracy == sum(one > 0 for one in gains) / len(gains)
    assert judged.likelier == sum(one > 0 for one in leads) / len(leads)
    inputs = trainer._prepare_inputs(trainer.data_collator([rows[0], rows[1]]))
    trainer.compute_loss(trainer.model, inputs)
    metrics = trainer._metrics["train"]
    for at, side in enumerate(("chosen", "rejected")):
        mean = (told[0][at] + told[1][at]) / 2
        assert metrics[f"logps/{side}"][-1] == pytest.approx(mean, abs=1e-4)


def _formula(loss, row, chosen, rejected, dpo):
    """Per pair, from the papers: DPO equation 7, IPO equation 17 per token, robust DPO."""
    if loss == "ipo":
        per_token = chosen / sum(row["chosen_mask"]) - rejected / sum(row["rejected_mask"])
        return (per_token - 1 / (2 * dpo.beta)) ** 2
    gain = dpo.beta * (chosen - rejected)
    right, wrong = math.log1p(math.exp(-gain)), math.log1p(math.exp(gain))
    share = dpo.label_smoothing
    return ((1 - share) * right - share * wrong) / (1 - 2 * share)


def test_a_step_weighs_its_pairs_alike_however_it_is_split(workspace, base):
    small_pairs(workspace)
    losses = []
    for name, micro_batch in (("split", 2), ("single", 1)):
        asked = {"micro_batch": micro_batch, "grad_accumulation": 20, "max_steps": 2, "eval": False}
        _, events = trained(prepare_run(pair_spec(base, **asked), workspace, run_id=name))
        losses.append([event["loss"] for event in steps(events)])
        assert losses[-1][0] == pytest.approx(math.log(2), abs=1e-6)
    # 21 pairs fill no batch of 2: the last pass holds one
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


# -- runs -----------------------------------------------------------------------------------------


def test_an_obvious_preference_is_learnt_and_the_adapter_merges(plan, workspace):
    record, events = trained(plan)
    assert record.state == "succeeded"
    before, *_, after = [event for event in events if event["event"] == "eval"]
    assert before["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert (before["accuracy"], before["reward_margin"]) == (0.5, 0.0)
    assert after["accuracy"] == 1.0
    assert after["reward_margin"] > 0.2
    assert after["chosen_likelier"] > before["chosen_likelier"]
    assert after["loss"] < before["loss"]
    assert record.metrics["eval_accuracy"] == 1.0
    first, *_, last = steps(events)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert last["reward_margin"] > 0
    assert last["logp_chosen"] > last["logp_rejected"]
    assert (last["tokens"], last["trained_tokens"]) == (plan.tokens, plan.trained_tokens)
    certificate = merge_run(record, workspace)
    assert certificate.verdict == "pass"
    assert certificate.comparison.rows == 2 * 7


def test_the_first_step_trains_the_rows_that_the_plan_names(plan):
    _, events = trained(plan, stop_after(1))
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    sides = [
        len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
        for row in rows
    ]
    order = step_rows(sides, plan.micro_batch, plan.grad_accumulation, plan.seed, 1)
    masks = [rows[row][f"{side}_mask"] for row in next(order) for side in ("chosen", "rejected")]
    assert steps(events)[0]["trained_tokens"] == sum(map(sum, masks))


@pytest.mark.parametrize(
    ("changes", "stopped_at"),
    [({"checkpointing": True}, 3), ({"method": "full", "learning_rate": 1e-3}, 5)],
)
def test_a_resumed_run_gives_the_same_weights_to_the_bit(workspace, base, changes, stopped_at):
    small_pairs(workspace)
    spec = pair_spec(base, **changes)
    straight, told = trained(prepare_run(spec, workspace, run_id="whole"))
    broken = prepare_run(spec, workspace, run_id="broken")
    first, events = trained(broken, stop_after(stopped_at))
    assert first.state == "interrupted"
    second, rest = trained(broken)
    assert second.state == "succeeded"
    assert second.artefacts == straight.artefacts
    losses = [event["loss"] for event in steps(told)]
    assert [event["loss"] for event in steps(events + rest)] == losses
    assert losses[-1] < losses[0] == pytest.approx(math.log(2), abs=1e-6)


def test_with_all_weights_the_reference_stays_the_base_model(workspace, base):
    small_pairs(workspace)
    spec = pair_spec(base, method="full", learning_rate=1e-3)
    made = prepare_run(spec, workspace, run_id="r1")
    trainer, rows = built(made, base)
    reference = load_model(str(base))
    for row in rows.select(range(3)):
        told = trainer.reference[row["id"]]
        assert told == pytest.approx(plain_logps(reference, row), abs=1e-4)
    assert len(trainer.reference) == made.rows + made.splits["validation"].rows


def test_train_and_plan_take_a_preference_version(workspace, base):
    small_pairs(workspace)
    spec = workspace.home / "train.toml"
    spec.write_text(
        f'dataset = "pairs"\nbase_model = "{base}"\nmax_steps = 2\n[dpo]\nloss = "ipo"\n'
    )
    home = ["--home", str(workspace.home)]
    shown = CliRunner().invoke(app, ["plan", str(spec), *home])
    assert shown.exit_code == 0
    assert "21, up to" in shown.output
    assert "pairs a step" in shown.output
    done = CliRunner().invoke(app, ["train", str(spec), *home, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["state"] == "succeeded"

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from train_ground import message, seal_version, small_spec, talk, tiny_tokenizer

from ingest.errors import SpecError
from train.choose import Rows, choose
from train.device import Device
from train.order import epoch_order, step_rows, steps_per_epoch
from train.plan import BaseUse, PlanError, make_plan, read_plan
from train.policy import Policy
from train.render import mask_spans
from train.rendered import RowsError, render_version
from train.run import new_run_id
from train.spec import TrainSpec, load_train_spec
from train.tally import TOO_LONG, SplitCounts

CPU = Device(kind="cpu", name="x86_64")
GPU = Device(kind="cuda", name="H100", memory_gib=79.6, bf16=True)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture
def version(workspace):
    return seal_version(workspace, {"train": [talk(n) for n in range(9)]})


def counts(rows, **more):
    told = {
        "file": "rendered/train.parquet", "sha256": "0", "rows": rows, "tokens": 0,
        "trained_tokens": 0, "refused": {}, "rows_cut": 0, "tokens_lost": 0,
        "trained_tokens_lost": 0,
    }  # fmt: skip
    return SplitCounts.model_validate({**told, **more})


def planned(version, lengths, device=CPU, held_out=0, refused=None, **asked):
    train = counts(len(lengths), refused=refused or {})
    spec = small_spec(Path("base"), **asked)
    longest = max((tokens for tokens, _ in lengths), default=0)
    return make_plan(
        spec,
        version,
        lengths,
        device,
        run_id="r1",
        run_dir=Path("runs/r1"),
        base=BaseUse(model="base", path=Path("base"), weights={}, template_sha256="0"),
        splits={"train": train, "validation": counts(held_out)},
        choice=choose(spec, device, Rows(longest, longest, longest)),
    )


def test_the_smallest_spec_is_two_lines_and_a_table(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text(
        'dataset = "support@latest"\nbase_model = "Qwen/Qwen3-4B"\n[lora]\nr = 16\n', "utf-8"
    )
    spec = load_train_spec(file)
    assert spec == TrainSpec(dataset="support@latest", base_model="Qwen/Qwen3-4B")


def test_every_fault_of_a_spec_is_named_at_once(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text('dataset = "x"\nlearning_rte = 1.0\nepochs = 0\n', "utf-8")
    with pytest.raises(SpecError) as caught:
        load_train_spec(file)
    for key in ("base_model", "learning_rte", "epochs"):
        assert key in caught.value.message


def test_every_field_of_a_spec_is_described():
    assert all(field.description for field in TrainSpec.model_fields.values())


def test_steps_follow_from_rows_and_epochs(version):
    plan = planned(version, [(10, 4)] * 9, epochs=2.5, micro_batch=2, grad_accumulation=2)
    # 9 rows are 3 steps a pass, the last with one row
    assert plan.steps == 8
    assert plan.rows == 9
    assert plan.tokens == 10 * (9 + 9 + 8)
    assert plan.trained_tokens == 4 * (9 + 9 + 8)


def test_max_steps_goes_before_epochs(version):
    plan = planned(version, [(10, 4)] * 9, epochs=99.0, max_steps=4)
    assert plan.steps == 4
    assert plan.epochs == pytest.approx(4 / 3)


def test_what_is_left_open_is_decided_by_the_device(version):
    cpu, gpu = (planned(version, [(9, 4)], device) for device in (CPU, GPU))
    assert (cpu.precision, cpu.checkpointing) == ("fp32", False)
    assert (gpu.precision, gpu.checkpointing) == ("bf16", True)
    assert planned(version, [(9, 4)], checkpointing=True).checkpointing


def test_ten_checkpoints_are_planned_unless_asked_otherwise(version):
    lengths = [(10, 4)] * 100
    assert planned(version, lengths, max_steps=95, save_every_steps=None).save_every_steps == 10
    assert planned(version, lengths, max_steps=95, save_every_steps=7).save_every_steps == 7


def test_a_held_out_loss_needs_held_out_rows(version):
    assert not planned(version, [(9, 4)], held_out=0).eval
    assert planned(version, [(9, 4)], held_out=3).eval
    assert not planned(version, [(9, 4)], held_out=3, eval=False).eval


def test_no_row_left_is_refused_with_the_reasons(version):
    with pytest.raises(RowsError, match="3 rows: too wild"):
        planned(version, [], refused={"too wild": 3})


def test_a_damaged_plan_file_is_told(tmp_path):
    with pytest.raises(PlanError, match="no such file"):
        read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(PlanError, match="validation error"):
        read_plan(tmp_path / "plan.json")


def test_rendered_rows_lie_in_a_file_with_their_masks(version, tokenizer, tmp_path):
    rendered = render_version(version, "train", tokenizer, tmp_path, max_length=256)
    table = pq.read_table(tmp_path / rendered.counts.file).to_pylist()
    assert [row["id"] for row in table] == [f"c{n}" for n in range(9)]
    assert [(len(row["ids"]), sum(row["loss_mask"])) for row in table] == rendered.lengths
    assert rendered.counts.tokens == sum(len(row["ids"]) for row in table)
    assert rendered.counts.refused == {}
    for row, said in zip(table, version.rows("train"), strict=True):
        ((start, end),) = mask_spans(row["loss_mask"])
        answer = said["messages"][1]["content"]
        assert tokenizer.decode(row["ids"][start:end]) == answer + "<|im_end|>"


def test_a_long_conversation_is_cut_at_turn_borders_and_loses_nothing(
    workspace, tokenizer, tmp_path
):
    version = seal_version(workspace, {"train": [talk(1), talk(2, turns=9)]})
    whole = render_version(version, "train", tokenizer, tmp_path / "a", max_length=4096)
    cut = render_version(version, "train", tokenizer, tmp_path / "b", max_length=100)
    assert all(tokens <= 100 for tokens, _ in cut.lengths)
    assert cut.lengths[0] == whole.lengths[0]
    assert cut.counts.conversations_split == 1
    assert cut.counts.trained_tokens == whole.counts.trained_tokens
    assert cut.counts.turns == whole.counts.turns == 10
    assert (cut.counts.rows_cut, cut.counts.tokens_lost, cut.counts.stops_lost) == (0, 0, 0)


def test_an_answer_that_is_too_long_alone_is_cut_and_its_losses_are_counted(
    workspace, tokenizer, tmp_path
):
    version = seal_version(
        workspace, {"train": [[message("user", "Hi"), message("assistant", "parcel " * 90)]]}
    )
    whole = render_version(version, "train", tokenizer, tmp_path / "a", max_length=4096)
    cut = render_version(version, "train", tokenizer, tmp_path / "b", max_length=64)
    assert cut.lengths[0][0] == 64
    assert (cut.counts.rows_cut, cut.counts.stops_lost) == (1, 1)
    assert cut.counts.tokens_lost == whole.counts.tokens - 64
    lost = whole.counts.trained_tokens - cut.counts.trained_tokens
    assert cut.counts.trained_tokens_lost == lost > 0


def test_what_was_rendered_is_not_rendered_again(version, tokenizer, tmp_path):
    asked = {"max_length": 256, "cache": tmp_path / "cache"}
    first = render_version(version, "train", tokenizer, tmp_path / "a", **asked)
    done = []
    again = render_version(
        version, "train", tokenizer, tmp_path / "b", on_progress=done.append, **asked
    )
    assert again == first
    assert done == []


def test_another_template_or_policy_is_rendered_anew(version, tokenizer, tmp_path):
    asked = {"max_length": 256, "cache": tmp_path / "cache"}
    render_version(version, "train", tokenizer, tmp_path / "a", **asked)
    done = []
    told = {"on_progress": done.append, **asked}
    last = Policy(train_on="last")
    render_version(version, "train", tokenizer, tmp_path / "b", policy=last, **told)
    other = tiny_tokenizer()
    other.chat_template = other.chat_template + "{# another #}"
    render_version(version, "train", other, tmp_path / "c", **told)
    assert done == [9, 9]


def test_a_damaged_cache_is_not_used(version, tokenizer, tmp_path):
    asked = {"max_length": 256, "cache": tmp_path / "cache"}
    first = render_version(version, "train", tokenizer, tmp_path / "a", **asked)
    (file,) = (tmp_path / "cache").glob("*/train.parquet")
    file.unlink()
    file.write_bytes(b"PAR1")
    assert render_version(version, "train", tokenizer, tmp_path / "b", **asked) == first


def test_a_row_whose_answers_are_all_cut_off_is_left_out(workspace, tokenizer, tmp_path):
    long_question = [message("user", "parcel " * 90), message("assistant", "Yes")]
    version = seal_version(workspace, {"train": [talk(1), long_question]})
    rendered = render_version(version, "train", tokenizer, tmp_path, max_length=64)
    assert rendered.counts.rows == 1
    assert rendered.counts.refused == {TOO_LONG: 1}
    assert rendered.counts.trained_tokens_lost > 0


def test_rows_that_cannot_be_masked_are_left_out_with_their_reason(workspace, tmp_path):
    strict = tiny_tokenizer()
    strict.chat_template = strict.chat_template.replace(
        "{%- for message in messages %}",
        "{%- for message in messages %}{%- if message.role == 'system' %}"
        "{{ raise_exception('no system here') }}{%- endif %}",
    )
    spoken = [message("system", "Be kind"), *talk(3)]
    version = seal_version(workspace, {"train": [talk(1), spoken, spoken]})
    rendered = render_version(version, "train", strict, tmp_path, max_length=256)
    assert rendered.counts.rows == 1
    ((reason, n),) = rendered.counts.refused.items()
    assert "no system here" in reason
    assert n == 2


def test_rows_without_a_trained_token_stop_everything(workspace, tokenizer, tmp_path):
    silent = [message("user", "Hi"), message("assistant", "Yes", train=False)]
    version = seal_version(workspace, {"train": [talk(1), silent]})
    with pytest.raises(RowsError, match="1 rows have no trained token"):
        render_version(version, "train", tokenizer, tmp_path, max_length=256)


LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 8), st.integers(0, 5))
def test_law_each_pass_holds_every_row_once(lengths, micro_batch, epoch):
    order = epoch_order(lengths, micro_batch, seed=3, epoch=epoch)
    assert sorted(order) == list(range(len(lengths)))
    assert order == epoch_order(lengths, micro_batch, seed=3, epoch=epoch)


@given(LENGTHS, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_law_the_steps_of_whole_passes_hold_every_row_as_often(lengths, micro, accumulation, n):
    per_epoch = steps_per_epoch(len(lengths), micro, accumulation)
    steps = list(step_rows(lengths, micro, accumulation, 0, n * per_epoch))
    seen = Counter(row for rows in steps for row in rows)
    assert seen == dict.fromkeys(range(len(lengths)), n)


def test_rows_of_like_length_lie_together_and_the_longest_come_first():
    lengths = [n % 97 + 1 for n in range(400)]
    order = epoch_order(lengths, 4, seed=0, epoch=0)
    batches = [[lengths[row] for row in order[at : at + 4]] for at in range(0, 400, 4)]
    padding = sum(max(batch) * 4 - sum(batch) for batch in batches) / sum(lengths)
    assert padding < 0.05
    assert max(batches[0]) == max(lengths)
    assert order != epoch_order(lengths, 4, seed=0, epoch=1)


def test_run_ids_sort_by_time_and_differ():
    first, second = new_run_id(), new_run_id()
    assert first != second
    assert first[:15] <= second[:15]

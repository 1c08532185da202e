"""What the held-out loss decides, and where the metrics go."""

import itertools
import json
import shutil

import pytest
from train_ground import WORDS, never, small_spec, small_version, stop_after, tiny_base, trained

from ingest.errors import SpecError
from ingest.workspace import Workspace
from train.checkpoints import Progress, kept, latest
from train.evals import gives_up, is_due, is_ended, judged
from train.run import prepare_run
from train.sft import run
from train.spec import HeldOutSpec
from train.trackers import others

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("home")).create()
    small_version(workspace)
    return workspace, tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def planned(ground):
    def make(**more):
        workspace, base = ground
        spec = small_spec(base, **{"report_to": [], **more})
        return prepare_run(spec, workspace, run_id=f"run-{next(NUMBERS)}")

    return make


def of_kind(events, kind):
    return [event for event in events if event["event"] == kind]


# a rate at which nothing moves: no loss is lower than the first
STUCK = {"learning_rate": 1e-30, "held_out": HeldOutSpec(every_steps=2, stop_after=2)}


def test_the_loss_is_taken_with_the_checkpoints_if_nothing_else_is_said(planned):
    plan = planned(save_every_steps=5)
    assert [step for step in range(1, plan.steps + 1) if is_due(plan, step)] == [5, 10, 12]


def test_only_a_lower_loss_is_better():
    progress = Progress(step=3)
    for step, loss in ((2, 1.0), (4, 1.0), (6, 0.5), (8, 0.7)):
        progress = judged(progress, step, loss)
    assert (progress.best_loss, progress.best_step, progress.losses_since_best) == (0.5, 6, 1)


def test_a_run_without_a_better_loss_ends_early_and_says_why(planned):
    plan = planned(**STUCK)
    record, events = trained(plan)
    assert record.state == "succeeded"
    # the first loss is at step 2, and two more are no better
    assert record.metrics["early_stop_step"] == record.metrics["step"] == 6 < plan.steps
    assert record.metrics["delivered_step"] == record.metrics["best_step"] == 2
    (said,) = of_kind(events, "early_stop")
    assert said["reason"] == "2 losses without a better one"
    assert of_kind(events, "step")[-1]["step"] == 6


def test_a_run_cut_off_after_its_early_end_trains_no_step_more(planned):
    plan = planned(**STUCK)
    best, kept_apart = plan.run_dir / "best", plan.run_dir / "apart"

    def keep(event):
        if event["event"] == "early_stop":
            shutil.copytree(best, kept_apart)

    straight = run(plan, keep, never)
    _, progress = latest(plan.run_dir / "checkpoints")
    assert gives_up(plan, progress)
    assert is_ended(plan, progress)
    # as if it had been killed between its last checkpoint and its record
    (plan.run_dir / "run.json").unlink()
    kept_apart.rename(best)
    again, events = trained(plan)
    assert not of_kind(events, "step")
    assert again.artefacts == straight.artefacts
    same = ("delivered_step", "early_stop_step", "eval_loss", "eval_loss_before", "tokens")
    assert [again.metrics[name] for name in same] == [straight.metrics[name] for name in same]
    assert not best.exists()


def test_best_weights_that_are_damaged_are_missed_and_the_last_delivered(planned):
    plan = planned(**STUCK)

    def harm(event):
        events.append(event)
        if event["event"] == "early_stop":
            file = plan.run_dir / "best" / "step-2" / "adapter_model.safetensors"
            file.write_bytes(file.read_bytes()[:-1])

    events = []
    record = run(plan, harm, never)
    assert of_kind(events, "best_lost") == [{"event": "best_lost", "step": 2}]
    assert record.metrics["delivered_step"] == 6


def test_a_run_cut_off_after_its_last_step_trains_no_step_more(planned):
    # the last step lies inside an epoch, where transformers would go on
    plan = planned(max_steps=9, save_every_steps=3)
    straight, _ = trained(plan)
    (plan.run_dir / "run.json").unlink()
    again, events = trained(plan)
    assert not of_kind(events, "step")
    assert again.artefacts == straight.artefacts
    assert again.metrics["eval_loss"] == straight.metrics["eval_loss"]


def test_the_last_weights_are_delivered_where_the_best_are_not_wanted(planned):
    held_out = HeldOutSpec(every_steps=2, keep_best=False)
    record, _ = trained(planned(learning_rate=1e-30, held_out=held_out))
    assert record.metrics["best_step"] == 2
    assert record.metrics["delivered_step"] == record.metrics["step"] == 12
    assert not (record.plan.run_dir / "best").exists()


def test_an_interrupted_run_keeps_the_best_weights_that_its_checkpoints_speak_of(planned):
    plan = planned(held_out=HeldOutSpec(every_steps=1), save_every_steps=2, keep_checkpoints=2)
    record, events = trained(plan, stop_after(7))
    assert record.state == "interrupted"
    wanted = {f"step-{one.best_step}" for one in kept(plan.run_dir / "checkpoints")}
    assert {folder.name for folder in (plan.run_dir / "best").iterdir()} == wanted
    assert len(of_kind(events, "eval")) == 8  # before, and after each of seven steps


def test_losses_on_the_way_change_nothing_that_is_trained(planned):
    often = planned(held_out=HeldOutSpec(every_steps=1, keep_best=False))
    never_asked = planned(eval=False)
    one, two = trained(often)[1], trained(never_asked)[1]
    assert [e["loss"] for e in of_kind(one, "step")] == [e["loss"] for e in of_kind(two, "step")]


def test_events_tell_rates_and_memory(planned):
    _, events = trained(planned(max_steps=2))
    for event in of_kind(events, "step"):
        assert 0 < event["trained_tokens_per_s"] < event["tokens_per_s"]
        assert 0.05 < event["memory_gib"] <= event["memory_peak_gib"] < 64


def scalars(plan):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(plan.run_dir / "tensorboard"))
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


# tensorboard 2.x: its protobuf and its look at pkg_resources
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_is_appended_to_and_holds_no_word_of_a_message(planned):
    plan = planned(report_to=["tensorboard"], save_every_steps=3)
    trained(plan, stop_after(4))
    _, rest = trained(plan)
    found = scalars(plan)
    assert [step for step, _ in found["train/loss"]] == list(range(1, plan.steps + 1))
    assert [step for step, _ in found["eval/loss"]] == [3, 6, 9, 12]
    last = of_kind(rest, "step")[-1]
    assert found["train/loss"][-1][1] == pytest.approx(last["loss"], rel=1e-6)
    written = b"".join(file.read_bytes() for file in (plan.run_dir / "tensorboard").iterdir())
    assert not [word for word in WORDS if len(word) > 5 and word.encode() in written]


def test_nothing_is_written_to_tensorboard_unasked(planned):
    plan = planned(max_steps=1)
    trained(plan)
    assert not (plan.run_dir / "tensorboard").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [(["wandbb"], "no tracker 'wandbb'"), (["tensorboard", "wandb"], "wandb is not installed")],
)
def test_a_tracker_that_is_not_there_is_refused(names, message):
    with pytest.raises(SpecError, match=message):
        others(names)


def test_metrics_of_a_record_are_numbers(planned):
    record, _ = trained(planned(max_steps=2, eval=False))
    assert "best_loss" not in record.metrics
    assert json.loads(record.model_dump_json())["metrics"] == record.metrics

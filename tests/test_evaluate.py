"""The whole evaluation: two models on disk, a sealed version, a server, the official client."""

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from tiny_models import certificate, save_tiny  # noqa: E402 - after the check for torch
from train_ground import message, seal_version, talk  # noqa: E402

from serve.api.run import RunningServer  # noqa: E402
from serve.engine.embedded import open_engine  # noqa: E402
from serve.evaluation import evaluate as evaluation  # noqa: E402
from serve.evaluation.report import EvaluationError, read_report  # noqa: E402


def evaluate(model, version, **options):
    return evaluation.evaluate(model, version, answer_tokens=24, **options)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A random base, and the same less sure of itself, which must predict better."""
    folder = tmp_path_factory.mktemp("models")
    base = save_tiny(folder / "base")
    tuned = save_tiny(folder / "tuned", nudge=2.0)
    certificate(tuned, base=str(base))
    return base, tuned


@pytest.fixture
def version(workspace):
    return seal_version(
        workspace,
        {
            "train": [talk(1)],
            "validation": [talk(n) for n in range(10, 13)],
            "test": [talk(n, 1 + n % 2) for n in range(20, 31)],
        },
    )


def test_a_report_is_written_and_says_what_was_found(models, version, workspace):
    base, tuned = models
    calls = []
    report = evaluate(
        tuned, version, workspace=workspace, on_progress=lambda *call: calls.append(call)
    )
    assert read_report(workspace.evals / report.eval_id) == report
    assert (report.model, report.base, report.run) == ("tuned", str(base), "run-7")
    assert (report.split, report.dataset_fingerprint) == ("test", version.fingerprint)
    assert len(report.conversations) == report.scores["nll"].n == 11
    delta = report.scores["nll_delta"]
    assert delta.mean == pytest.approx(report.scores["nll"].mean - report.scores["nll_base"].mean)
    weighted = sum((one.model - one.base) * one.scored for one in report.conversations)
    assert delta.mean == pytest.approx(weighted / sum(one.scored for one in report.conversations))
    assert delta.high < 0
    assert report.verdict == "learned"
    assert len(report.samples) == 8
    assert all(one.base.error is None and one.model.error is None for one in report.samples)
    assert {one.base.finish_reason for one in report.samples} <= {"stop", "length"}
    assert ("ask model", 8, 8) in calls
    assert report.lengths["test"].n == 11


def test_the_same_findings_have_the_same_id(models, version, workspace):
    first, second = (evaluate(models[1], version, workspace=workspace) for _ in range(2))
    assert first.eval_id == second.eval_id
    assert first.created_at != second.created_at
    other = evaluate(models[1], version, workspace=workspace, seed=1)
    assert other.eval_id != first.eval_id


def test_a_model_against_itself_shows_no_difference(models, version, workspace):
    report = evaluate(models[0], version, base=models[0], workspace=workspace)
    assert report.scores["nll_delta"].mean == 0
    assert report.scores["share_improved"].mean == 0
    assert report.verdict == "no clear change"
    assert all(one.base == one.model for one in report.samples)


def test_a_running_server_is_asked_where_one_is_named(models, version, workspace):
    base, tuned = models
    here = evaluate(tuned, version, workspace=workspace)
    with RunningServer({"tuned": open_engine(tuned), "base": open_engine(base)}) as server:
        there = evaluate(tuned, version, workspace=workspace, base_url=f"{server.url}/v1")
    assert there.samples == here.samples
    with RunningServer({"tuned": open_engine(tuned)}) as server:
        alone = evaluate(tuned, version, workspace=workspace, base_url=server.url)
    assert {one.base for one in alone.samples} == {None}
    with (
        RunningServer({"other": open_engine(tuned)}) as server,
        pytest.raises(EvaluationError, match="does not serve tuned"),
    ):
        evaluate(tuned, version, workspace=workspace, base_url=server.url)


def test_a_dead_endpoint(models, version, workspace):
    with pytest.raises(EvaluationError, match="cannot be reached"):
        evaluate(models[1], version, workspace=workspace, base_url="http://127.0.0.1:9")


def test_validation_is_used_where_there_is_no_test_split(models, workspace):
    version = seal_version(workspace, {"train": [talk(1)], "validation": [talk(2), talk(3)]})
    assert evaluate(models[1], version, workspace=workspace).split == "validation"


def test_nothing_held_out(models, workspace):
    version = seal_version(workspace, {"train": [talk(1)]})
    with pytest.raises(EvaluationError, match="no held-out"):
        evaluate(models[1], version, workspace=workspace)


def test_nothing_to_score(models, workspace):
    version = seal_version(workspace, {"test": [[message("user", "anyone?")]]})
    with pytest.raises(EvaluationError, match="no conversation with an answer"):
        evaluate(models[1], version, workspace=workspace)


def test_without_a_certificate_a_base_must_be_named(models, version, workspace):
    with pytest.raises(EvaluationError, match="no merge certificate"):
        evaluate(models[0], version, workspace=workspace)


def test_a_base_with_another_tokenizer_is_refused(models, version, workspace, tmp_path):
    other = save_tiny(tmp_path / "other", vocab_size=300)
    with pytest.raises(EvaluationError, match="tokenizer"):
        evaluate(models[1], version, base=other, workspace=workspace)


def test_a_model_is_let_go_before_the_next_is_loaded(models, version, workspace, monkeypatch):
    import weakref

    import train.load

    seen = []
    load = train.load.load_model

    def watched(*args, **kwargs):
        assert [ref() for ref in seen] == [None] * len(seen)
        model = load(*args, **kwargs)
        seen.append(weakref.ref(model))
        return model

    monkeypatch.setattr(train.load, "load_model", watched)
    evaluate(models[1], version, workspace=workspace)
    assert len(seen) == 2

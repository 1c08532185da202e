"""The whole path by the code of the demo, with fewer steps."""

import re
from pathlib import Path

import pytest

from ingest.files import read_json
from ingest.workspace import Workspace
from serve.commands import demo

pytestmark = [pytest.mark.torch, pytest.mark.slow]


# it keeps what it is told
_HOOK = '[[hook]]\nname = "keep"\non = ["model.merged", "eval.finished"]\ncommand = ["cat"]\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "turnmill.toml").write_text(_HOOK)
    return folder


@pytest.fixture(scope="module")
def result(home: Path) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "_PRETRAIN_STEPS", 8)
        patch.setattr(demo, "_EPOCHS", 0.25)
        return demo.run_demo(Workspace(home))


def test_every_step_left_its_file(home: Path, result: dict[str, object]) -> None:
    name, _, fingerprint = str(result["dataset"]).partition("@")
    assert (home / "datasets" / name / fingerprint / "manifest.json").is_file()
    run = home / "runs" / str(result["run"])
    assert (run / "plan.json").is_file()
    assert read_json(run / "run.json")["states"][-1]["state"] == "succeeded"
    assert read_json(Path(str(result["model"])) / "merge_certificate.json")["verdict"] == "pass"
    assert (home / "evals" / str(result["eval"]) / "report.json").is_file()


def test_the_hooks_were_told_of_the_model_and_of_the_evaluation(
    home: Path, result: dict[str, object]
) -> None:
    told = [read_json(log) for log in home.glob("hooks/*/keep/log.txt")]
    data = {event["type"]: event["data"] for event in told}
    assert len(told) == 2
    assert data["model.merged"]["run_id"] == result["run"]
    assert data["model.merged"]["state"] == "pass"
    assert home / data["model.merged"]["path"] == Path(str(result["model"]))
    assert data["eval.finished"]["eval_id"] == result["eval"]
    assert data["eval.finished"]["scores"].keys() == result["scores"].keys()  # type: ignore[attr-defined]
    assert str(home) not in str(told)


def test_the_tuned_model_predicts_held_out_answers_better(result: dict[str, object]) -> None:
    delta = result["scores"]["nll_delta"]  # type: ignore[index]
    assert delta["high"] < 0


def test_the_page_needs_no_network_and_shows_the_whole_chain(result: dict[str, object]) -> None:
    page = Path(str(result["report"])).read_text("utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)
    for part in ("dataset", "run", "eval"):
        assert str(result[part]).split("@")[-1][:12] in page


def test_a_second_demo_imports_nothing_and_goes_on(home: Path, result: dict[str, object]) -> None:
    from ingest.store import open_store

    with open_store(Workspace(home).store) as store:
        before = store.counts()
    demo._import(demo.samples_folder(), Workspace(home))
    version = demo._build(Workspace(home))
    with open_store(Workspace(home).store) as store:
        assert store.counts() == before
    assert version.ref == result["dataset"]

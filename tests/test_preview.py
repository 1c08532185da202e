"""What a build would do, before it does it."""

import json
from pathlib import Path

import polars as pl
import pytest
from made import jsonl, record
from typer.testing import CliRunner

from dataset.build import build
from dataset.manifest import DatasetSpec, list_versions
from dataset.preview import Change, preview
from dataset.steps import registry
from dataset.steps.base import StepOptions, StepResult
from ingest.load import import_export
from ingest.store import open_store
from serve.cli import app


class Shout:
    """Makes every first message loud."""

    name = "shout"
    title = "write in capitals"
    parallel = True
    Options = StepOptions

    def __init__(self, options, context):
        pass

    def apply(self, frame):
        from dataset.manifest import StepReport

        rows = frame.to_dicts()
        for row in rows:
            self.change(row)
        report = StepReport(name=self.name, rows_in=len(frame), kept=len(frame), changed=len(frame))
        return StepResult(pl.DataFrame(rows, schema=frame.schema), report)

    def change(self, row):
        row["messages"][0]["content"] = row["messages"][0]["content"].upper()


class Entitle(Shout):
    """Gives every conversation a title."""

    def change(self, row):
        row["title"] = "A title"


@pytest.fixture
def filled(workspace, tmp_path: Path) -> None:
    records = [record(n, "grind it. " * 20) for n in range(8)]
    records[5]["messages"] = records[4]["messages"]
    records += [{"messages": [{"role": "user", "content": f"hello {n}"}]} for n in range(5)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*records))
    with open_store(workspace.store) as store:
        import_export(path, store)


@pytest.mark.usefixtures("filled")
def test_a_preview_counts_what_the_build_then_does(workspace):
    spec = DatasetSpec(name="d", split={"validation": 0.3, "test": 0.3})
    with open_store(workspace.store) as store:
        found = preview(store, spec, workspace)
        assert list_versions(workspace) == []
        version = build(store, spec, workspace)
    assert [step.report for step in found.steps] == version.steps
    assert found.splits == {name: counts.conversations for name, counts in version.splits.items()}
    assert found.split_report == version.split_report
    assert [each.name for each in workspace.datasets.iterdir()] == ["d"]


@pytest.mark.usefixtures("filled")
def test_examples_say_what_is_dropped_and_why(workspace):
    with open_store(workspace.store) as store:
        first, second = preview(store, DatasetSpec(name="d"), workspace).steps
    assert [(each.reason, each.text) for each in first.drops] == [
        ("no assistant turn", f"hello {n}") for n in range(3)
    ]
    (drop,) = second.drops
    assert drop.reason == "repeats an earlier one"
    assert drop.text.startswith("grind it. grind it.")
    assert len(drop.text) == 80


@pytest.mark.usefixtures("filled")
def test_examples_say_what_is_changed(workspace, monkeypatch):
    monkeypatch.setitem(registry.steps(), "shout", Shout)
    spec = DatasetSpec(name="d", steps=["has-assistant", "shout"])
    with open_store(workspace.store) as store:
        step = preview(store, spec, workspace).steps[1]
    assert step.report.changed == 8
    assert len(step.changes) == 3
    change = step.changes[0]
    assert change == Change(change.id, 0, "content", change.before, change.after)
    assert change.before.upper() == change.after != change.before


@pytest.mark.usefixtures("filled")
def test_a_changed_title_is_shown_as_such(workspace, monkeypatch):
    monkeypatch.setitem(registry.steps(), "shout", Entitle)
    with open_store(workspace.store) as store:
        (step,) = preview(store, DatasetSpec(name="d", steps=["shout"]), workspace).steps
    change = step.changes[0]
    assert change == Change(change.id, None, "title", "", "A title")


@pytest.mark.usefixtures("filled")
def test_the_terminal_shows_text_and_json_does_not(workspace, tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "d"\n')
    run = CliRunner().invoke
    shown = run(app, ["build", str(spec), "--dry-run", "--home", str(workspace.home)])
    assert shown.exit_code == 0
    assert "hello 0" in shown.stdout
    told = run(app, ["build", str(spec), "--dry-run", "--json", "--home", str(workspace.home)])
    answer = json.loads(told.stdout)
    assert [step["name"] for step in answer["steps"]] == ["has-assistant", "dedupe-exact"]
    assert len(answer["steps"][0]["examples"]["dropped"]) == 3
    assert "hello" not in told.stdout
    assert list_versions(workspace) == []


@pytest.mark.usefixtures("filled")
def test_a_build_by_several_processes_from_the_command_line(workspace, tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "d"\nsteps = ["has-assistant", "dedupe-near"]\n')
    command = ["build", str(spec), "--workers", "2", "--json", "--home", str(workspace.home)]
    answer = json.loads(CliRunner().invoke(app, command).stdout)
    with open_store(workspace.store) as store:
        again = build(
            store, DatasetSpec(name="d", steps=["has-assistant", "dedupe-near"]), workspace
        )
    assert answer["fingerprint"] == again.fingerprint


def test_the_steps_are_listed_with_their_options():
    found = json.loads(CliRunner().invoke(app, ["steps", "--json"]).stdout)
    by_name = {step["name"]: step for step in found}
    assert set(by_name) == set(registry.steps())
    (at_least,) = by_name["min-turns"]["options"]
    assert at_least["required"]
    assert at_least["description"]
    keep = next(each for each in by_name["dedupe-near"]["options"] if each["name"] == "keep")
    assert keep["default"] == "longest"
    assert "five-word shingles" in CliRunner().invoke(app, ["steps"]).stdout

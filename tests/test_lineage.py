import pytest
from train_ground import seal_version, talk

from ingest.files import sha256_file, write_json
from serve.lineage import LineageError, lineage

SOURCE = "a" * 64


@pytest.fixture
def version(workspace):
    sealed = seal_version(workspace, {"train": [talk(1), talk(2)], "test": [talk(3)]})
    with_source = sealed.model_copy(update={"sources": [SOURCE]})
    write_json(sealed.path / "manifest.json", with_source.model_dump(mode="json", by_alias=True))
    return with_source


@pytest.fixture
def chain(workspace, version):
    """A run, its model, its evaluation; and another run of the same version."""
    for run in ("run-one", "run-two"):
        write_json(
            workspace.runs / run / "run.json",
            {
                "run_id": run,
                "dataset_fingerprint": version.fingerprint,
                "states": [{"state": "succeeded", "at": "2026-01-01T00:00:00Z"}],
            },
        )
    certificate = {
        "run_id": "run-one",
        "dataset_fingerprint": version.fingerprint,
        "verdict": "pass",
    }
    write_json(workspace.models / "support-one" / "merge_certificate.json", certificate)
    report = {
        "eval_id": "eval-123456789abc",
        "model": "support-one",
        "dataset_fingerprint": version.fingerprint,
        "split": "test",
        "scores": {"nll_delta": {"mean": -1.5}},
        "created_at": "2026-01-02T00:00:00Z",
    }
    write_json(workspace.evals / "eval-123456789abc" / "report.json", report)
    return version


def keys(links):
    return [(link["kind"], link["id"]) for link in links]


def whole(version):
    return [
        ("source", SOURCE),
        ("dataset", version.fingerprint),
        ("run", "run-one"),
        ("model", "support-one"),
        ("eval", "eval-123456789abc"),
    ]


@pytest.mark.parametrize("ref", ["eval-123456789abc", "eval-1234", "support-one", "run-one"])
def test_from_the_far_end_the_chain_is_whole(chain, workspace, ref):
    assert keys(lineage(ref, workspace)) == whole(chain)


def test_from_the_source_all_that_came_of_it(chain, workspace):
    expected = sorted({*whole(chain), ("run", "run-two")})
    assert sorted(keys(lineage(SOURCE[:12], workspace))) == expected


@pytest.mark.parametrize("form", ["{name}", "{name}@latest", "{ref}", "{name}@{short}", "{short}"])
def test_a_version_by_any_of_its_names(chain, workspace, form):
    ref = form.format(name=chain.name, ref=chain.ref, short=chain.fingerprint[:8])
    assert ("dataset", chain.fingerprint) in keys(lineage(ref, workspace))


def test_a_run_does_not_show_its_siblings(chain, workspace):
    assert keys(lineage("run-two", workspace)) == [*whole(chain)[:2], ("run", "run-two")]


def test_a_conversation_leads_to_all_that_holds_it(chain, workspace):
    found = keys(lineage("c1", workspace))
    assert ("conversation", "c1") in found
    assert ("eval", "eval-123456789abc") in found
    assert ("source", SOURCE) not in found
    with pytest.raises(LineageError):
        lineage("c99", workspace)


def test_each_link_names_what_it_was_made_from(chain, workspace):
    links = {link["kind"]: link for link in lineage("support-one", workspace)}
    assert links["source"]["from"] == []
    assert links["dataset"]["from"] == [SOURCE]
    assert links["model"]["from"] == ["run-one"]
    assert links["eval"]["from"] == sorted(["support-one", chain.fingerprint])
    file = workspace.models / "support-one" / "merge_certificate.json"
    assert links["model"]["certificate_sha256"] == sha256_file(file)
    assert links["eval"]["nll_delta"] == -1.5


def test_later_stages_may_not_have_happened_yet(version, workspace):
    assert keys(lineage(version.name, workspace)) == whole(version)[:2]


def test_a_run_that_was_deleted_is_missing_and_the_chain_goes_on(chain, workspace):
    (workspace.runs / "run-one" / "run.json").unlink()
    links = lineage("eval-123456789abc", workspace)
    assert keys(links) == whole(chain)
    assert next(link for link in links if link["kind"] == "run")["missing"] is True


def test_a_model_by_its_folder(chain, workspace):
    assert keys(lineage(str(workspace.models / "support-one"), workspace)) == whole(chain)


def test_nothing_of_this_name(chain, workspace):
    for ref in ("nothing", "abc", ""):
        with pytest.raises(LineageError, match="no such"):
            lineage(ref, workspace)


def test_an_empty_workspace(workspace):
    with pytest.raises(LineageError):
        lineage("anything", workspace)


def test_a_damaged_file_is_named(chain, workspace):
    file = workspace.runs / "run-one" / "run.json"
    file.write_text("{")
    with pytest.raises(LineageError, match=r"run\.json"):
        lineage("support-one", workspace)

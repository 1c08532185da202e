import json

import pytest
from hub_ground import CLIENT_WARNINGS, Waits, hub_for_tests, secret

from dataset.hub.errors import ConflictError, HubError
from ingest.files import read_json, sha256_file, write_json
from ingest.workspace import Workspace
from serve.lineage import lineage
from train.certificate import CERTIFICATE, MergeRefused, read_certificate
from train.push_model import push_model, read_model_pushes

pytestmark = CLIENT_WARNINGS
REPO = "org/model"


@pytest.fixture
def hub(monkeypatch):
    with hub_for_tests(monkeypatch) as hub:
        yield hub


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home").create()


@pytest.fixture
def model(workspace):
    from tiny_models import certificate

    folder = workspace.models / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"w" * 5000)
    certificate(folder, base="/secret/place/base-model")
    return sealed(folder)


def sealed(folder):
    """Let the certificate name the files as they are."""
    told = read_json(folder / CERTIFICATE)
    files = {f.name: sha256_file(f) for f in folder.iterdir() if f.name != CERTIFICATE}
    write_json(folder / CERTIFICATE, {**told, "files": files})
    return folder


def sent(model, hub, workspace, **more):
    asked = {"token": secret(), "endpoint": hub.url, "patience": Waits().patience, **more}
    return push_model(model, REPO, workspace, **asked)


def test_a_model_arrives_whole_private_and_tagged(hub, model, workspace):
    report = sent(model, hub, workspace)
    repo = hub.repo(REPO)
    assert repo.private
    assert repo.tags == {"run-7": report.commit}
    files = repo.at("run-7").files
    assert {"config.json", "model.safetensors", CERTIFICATE, "README.md"} <= files.keys()
    for name in (CERTIFICATE, "README.md"):
        assert b"/secret/place" not in files[name].data
        assert b"base-model" in files[name].data
    assert b"f" * 64 in files["README.md"].data
    (push,) = read_model_pushes(workspace)
    assert (push.state, push.commit, push.run_id) == ("done", report.commit, "run-7")


def test_a_second_push_sends_nothing(hub, model, workspace):
    first = sent(model, hub, workspace)
    again = sent(model, hub, workspace)
    assert (again.commit, again.sent) == (first.commit, [])
    assert len(read_model_pushes(workspace)) == 1


def test_a_rehearsal_changes_nothing(hub, model, workspace):
    report = sent(model, hub, workspace, dry_run=True)
    assert report.bytes_changed > 5000
    assert hub.storage.repos == {}
    assert read_model_pushes(workspace) == []


def test_a_public_repository_is_refused(hub, model, workspace):
    hub.public_by_default = True
    with pytest.raises(HubError, match="this repository is public"):
        sent(model, hub, workspace)
    assert hub.repo(REPO).tags == {}


def test_a_model_that_is_not_the_certified_one_is_not_sent(hub, model, workspace):
    (model / "model.safetensors").write_bytes(b"x" * 5000)
    with pytest.raises(MergeRefused, match="is not the file that was certified"):
        sent(model, hub, workspace)
    write_json(model / CERTIFICATE, {**read_json(model / CERTIFICATE), "verdict": "fail"})
    with pytest.raises(MergeRefused, match="does not pass"):
        sent(model, hub, workspace)
    (model / CERTIFICATE).unlink()
    with pytest.raises(MergeRefused, match="holds no readable"):
        sent(model, hub, workspace)
    assert hub.faults.seen == []


def test_a_file_that_differs_at_the_head_is_sent_again(hub, model, workspace):
    first = sent(model, hub, workspace)
    repo = hub.repo(REPO)
    repo.tags.clear()
    files = repo.at(first.commit).files
    files["model.safetensors"] = files["config.json"]
    again = sent(model, hub, workspace)
    assert again.sent == ["model.safetensors"]
    assert repo.tags == {"run-7": again.commit}


def test_a_tag_on_another_model_is_an_error(hub, model, workspace):
    first = sent(model, hub, workspace)
    (model / "config.json").write_text("{}")
    sealed(model)
    with pytest.raises(ConflictError, match="the tag run-7 is there and names other files"):
        sent(model, hub, workspace)
    assert hub.repo(REPO).tags["run-7"] == first.commit


def test_the_lineage_names_where_a_model_went(hub, model, workspace):
    report = sent(model, hub, workspace)
    found = {one["kind"]: one for one in lineage("mine", workspace)}
    assert found["model"]["pushed"] == [f"{REPO}@{report.commit}"]
    assert json.dumps(found)
    assert read_certificate(model).run_id == "run-7"

"""Publishing to a repository: what is there afterwards, for whom, and what is not sent twice."""

import json
from collections.abc import Iterator

import pytest
from hub_ground import (
    CLIENT_WARNINGS,
    READER,
    REPO,
    STRANGER,
    TOKEN,
    WRONG,
    Waits,
    hub_for_tests,
    sealed,
    secret,
)
from hub_server import Hub
from hub_storage import Repo, small
from made import gpt_export, gpt_talk

from dataset.build import build
from dataset.hub.errors import ConflictError, HubError
from dataset.hub.push import push
from dataset.hub.record import read_pushes
from dataset.hub.report import PushReport
from dataset.manifest import DatasetSpec, DatasetVersion, VersionError
from ingest.load import import_export
from ingest.store import open_store
from ingest.workspace import Workspace

pytestmark = CLIENT_WARNINGS


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_for_tests(monkeypatch) as running:
        yield running


@pytest.fixture
def version(tmp_path) -> DatasetVersion:
    return sealed(tmp_path / "home", 40)


def sent(version: DatasetVersion, hub: Hub, token: str = TOKEN, **options) -> PushReport:
    workspace = Workspace(version.path.parents[2])
    options = {"patience": Waits().patience, "endpoint": hub.url, **options}
    return push(version, options.pop("repo", REPO), workspace, token=secret(token), **options)


def test_a_push_makes_a_private_repository_with_one_commit_and_a_tag(hub, version):
    report = sent(version, hub)
    repo = hub.repo(REPO)
    assert repo.private
    assert report.private
    assert repo.tags == {version.fingerprint: report.commit}
    assert repo.head.oid == report.commit
    assert len(repo.commits) == 2  # the Hub's own first one, and ours
    extra = {".gitattributes", "README.md", "manifest.json", "croissant.json"}
    assert set(repo.head.files) == {*version.files, *extra}
    for path, info in version.files.items():
        assert repo.head.files[path].data == (version.path / path).read_bytes()
        assert repo.head.files[path].sha256 == info.sha256


def test_the_report_counts_what_the_server_received(hub, version):
    report = sent(version, hub)
    assert report.bytes_sent == sum(hub.faults.received.values())
    assert report.bytes_changed == sum(item.size for item in report.files)
    assert report.as_json()["repo"] == REPO
    assert report.as_json()["revision"] == version.fingerprint
    assert all(file["sent"] for file in report.as_json()["files"])


def test_pushing_again_sends_nothing_and_changes_nothing(hub, version):
    first = sent(version, hub)
    before = dict(hub.repo(REPO).commits)
    again = sent(version, hub)
    assert again.commit == first.commit
    assert (again.sent, again.bytes_sent, again.bytes_changed) == ([], 0, 0)
    assert hub.repo(REPO).commits == before


def test_a_later_version_replaces_the_earlier_and_both_stay_readable(hub, tmp_path):
    first = sealed(tmp_path / "a", 40)
    second = sealed(tmp_path / "a", 60, split={"validation": 0, "test": 0})
    sent(first, hub)
    report = sent(second, hub)
    repo = hub.repo(REPO)
    assert report.removed == ["data/test-00000.parquet", "data/validation-00000.parquet"]
    assert {path for path in repo.head.files if path.startswith("data/")} == set(second.files)
    at_first = repo.at(first.fingerprint).files
    assert {path for path in at_first if path.startswith("data/")} == set(first.files)
    assert set(repo.tags) == {first.fingerprint, second.fingerprint}


def test_only_files_that_differ_are_sent(hub, tmp_path):
    first = sealed(tmp_path / "a", 40)
    sent(first, hub)
    other = sealed(tmp_path / "a", 40, name="other")
    put = hub.faults.received["put"]
    report = sent(other, hub)  # other name, same rows: same fingerprint, same files
    assert report.sent == []
    assert hub.faults.received["put"] == put


def test_files_of_others_in_the_repository_stay(hub, version):
    repo = hub.storage.repos[REPO] = Repo(REPO, private=True)
    repo.add("main", "notes", {**repo.head.files, "notes.md": small(b"mine")})
    sent(version, hub)
    assert repo.head.files["notes.md"].data == b"mine"


def test_multipart_uploads_arrive_whole(monkeypatch, version):
    with hub_for_tests(monkeypatch, multipart=2000) as hub:
        sent(version, hub)
        assert hub.calls("part") > hub.calls("complete") > 0
        for path in version.files:
            assert hub.repo(REPO).head.files[path].data == (version.path / path).read_bytes()


def test_a_dry_run_sends_nothing(hub, version):
    report = sent(version, hub, dry_run=True)
    assert report.dry_run
    assert len(report.sent) == len(version.files) + 3
    assert hub.storage.repos == {}
    assert {seen.method for seen in hub.faults.seen} == {"GET"}
    sent(version, hub)
    assert sent(version, hub, dry_run=True).sent == []


def test_a_damaged_version_is_not_published(hub, version):
    (version.path / "data/train-00000.parquet").write_bytes(b"x")
    with pytest.raises(VersionError, match="differs"):
        sent(version, hub)
    assert hub.faults.seen == []


# -- who sees it ---------------------------------------------------------------------------------


def test_a_public_repository_is_refused_before_anything_is_sent(hub, version):
    hub.storage.repos[REPO] = Repo(REPO, private=False)
    with pytest.raises(HubError, match="is public") as caught:
        sent(version, hub)
    assert "--public" in caught.value.hint
    assert {seen.method for seen in hub.faults.seen} == {"GET"}


def test_a_repository_that_the_hub_makes_public_is_refused(monkeypatch, version):
    with hub_for_tests(monkeypatch, public_by_default=True) as hub:
        with pytest.raises(HubError, match="is public"):
            sent(version, hub)
        assert hub.calls("preupload") == hub.calls("put") == hub.calls("commit") == 0


def test_a_repository_that_becomes_public_meanwhile_gets_no_tag(hub, version):
    def opened() -> None:
        hub.repo(REPO).private = False

    hub.fault("verify", "first", action=opened)
    with pytest.raises(HubError, match="is public"):
        sent(version, hub)
    assert hub.repo(REPO).tags == {}


def test_public_needs_a_clean_version(hub, tmp_path):
    workspace = Workspace(tmp_path / "told").create()
    export = tmp_path / "conversations.json"
    export.write_bytes(gpt_export(gpt_talk(1, text="Write to anna@mill.example.org?")))
    with open_store(workspace.store) as store:
        import_export(export, store)
        told = build(store, DatasetSpec(name="told"), workspace)
    with pytest.raises(HubError, match="stays private") as caught:
        sent(told, hub, public=True)
    assert "redact-check" in caught.value.hint
    assert hub.faults.seen == []


def test_public_when_clean(hub, version):
    assert sent(version, hub, public=True).private is False
    assert hub.repo(REPO).private is False
    with pytest.raises(HubError, match="is public"):
        sent(version, hub)


def test_the_visibility_of_a_repository_is_not_changed(hub, version):
    sent(version, hub)
    assert sent(version, hub, public=True).private is True


@pytest.mark.parametrize(
    ("token", "words"),
    [(WRONG, "valid token .401."), (READER, "may not do this .403."),
     (STRANGER, "may not do this .403.")],
)  # fmt: skip
def test_a_token_that_may_not_write(hub, version, token, words):
    with pytest.raises(HubError, match=words) as caught:
        sent(version, hub, token)
    assert caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    assert hub.storage.repos == {}


def test_a_repository_of_somebody_else(hub, version):
    hub.storage.repos["cy/talks"] = Repo("cy/talks", private=True)
    with pytest.raises(HubError, match="403"):
        sent(version, hub, repo="cy/talks")


def test_no_token_at_all(hub, version):
    workspace = Workspace(version.path.parents[2])
    with pytest.raises(HubError, match="needs a token") as caught:
        push(version, REPO, workspace, token=None, endpoint=hub.url)
    assert "hf auth login" in caught.value.hint
    assert hub.faults.seen == []


@pytest.mark.parametrize("name", ["talks", "a/b/c", "../x", "org/..", "org/a b", "org/", ""])
def test_a_name_that_is_none(hub, version, name):
    with pytest.raises(HubError, match="is no repository"):
        sent(version, hub, repo=name)


# -- the tag -------------------------------------------------------------------------------------


def test_a_tag_of_other_content_is_an_error(hub, version, tmp_path):
    other = sealed(tmp_path / "b", 10)
    sent(other, hub)
    repo = hub.repo(REPO)
    repo.tags[version.fingerprint] = repo.head.oid
    with pytest.raises(ConflictError, match="names other files"):
        sent(version, hub)
    assert repo.tags[version.fingerprint] == repo.at(other.fingerprint).oid


def test_the_tag_is_made_last(hub, version):
    sent(version, hub)
    routes = [seen.route for seen in hub.faults.seen]
    assert routes.index("tag") > len(routes) - 1 - routes[::-1].index("resolve")
    assert routes.index("tag") > routes.index("commit") > routes.index("verify")


# -- the record ----------------------------------------------------------------------------------


def test_the_workspace_remembers_where_a_version_went(hub, version):
    report = sent(version, hub)
    workspace = Workspace(version.path.parents[2])
    (record,) = read_pushes(workspace)
    assert (record.repo, record.fingerprint, record.commit, record.state, record.private) == (
        REPO, version.fingerprint, report.commit, "done", True,
    )  # fmt: skip
    assert workspace.pushes.stat().st_mode & 0o777 == 0o600
    sent(version, hub, repo="org/copy")
    assert [each.repo for each in read_pushes(workspace)] == [REPO, "org/copy"]


def test_a_push_that_died_is_remembered_too(hub, version):
    hub.fault("put", "status", status=403)
    with pytest.raises(HubError):
        sent(version, hub)
    (record,) = read_pushes(Workspace(version.path.parents[2]))
    assert (record.state, record.commit) == ("started", None)


def test_a_record_that_a_crash_cut_off_is_left_out(hub, version):
    workspace = Workspace(version.path.parents[2])
    workspace.pushes.write_bytes(b'{"repo": "org/x", "fing')
    sent(version, hub)
    assert [record.repo for record in read_pushes(workspace)] == [REPO]
    workspace.pushes.write_bytes(json.dumps({"repo": 5}).encode())
    with pytest.raises(Exception, match="line 1 is no record"):
        read_pushes(workspace)

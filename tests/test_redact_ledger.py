"""What was removed is written down as salted hashes, for the workspace's owner alone."""

import stat
from pathlib import Path

import polars as pl
import pytest
from redact_ground import put, talk

from dataset.build import build
from dataset.manifest import DatasetSpec, StepSpec
from dataset.redact.ledger import (
    LEDGER_SCHEMA,
    empty_ledger,
    ledger_path,
    read_ledger,
    value_hash,
    workspace_secret,
    write_ledger,
)
from ingest.errors import StoreError
from ingest.store import Store
from ingest.workspace import Workspace

ROW = ("talk-1", 0, "content", "email", 4, 13, "[EMAIL_1]", "ab" * 32)
SPEC = DatasetSpec(name="d", steps=[StepSpec(name="redact")])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_read(workspace: Workspace) -> None:
    frame = pl.DataFrame([ROW], schema=LEDGER_SCHEMA, orient="row")
    path = write_ledger(workspace, "d", "f" * 64, frame)
    assert path == ledger_path(workspace, "d", "f" * 64)
    assert read_ledger(workspace, "d", "f" * 64).rows() == [ROW]


def test_only_the_owner_can_read_it(workspace: Workspace) -> None:
    path = write_ledger(workspace, "d", "f" * 64, empty_ledger())
    workspace_secret(workspace)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert mode(workspace.secret) == 0o600


def test_a_version_without_one_has_an_empty_ledger(workspace: Workspace) -> None:
    assert read_ledger(workspace, "d", "0" * 64).equals(empty_ledger())


def test_a_damaged_one_is_said_to_be(workspace: Workspace) -> None:
    path = write_ledger(workspace, "d", "f" * 64, empty_ledger())
    path.write_bytes(b"no parquet")
    with pytest.raises(StoreError, match=path.name):
        read_ledger(workspace, "d", "f" * 64)


def test_the_hash_is_of_the_value_whatever_its_form(workspace: Workspace) -> None:
    secret = workspace_secret(workspace)
    assert value_hash(secret, "Müller") == value_hash(secret, "MU\u0308LLER")
    assert value_hash(secret, "Müller") != value_hash(secret, "Muller")


def test_another_workspace_has_other_hashes(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "other").create()
    hashes = {value_hash(workspace_secret(each), "Anna") for each in (workspace, other)}
    assert len(hashes) == 2


def test_the_secret_stays_the_same(workspace: Workspace) -> None:
    assert workspace_secret(workspace) == workspace_secret(workspace)


def test_a_damaged_secret_is_not_replaced(workspace: Workspace) -> None:
    workspace.secret.write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        workspace_secret(workspace)
    assert workspace.secret.read_bytes() == b"short"


def test_a_build_writes_one_outside_of_the_version(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Ek", "Bot Bo"], "I am Anna, anna@mill-post.org", "Hi Anna"))
    version = build(store, SPEC, workspace)
    ledger = read_ledger(workspace, "d", version.fingerprint)
    assert ledger.filter(pl.col("kind") == "email").height == 1
    assert not [path for path in version.path.rglob("*") if "ledger" in path.name]
    secret = workspace_secret(workspace)
    assert value_hash(secret, "anna@mill-post.org") in ledger["hash"].to_list()


def test_places_are_those_of_the_redacted_text(store: Store, workspace: Workspace) -> None:
    put(
        store,
        talk(1, ["Anna Ek", "Bo Ås"], "Bo, mail anna@mill-post.org or x@y.org; Anna", "No, Anna"),
        talk(2, ["Anna Ek", "Bo Ås"], "nothing here", "Bo's", title="Anna Ek"),
    )
    version = build(store, SPEC, workspace)
    rows = {row["id"]: row for row in version.rows("train")}
    rows |= {row["id"]: row for split in version.splits for row in version.rows(split)}
    for entry in read_ledger(workspace, "d", version.fingerprint).iter_rows(named=True):
        row = rows[entry["conversation"]]
        holder = row if entry["position"] is None else row["messages"][entry["position"]]
        texts = holder[entry["field"]]
        found = [texts] if isinstance(texts, str) else texts
        cut = [text[entry["start"] : entry["end"]] for text in found]
        assert entry["placeholder"] in cut


def test_nothing_readable_is_in_it(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Quillfeather", "Bo Ås"], "Quillfeather! q@mill-post.org", "Yes?"))
    version = build(store, SPEC, workspace)
    raw = ledger_path(workspace, "d", version.fingerprint).read_bytes()
    numbers = workspace.person_numbers.read_bytes()
    manifest = (version.path / "manifest.json").read_bytes()
    for word in (b"Quillfeather", b"mill-post"):
        assert word not in raw + numbers + manifest

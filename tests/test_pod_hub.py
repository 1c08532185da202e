"""A run's files travel through a private repository on the Hub."""

import hashlib

import pytest
from hub_ground import CLIENT_WARNINGS, READER, TOKEN, Waits, hub_for_tests, secret

from train.launchers import pod_boot
from train.launchers.carrier_hub import HubCarrier
from train.launchers.carriers import CarrierError
from train.launchers.pod_files import (
    Manifest,
    listed,
    read_manifest,
    verify,
    write_manifest,
)

pytestmark = CLIENT_WARNINGS
REPO = "org/runs"


@pytest.fixture
def hub(monkeypatch):
    with hub_for_tests(monkeypatch) as running:
        yield running


@pytest.fixture
def carrier(hub):
    return HubCarrier(REPO, secret(), "r1", endpoint=hub.url, patience=Waits().patience)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "log.txt").write_bytes(b"a line\n")
    (folder / "weights.safetensors").write_bytes(b"w" * 4000)
    return folder


def manifest(folder):
    return Manifest(
        run_id="r1", attempt=1, files=listed(folder, ["log.txt", "weights.safetensors"]),
        state="succeeded",
    )  # fmt: skip


def test_a_delivery_is_read_back_whole_from_a_private_repository(hub, carrier, files):
    write_manifest(carrier, manifest(files), files)
    assert hub.repo(REPO).private
    found = read_manifest(carrier, 1)
    assert found == manifest(files)
    assert verify(carrier, found) == []
    assert {*carrier.names()} == {"manifest-a1.json", "a1/log.txt", "a1/weights.safetensors"}


def test_other_content_is_found(hub, carrier, files):
    made = manifest(files)
    write_manifest(carrier, made, files)
    (files / "log.txt").write_bytes(b"a lime\n")
    carrier.put(files / "log.txt", "a1/log.txt")
    assert verify(carrier, made) == ["log.txt: other content than was delivered"]
    carrier.delete("a1/weights.safetensors")
    carrier.delete("a1/weights.safetensors")
    assert len(verify(carrier, made)) == 2


@pytest.mark.parametrize("route", ["commit", "preupload"])
def test_an_upload_that_is_lost_or_refused_for_a_while_arrives(hub, carrier, files, route):
    carrier.put(files / "log.txt", "first")
    hub.fault(route, "status", status=503, times=2)
    write_manifest(carrier, manifest(files), files)
    assert verify(carrier, manifest(files)) == []


def test_where_others_can_read_nothing_is_sent(hub, carrier, files):
    hub.public_by_default = True
    with pytest.raises(CarrierError, match="others can read"):
        carrier.put(files / "log.txt", "log.txt")
    assert hub.calls("commit") == 0


def test_two_runs_in_one_repository_do_not_see_each_other(hub, carrier, files):
    other = HubCarrier(REPO, secret(), "r2", endpoint=hub.url)
    carrier.put(files / "log.txt", "log.txt")
    assert other.names() == {}


def test_the_boot_program_keeps_its_token_from_where_the_files_lie(
    hub, carrier, files, tmp_path, monkeypatch, capsys
):
    carrier.put(files / "weights.safetensors", "weights.safetensors")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("TURNMILL_CARRIER", f"hub:{REPO}/r1")
    # the other origin refuses requests that bring a token
    with pod_boot.opened("weights.safetensors") as source:
        assert source.read() == b"w" * 4000
    assert pod_boot.opened("nothing.tar") is None
    assert TOKEN not in capsys.readouterr().out
    monkeypatch.setenv("HF_TOKEN", READER + "x")
    monkeypatch.setenv("TURNMILL_BUNDLE", hashlib.sha256(b"").hexdigest())
    why = pod_boot.fetched(tmp_path / "pod", sleep=lambda _: None)
    assert why == "the archive could not be read: HTTPError"

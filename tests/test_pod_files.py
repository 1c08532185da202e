"""What travels by a carrier is whole or not there."""

import json
from pathlib import Path

import pytest
from runpod_ground import TOKEN

from ingest.files import sha256_file, write_json
from train.checkpoints import SEAL, Progress, part_folder, seal
from train.launchers.carrier_folder import FolderCarrier
from train.launchers.carriers import CarrierError
from train.launchers.pod_bundle import JOB
from train.launchers.pod_files import (
    Manifest,
    delivered_name,
    fetch,
    listed,
    manifest_name,
    read_manifest,
    read_status,
    verify,
    write_manifest,
)
from train.launchers.pod_prepare import restore
from train.launchers.pod_upload import deliver, put_checkpoint


class Cut(FolderCarrier):
    """Breaks off after some files."""

    left = 0

    def put(self, local: Path, name: str) -> None:
        if self.left == 0:
            raise CarrierError(f"{name}: cut")
        self.left -= 1
        super().put(local, name)


@pytest.fixture
def carrier(tmp_path):
    return FolderCarrier(tmp_path / "volume" / "r1")


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "pod" / "run"
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter/weights").write_bytes(b"w" * 3000)
    (folder / "log.txt").write_bytes(b"")
    write_json(folder.parent / JOB, {"run_id": "r1", "outputs": ["adapter"]})
    return folder


def checkpoint(run_dir, step, content=b"state"):
    part = part_folder(run_dir / "checkpoints")
    (part / "state.bin").write_bytes(content)
    return seal(part, run_dir / "checkpoints", Progress(step=step), keep=9)


def test_a_delivery_is_read_back_whole(carrier, run_dir):
    made = deliver(carrier, run_dir.parent, 1, "succeeded")
    assert read_manifest(carrier, 1) == made
    assert {*made.files} == {"adapter/weights", "log.txt"}
    assert verify(carrier, made) == []


@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_a_delivery_that_was_cut_has_no_manifest(tmp_path, run_dir, arrived):
    whole = FolderCarrier(tmp_path / "volume" / "r1")
    deliver(whole, run_dir.parent, 1, "succeeded")
    cut = Cut(whole.root)
    cut.left = arrived
    # also where an earlier try had come to its end
    with pytest.raises(CarrierError):
        deliver(cut, run_dir.parent, 1, "succeeded")
    assert read_manifest(whole, 1) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda place: place.write_bytes(b"x" * 3000), "other content"),
        (lambda place: place.write_bytes(b"w" * 2999), "2999 bytes instead of 3000"),
        (lambda place: place.unlink(), "is not on the volume"),
    ],
)
def test_what_differs_where_it_lies_is_found_and_not_fetched(
    carrier, run_dir, tmp_path, spoil, said
):
    made = deliver(carrier, run_dir.parent, 1, "succeeded")
    spoil(carrier.root / delivered_name(1, "adapter/weights"))
    [wrong] = verify(carrier, made)
    assert said in wrong
    with pytest.raises(CarrierError, match="adapter/weights"):
        fetch(carrier, made, tmp_path / "here")
    assert not (tmp_path / "here/adapter/weights").exists()


def test_attempts_do_not_touch_each_other(carrier, run_dir):
    first = deliver(carrier, run_dir.parent, 1, "ended")
    (run_dir / "adapter/weights").write_bytes(b"better")
    deliver(carrier, run_dir.parent, 2, "succeeded")
    assert verify(carrier, first) == []


def test_a_manifest_of_another_attempt_or_with_a_path_outside_is_refused(
    carrier, run_dir, tmp_path
):
    made = deliver(carrier, run_dir.parent, 1, "succeeded")
    carrier.put(carrier.root / manifest_name(1), manifest_name(2))
    with pytest.raises(CarrierError, match="attempt 1"):
        read_manifest(carrier, 2)
    line = made.files["log.txt"]
    outside = made.model_copy(update={"files": {"../../log.txt": line}})
    assert len(verify(carrier, outside)) == 1
    with pytest.raises(CarrierError):
        fetch(carrier, outside, tmp_path / "here")


def test_a_checkpoint_without_its_seal_is_not_gone_on_from(tmp_path, carrier, run_dir):
    checkpoint(run_dir, 4)
    assert put_checkpoint(carrier, run_dir, "checkpoint-4")
    checkpoint(run_dir, 8)
    cut = Cut(carrier.root)
    cut.left = 1
    with pytest.raises(CarrierError):
        put_checkpoint(cut, run_dir, "checkpoint-8")
    assert restore(carrier, tmp_path / "next") == "checkpoint-4"
    assert (tmp_path / "next/checkpoints/checkpoint-4/state.bin").read_bytes() == b"state"


def test_a_damaged_checkpoint_is_passed_over(tmp_path, carrier, run_dir):
    for step in (4, 8):
        checkpoint(run_dir, step)
        put_checkpoint(carrier, run_dir, f"checkpoint-{step}")
    (carrier.root / "checkpoints/checkpoint-8/state.bin").write_bytes(b"other")
    assert restore(carrier, tmp_path / "next") == "checkpoint-4"
    assert not (tmp_path / "next/checkpoints/checkpoint-8").exists()


def test_the_newest_checkpoints_stay_and_go_once_the_run_is_delivered(carrier, run_dir):
    for step in (2, 4, 10):
        checkpoint(run_dir, step)
        put_checkpoint(carrier, run_dir, f"checkpoint-{step}")
    kept = {name.split("/")[1] for name in carrier.names() if name.startswith("checkpoints/")}
    assert kept == {"checkpoint-4", "checkpoint-10"}
    deliver(carrier, run_dir.parent, 1, "succeeded")
    assert not [name for name in carrier.names() if name.startswith("checkpoints/")]


def test_a_checkpoint_that_is_there_is_not_put_again(carrier, run_dir):
    checkpoint(run_dir, 4)
    put_checkpoint(carrier, run_dir, "checkpoint-4")
    # a failed upload would otherwise cost the one that was whole
    assert put_checkpoint(Cut(carrier.root), run_dir, "checkpoint-4")
    assert f"checkpoints/checkpoint-4/{SEAL}" in carrier.names()


def test_a_checkpoint_that_a_newer_one_replaced_meanwhile_is_let_go(carrier, run_dir):
    assert not put_checkpoint(carrier, run_dir, "checkpoint-4")


def test_a_status_that_is_half_there_is_none(carrier):
    carrier.root.mkdir(parents=True)
    (carrier.root / "status.json").write_text('{"attempt": 1')
    assert read_status(carrier) is None


def test_a_full_volume_is_told_in_two_lines(carrier, run_dir, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train.launchers.carrier_folder.shutil.copyfileobj", full)
    with pytest.raises(CarrierError, match="No space left") as caught:
        carrier.put(run_dir / "log.txt", "log.txt")
    assert "larger" in caught.value.hint
    assert carrier.names() == {}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "a/./b", "a\nb"])
def test_names_stay_under_the_prefix(carrier, tmp_path, name):
    with pytest.raises(CarrierError):
        carrier.get(name, tmp_path / "x")


def test_an_unchanged_file_is_not_fetched_twice(carrier, run_dir, tmp_path):
    file = run_dir / "log.txt"
    made = Manifest(run_id="r1", attempt=1, state="failed", files=listed(run_dir, ["log.txt"]))
    write_manifest(carrier, made, run_dir)
    fetch(carrier, made, tmp_path / "here")
    (carrier.root / delivered_name(1, "log.txt")).unlink()
    fetch(carrier, made, tmp_path / "here")
    assert sha256_file(tmp_path / "here/log.txt") == sha256_file(file)


def test_nothing_that_is_written_holds_a_token(carrier, run_dir, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    made = deliver(carrier, run_dir.parent, 1, "succeeded")
    assert TOKEN not in json.dumps(made.model_dump(mode="json"))

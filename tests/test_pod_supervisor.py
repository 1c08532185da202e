"""A pod does its run, tells how it stands, and ends itself whatever happens in it."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from hub_ground import CLIENT_WARNINGS, TOKEN, hub_for_tests, secret
from pod_ground import PodGround, bundled, connected, planned, processes
from runpod_faults import Fate

from train.launchers.carrier_hub import HubCarrier
from train.launchers.pod_files import BUNDLE, fetch, read_manifest, read_status, verify
from train.launchers.pod_start import CarrierSetting, Limits

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return planned(tmp_path_factory.mktemp("run"))


@pytest.fixture
def ground_of(plan, tmp_path):
    """Makes the emulator's pods run a program instead of the training."""
    opened = []

    def make(program=None):
        bundle = bundled(plan, tmp_path / "program", program)
        entered = connected(tmp_path)
        opened.append(entered)
        return PodGround(*entered.__enter__(), plan, bundle)

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def states(events):
    return [event["state"] for event in events if event["event"] == "pod"]


def until(check, seconds=20.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_run_that_ends_well_is_delivered_whole_and_its_pod_is_gone(plan, tmp_path):
    with connected(tmp_path) as (emulator, api):
        ground = PodGround(emulator, api, plan, bundled(plan, tmp_path))
        events = ground.gone(ground.launch())
        status, manifest = read_status(ground.carrier), read_manifest(ground.carrier, 1)
        assert (status.state, status.step, manifest.state) == ("succeeded", 12, "succeeded")
        assert verify(ground.carrier, manifest) == []
        record = fetch(ground.carrier, manifest, plan.run_dir)
        assert (record.state, record.plan) == ("succeeded", plan)
        assert all((plan.run_dir / path).is_file() for path in record.artefacts)
        assert states(events) == [
            *("starting", "starting", "preparing", "running"),
            *(state for state in states(events) if state.startswith("checkpoint")),
            *("uploading", "succeeded", "ending"),
        ]
        # as if it had been trained here
        settings = json.loads((plan.run_dir / "adapter/adapter_config.json").read_text())
        assert settings["base_model_name_or_path"] == str(plan.base.path)
        assert any(event["event"] == "step" and event["step"] == 12 for event in events)


# writes its step and its variables, and goes on until it is asked to stop
STEADY = """
import json, os, pathlib, signal, sys, time
out = pathlib.Path("run/out"); out.mkdir()
(out / "environment.txt").write_text("\\n".join(sorted(os.environ)))
def stop(*_):
    (out / "weights.bin").write_bytes(b"w" * 5000)
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
for step in range(1, 100000):
    print(json.dumps({"event": "step", "step": step, "steps": 100000}), flush=True)
    time.sleep(0.05)
"""


def test_at_its_limit_a_pod_saves_what_there_is_and_ends(ground_of):
    ground = ground_of(STEADY)
    ground.place = ground.place._replace(secret="hub")
    ground.world.secrets["hub"] = "hf_secret"
    pod = ground.launch(Limits(16.0, reserve_s=8.0))
    events = ground.gone(pod, 30.0)
    manifest, status = read_manifest(ground.carrier, 1), read_status(ground.carrier)
    assert (manifest.state, manifest.failure.kind) == ("ended", "max-hours")
    assert (status.state, status.failure.kind) == ("ended", "max-hours")
    assert status.step > 3
    assert manifest.files["out/weights.bin"].size == 5000
    assert verify(ground.carrier, manifest) == []
    assert states(events)[-3:] == ["uploading", "ended", "ending"]
    # the training is told no secrets
    names = (ground.carrier.root / "a1/out/environment.txt").read_text().split()
    assert not {"RUNPOD_API_KEY", "HF_TOKEN"} & {*names}


# what another program than ours may leave
OTHER = """
import json, pathlib
pathlib.Path("run/out").mkdir()
pathlib.Path("run/out/model.safetensors").write_bytes(b"m" * 2000)
print("a line that is no event", flush=True)
print(json.dumps({"event": "step", "step": 1, "steps": 1}), flush=True)
"""


@CLIENT_WARNINGS
def test_another_program_is_run_and_delivered_by_the_hub(ground_of, plan, monkeypatch):
    ground = ground_of(OTHER)
    with hub_for_tests(monkeypatch) as hub:
        carrier = HubCarrier("org/runs", secret(), "r1", endpoint=hub.url)
        ground.carrier.get(BUNDLE, ground.world.folder / BUNDLE)
        carrier.put(ground.world.folder / BUNDLE, BUNDLE)
        ground.place = CarrierSetting(
            "hub:org/runs/r1", ground.place.bundle_sha256, secret="hub", endpoint=hub.url
        )
        ground.world.secrets["hub"] = TOKEN
        # the server has none
        ground.variables["HF_HUB_DISABLE_XET"] = "1"
        pod = ground.launch()
        ground.gone(pod)
        found, status = read_manifest(carrier, 1), read_status(carrier)
        assert (found.state, status.state, status.step) == ("succeeded", "succeeded", 1)
        assert verify(carrier, found) == []
        # a record says of any program what it made
        assert found.record["states"][-1]["state"] == "succeeded"
        assert {*found.record["artefacts"]} == {"out/model.safetensors"}
        assert TOKEN not in "\n".join(ground.log(pod.id))


def test_money_ends_a_pod_where_it_runs_out_first(ground_of):
    ground = ground_of(STEADY)
    ground.gone(ground.launch(Limits(600.0, usd_per_hour=3600.0, max_usd=5.0, reserve_s=3.0)), 25.0)
    assert read_status(ground.carrier).failure.kind == "max-usd"


TALKING = """
import sys, time
for line in range(12):
    sys.stderr.write("a line of its own\\n")
    sys.stderr.flush()
    time.sleep(0.5)
"""


def test_the_log_of_another_program_is_a_sign_of_life(ground_of):
    ground = ground_of(TALKING)
    events = ground.gone(ground.launch(Limits(600.0, stall_s=3.0)), 30.0)
    assert states(events)[-2] == "succeeded"
    assert not any("its own" in line for line in ground.log("pod000001"))


SILENT = """
import json, time
print(json.dumps({"event": "step", "step": 1, "steps": 9}), flush=True)
time.sleep(600)
"""


def test_a_run_that_moves_no_more_is_ended_although_its_pod_has_time(ground_of):
    ground = ground_of(SILENT)
    ground.gone(ground.launch(Limits(600.0, stall_s=1.5)), 25.0)
    status = read_status(ground.carrier)
    assert (status.state, status.failure.kind, status.step) == ("failed", "stall", 1)
    assert read_manifest(ground.carrier, 1).record["failure"]["class"] == "stall"


FAILING = """
import sys
sys.stderr.write("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\\n")
sys.exit(1)
"""


def test_a_pod_ends_once_runpod_agrees_and_not_before(ground_of):
    ground = ground_of(FAILING)
    ground.emulator.faults.add("action", "status", status=503)
    ground.emulator.faults.add("action", "html", status=502)
    ground.emulator.faults.add("action", "status", status=503)
    events = ground.gone(ground.launch(), 30.0)
    refused = [event["status"] for event in events if event.get("state") == "not_ended"]
    assert refused == [503, 502, 503]
    assert read_status(ground.carrier).failure.kind == "out-of-memory"


def test_where_the_supervisor_is_killed_the_pod_ends_and_delivers_nothing(ground_of):
    ground = ground_of(STEADY)
    pod = ground.launch()
    home = str(ground.world.pods[pod.id].folder / "disk")
    until(lambda: any(event["event"] == "step" for event in ground.events(pod.id)))
    for pid in processes(home, "pod_supervisor"):
        os.kill(pid, signal.SIGKILL)
    ground.gone(pod, 20.0)
    status = read_status(ground.carrier)
    assert (status.state, status.failure.kind) == ("failed", "killed")
    assert read_manifest(ground.carrier, 1) is None
    # nor is anything left that runs
    assert processes(home, "") == []


def test_where_the_whole_boot_program_is_killed_the_pod_ends(ground_of):
    ground = ground_of(STEADY)
    pod = ground.launch()
    home = str(ground.world.pods[pod.id].folder / "disk")
    until(lambda: processes(home, "pod_supervisor"))
    # an argument of its own: not the shell that holds all three
    for pid in processes(home, "\0run\0"):
        os.kill(pid, signal.SIGKILL)
    ground.gone(pod, 20.0)


def test_without_its_cards_a_pod_trains_nothing_and_ends_at_once(ground_of):
    ground = ground_of(STEADY)
    ground.world.fates.append(Fate(no_gpus=True))
    events = ground.gone(ground.launch(gpus=1), 20.0)
    status = read_status(ground.carrier)
    assert (status.state, status.failure.kind) == ("failed", "no-gpu")
    assert "preparing" not in states(events)


def test_what_the_image_lacks_is_told_where_it_may_not_be_installed(ground_of, monkeypatch):
    monkeypatch.setattr("train.launchers.pod_bundle.requirements", lambda plan: ["nowhere==1.0"])
    ground = ground_of(STEADY)
    ground.gone(ground.launch(install=False), 20.0)
    found = read_status(ground.carrier).failure
    assert (found.kind, "nowhere==1.0" in found.message) == ("install", True)


def test_an_archive_that_is_not_the_one_sent_is_not_run(ground_of, monkeypatch):
    ground = ground_of(STEADY)
    place = ground.carrier.root / BUNDLE
    place.write_bytes(place.read_bytes() + b"\0")
    pod = ground.launch()
    until(lambda: "waiting" in states(ground.events(pod.id)))
    # it is looked at again, for a volume may show old content for a while
    ground.api.terminate(pod.id)
    assert "preparing" not in states(ground.events(pod.id))


@pytest.mark.skipif(not os.environ.get("TURNMILL_SOAK"), reason="two more trainings")
def test_a_lost_pod_costs_no_more_than_the_steps_since_its_last_checkpoint(tmp_path):
    plan = planned(tmp_path / "longer", epochs=40.0, save_every_steps=20, keep_checkpoints=4)
    with connected(tmp_path) as (emulator, api):
        ground = PodGround(emulator, api, plan, bundled(plan, tmp_path))
        pod = ground.launch()
        until(lambda: "checkpoint_saved" in states(ground.events(pod.id)), 60.0)
        ground.api.terminate(pod.id)
        assert read_manifest(ground.carrier, 1) is None
        events = ground.gone(ground.launch(attempt=2))
        [start] = [event for event in events if event["event"] == "start"]
        assert start["from_step"] >= 20
        found = read_manifest(ground.carrier, 2)
        assert (found.state, verify(ground.carrier, found)) == ("succeeded", [])
        assert found.record["metrics"]["step"] == plan.steps
        # all steps of both are told
        told = (ground.carrier.root / "a2/metrics.jsonl").read_text().splitlines()
        steps = {json.loads(line).get("step") for line in told}
        assert {*range(1, plan.steps + 1)} <= steps


def test_the_same_run_makes_the_same_archive_and_names_nothing_of_this_machine(plan, tmp_path):
    one, other = (bundled(plan, tmp_path / name, STEADY) for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as archive:
        told = archive.extractfile("run/plan.json").read().decode()
        assert not [name for name in archive.getnames() if "__pycache__" in name]
    assert str(plan.run_dir.parent) not in told
    assert str(plan.base.path.parent) not in told


def test_the_supervisor_needs_no_package_but_its_own():
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import train.launchers.pod_supervisor"],
        cwd=root, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

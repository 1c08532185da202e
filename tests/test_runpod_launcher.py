"""The whole path: a run on RunPod, whose pods are processes here, from the command to a model."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from pydantic import SecretStr
from runpod_clocks import HandClock, WallClock
from runpod_doors import InProcess, running
from runpod_emulator import KEY, Emulator
from runpod_faults import Fate
from runpod_ground import held
from runpod_machines import Simulated
from train_ground import small_version, tiny_base
from typer.testing import CliRunner

from ingest.workspace import Workspace
from serve.cli import app
from train.failures import OUT_OF_MEMORY
from train.gpus import find_card
from train.launchers.carrier_folder import FolderCarrier
from train.launchers.pod_files import Manifest, listed, write_manifest
from train.launchers.runpod import RunpodLauncher
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_ledger import BusyError, Ledger
from train.launchers.runpod_lines import PolledLines
from train.launchers.runpod_reap import SILENCE_S, reap
from train.launchers.runpod_rental import write_rental
from train.record import Failure, read_record
from train.run import prepare_run
from train.spec import RunpodSpec, load_train_spec

pytestmark = pytest.mark.torch

_SPEC = """
dataset = "support@latest"
base_model = "{base}"
learning_rate = 5e-3
epochs = 4.0
micro_batch = 4
grad_accumulation = 2
save_every_steps = 1
max_length = 128
report_to = []

[lora]
r = 4
alpha = 8

[runpod]
max_usd_per_hour = {usd_per_hour}
max_usd = 1.0
{where}
image = "image:1"
python = "{python}"
volume = "vol000001"
volume_folder = "{volume}"
"""
_CPU = 'cpu = "cpu3c"\nvcpus = 2'


class Rented(NamedTuple):
    emulator: Emulator
    workspace: Workspace
    folder: Path
    base: Path

    @property
    def volume(self) -> Path:
        return self.emulator.world.volume_folder("vol000001")

    def spec(self, where: str = "", usd_per_hour: float = 0.5) -> Path:
        file = self.folder / "train.toml"
        file.write_text(_SPEC.format(base=self.base, python=sys.executable, volume=self.volume,
                                     where=where, usd_per_hour=usd_per_hour))  # fmt: skip
        return file

    def turnmill(self, *words: str) -> Any:
        made = CliRunner().invoke(
            app, [*words, "--json", "--home", str(self.workspace.home)], catch_exceptions=False
        )
        assert made.exit_code == 0, made.stderr
        return orjson.loads(made.stdout), made.stderr


@pytest.fixture(scope="module")
def rented(tmp_path_factory):
    home = tmp_path_factory.mktemp("rented")
    workspace = Workspace(home / "home")
    small_version(workspace)
    emulator = Emulator(home / "world", WallClock())
    emulator.world.provisioning_s = emulator.world.starting_s = 0.2
    _with_volume(emulator)
    with running(emulator) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNPOD_API_KEY", KEY)
        patch.setenv("RUNPOD_API_BASE_URL", url)
        yield Rented(emulator, workspace, home, tiny_base(home / "base"))
    held(emulator)


def _with_volume(emulator):
    emulator.world.volumes["vol000001"] = {
        "id": "vol000001", "name": "v", "size": 10, "dataCenter": "US-KS-2", "type": "STANDARD",
    }  # fmt: skip


# two pods in turn, each a process that trains: minutes, and the clock decides
@pytest.mark.skipif(not os.environ.get("TURNMILL_SOAK"), reason="a long campaign: make soak")
def test_a_run_whose_first_pod_is_taken_away_ends_verified_merged_and_paid(rented):
    world = rented.emulator.world

    def take_away() -> None:
        # as when the host is lost: after a checkpoint is whole on the volume
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if world.pods and list(rented.volume.glob("turnmill/*/checkpoints/*/checkpoint.json")):
                with world.lock:
                    world.remove(next(iter(world.pods.values())))
                return
            time.sleep(0.01)

    thread = threading.Thread(target=take_away)
    thread.start()
    told, said = rented.turnmill("train", str(rented.spec(_CPU)), "--launcher", "runpod")
    thread.join()
    assert told["state"] == "succeeded"
    assert "attempt 1 ended" in said
    assert "files were read back" in said
    assert world.pods == {}
    assert len(world.gone) == 2
    run = rented.workspace.runs / told["run"]
    starts = [orjson.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
    assert [one["from_step"] > 0 for one in starts if one["event"] == "start"][-1]
    # what is known here is what RunPod bills
    spent = sum(charge.usd(world.now_s()) for pod in world.gone for charge in pod.charges)
    assert read_record(run).cost == pytest.approx(spent, abs=0.002)
    (row,) = [row for row in rented.turnmill("runs")[0] if row["run"] == told["run"]]
    assert (row["launcher"], row["cost_usd"]) == ("runpod", told["cost_usd"])
    paid = rented.turnmill("costs")[0]
    assert [pod["attempt"] for pod in paid["pods"]] == [1, 2]
    assert rented.turnmill("attach", told["run"])[0]["state"] == "succeeded"
    merged = rented.turnmill("merge", told["run"])[0]
    assert merged["certificate"]["adapter_effect"] > 0
    # nothing secret is in what a pod was asked for, or in what stays here
    asked = [x.body for x in rented.emulator.exchanges if x.route == "create"]
    kept = [f.read_bytes() for f in rented.workspace.home.rglob("*.json*") if f.is_file()]
    assert not any(KEY.encode() in text for text in [*asked, *kept])


def test_plan_shows_the_three_best_cards_with_time_and_cost(rented):
    told, _ = rented.turnmill("plan", str(rented.spec(usd_per_hour=1.0)), "--launcher", "runpod")
    offers = told["offers"]
    assert len(offers) == 2  # where the volume lies
    assert [one["usd"] for one in offers] == sorted(one["usd"] for one in offers)
    assert offers[0]["usd_per_hour"] <= 1.0
    assert told["device"] == "cuda"


class Stage:
    """A run of one card in simulated time; what its pods do is scripted by attempt."""

    def __init__(self, rented: Rented, tmp_path: Path, **limits: Any) -> None:
        self.clock = HandClock()
        self.emulator = Emulator(tmp_path / "world", self.clock)
        _with_volume(self.emulator)
        self.workspace = Workspace(tmp_path / "home")
        small_version(self.workspace)
        values = {"max_usd_per_hour": 1.5, "max_usd": 9.0, "volume": "vol000001",
                  "volume_folder": tmp_path, "image": "image:1", **limits}  # fmt: skip
        card = find_card("RTX 4090").device()
        spec = load_train_spec(rented.spec())
        self.plan = prepare_run(spec, self.workspace, run_id="r", device=card)
        write_rental(self.plan.run_dir, RunpodSpec(**values))
        self.carrier = FolderCarrier(tmp_path / "carrier")
        self.ledger = Ledger(self.workspace.runpod, self.clock)
        self.api = RunPod(SecretStr(KEY), clock=self.clock, transport=InProcess(self.emulator))
        self.fails: dict[int, Failure] = {}
        self.events: list[dict[str, Any]] = []
        self.emulator.world.program = self._program

    def _program(self, pod: Any) -> Simulated:
        attempt, start = int(pod.body["env"]["TURNMILL_ATTEMPT"]), self.clock.monotonic()

        def look(elapsed: float) -> int | None:
            if elapsed < 60:
                return None
            failure = self.fails.get(attempt)
            state = "failed" if failure else "succeeded"
            made = {"r.txt": self.plan.run_dir / "r.txt"}
            made["r.txt"].write_text("weights")
            manifest = Manifest(
                run_id="r", attempt=attempt, files=listed(self.plan.run_dir, made), state=state,
                failure=failure,
            )  # fmt: skip
            write_manifest(self.carrier, manifest, self.plan.run_dir)
            return 0

        say = self.emulator.world.sayer(pod)
        return Simulated(lambda: self.clock.monotonic() - start, say, each_look=look)

    def launch(self, on_event: Any = None) -> Any:
        launcher = RunpodLauncher(
            self.workspace, api=self.api, carrier=self.carrier, listen=PolledLines
        )
        return launcher.launch(self.plan, on_event or self.events.append)

    def cards(self) -> list[str]:
        return [pod.body["gpu"]["id"] for pod in self.emulator.world.all_pods()]


@pytest.fixture
def stage(rented, tmp_path):
    made = Stage(rented, tmp_path)
    yield made
    made.emulator.world.close()
    held(made.emulator)


def test_who_lets_go_and_comes_back_finds_the_same_pod(stage):
    def let_go(event):
        if event["event"] == "cost":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.launch(let_go)
    assert read_record(stage.plan.run_dir).state == "running"
    assert [line.verdict for line in reap(stage.api, stage.ledger)] == ["kept"]
    assert stage.launch().state == "succeeded"
    assert len(stage.emulator.world.all_pods()) == 1
    assert not stage.emulator.world.pods


def test_a_second_launch_of_a_run_that_is_watched_is_refused(stage):
    with stage.ledger.lease("r"), pytest.raises(BusyError, match="another process"):
        stage.launch()
    assert stage.emulator.world.all_pods() == []


def test_a_run_out_of_memory_goes_on_on_a_larger_card(stage):
    stage.fails[1] = Failure(kind=OUT_OF_MEMORY, message="out of memory", advice="")
    assert stage.launch().state == "succeeded"
    first, second = (next(card.memory for card in stage.emulator.world.cards if card.id == one)
                     for one in stage.cards())  # fmt: skip
    assert second > first


def test_a_machine_that_never_starts_is_left_for_another_kind(stage):
    stage.emulator.world.fates = [Fate(stuck="PROVISIONING")]
    record = stage.launch()
    first, second = sorted(stage.cards()), set(stage.cards())
    assert record.state == "succeeded"
    assert len(first) == len(second) == 2
    assert stage.emulator.world.billing() == []


def test_an_image_that_no_machine_can_get_ends_the_run_after_two(stage):
    stage.emulator.world.fates = [Fate(image_error="STARTING")] * 3
    record = stage.launch()
    assert (record.state, record.failure.kind) == ("failed", "image")
    assert len(stage.cards()) == 2
    assert stage.emulator.world.billing() == []


def test_a_run_whose_money_is_spent_asks_for_no_pod(rented, tmp_path):
    stage = Stage(rented, tmp_path, max_usd=0.01)
    record = stage.launch()
    assert record.failure.kind == "budget"
    assert "max_usd" in record.failure.advice
    assert stage.emulator.world.all_pods() == []


def test_data_that_no_pod_can_train_on_is_tried_once(stage):
    stage.fails[1] = Failure(kind="data", message="no row", advice="build it anew")
    record = stage.launch()
    assert (record.state, record.failure.advice) == ("failed", "build it anew")
    assert record.cost > 0
    assert len(stage.cards()) == 1


def _abandoned(stage):
    def let_go(event):
        if event["event"] == "cost":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.launch(let_go)


def test_the_reaper_ends_a_silent_pod_without_a_watcher_and_says_so_before(stage):
    _abandoned(stage)
    at = stage.clock.now().timestamp()

    def silent(_run):
        return at - SILENCE_S - 60

    (line,) = reap(stage.api, stage.ledger, told_at=silent, dry_run=True)
    assert (line.verdict, len(stage.emulator.world.pods)) == ("to end", 1)
    with stage.ledger.lease("r"):
        assert reap(stage.api, stage.ledger, told_at=silent)[0].verdict == "kept"
    assert reap(stage.api, stage.ledger, told_at=silent)[0].verdict == "ended"
    assert stage.emulator.world.pods == {}


def test_the_reaper_names_pods_of_others_past_their_time_and_leaves_them(stage, tmp_path):
    _abandoned(stage)
    stage.clock.sleep(30 * 3600)
    other = Ledger(tmp_path / "other", stage.clock)
    assert [line.verdict for line in reap(stage.api, other)] == ["not ours"]
    assert [line.verdict for line in reap(stage.api, stage.ledger)] == ["ended"]
    assert stage.emulator.world.billing() == []


def test_a_verified_pod_is_kept_stopped_on_request_and_the_reaper_leaves_it(rented, tmp_path):
    stage = Stage(rented, tmp_path, keep="stopped")
    assert stage.launch().state == "succeeded"
    (kept,) = [event for event in stage.events if event["event"] == "kept"]
    assert kept["usd_per_month"] == pytest.approx(12.0)
    stage.clock.sleep(48 * 3600)
    assert [line.verdict for line in reap(stage.api, stage.ledger)] == ["kept"]
    assert [pod.status for pod in stage.emulator.world.pods.values()] == ["EXITED"]
    stage.emulator.world.close()

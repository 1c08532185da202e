"""The whole path: a run on RunPod, whose pods are processes here, from the command to a model."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from runpod_clocks import WallClock
from runpod_doors import running
from runpod_emulator import KEY, Emulator
from runpod_ground import held
from train_ground import small_version, tiny_base
from typer.testing import CliRunner

from ingest.workspace import Workspace
from serve.cli import app
from train.record import read_record

pytestmark = pytest.mark.torch

_SPEC = """
dataset = "support@latest"
base_model = "{base}"
learning_rate = 5e-3
epochs = 1.0
micro_batch = 4
grad_accumulation = 2
save_every_steps = 1
max_length = 128
report_to = []

[lora]
r = 4
alpha = 8

[runpod]
max_usd_per_hour = 0.5
max_usd = 1.0
cpu = "cpu3c"
vcpus = 2
image = "image:1"
python = "{python}"
volume = "vol000001"
volume_folder = "{volume}"
"""


class Rented(NamedTuple):
    emulator: Emulator
    workspace: Workspace
    spec: Path
    said: Any

    def turnmill(self, *words: str) -> Any:
        return CliRunner().invoke(
            app, [*words, "--home", str(self.workspace.home)], catch_exceptions=False
        )

    def json(self, *words: str) -> Any:
        result = self.turnmill(*words, "--json")
        assert result.exit_code == 0, result.stderr
        return orjson.loads(result.stdout)


@pytest.fixture(scope="module")
def rented(tmp_path_factory):
    home = tmp_path_factory.mktemp("rented")
    workspace = Workspace(home / "home")
    small_version(workspace)
    emulator = Emulator(home / "world", WallClock())
    emulator.world.provisioning_s = emulator.world.starting_s = 0.2
    emulator.world.volumes["vol000001"] = {
        "id": "vol000001", "name": "v", "size": 10, "dataCenter": "US-KS-2", "type": "STANDARD",
    }  # fmt: skip
    spec = home / "train.toml"
    spec.write_text(_SPEC.format(
        base=tiny_base(home / "base"), python=sys.executable,
        volume=emulator.world.volume_folder("vol000001"),
    ))  # fmt: skip
    with running(emulator) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNPOD_API_KEY", KEY)
        patch.setenv("RUNPOD_API_BASE_URL", url)
        yield Rented(emulator, workspace, spec, None)
    held(emulator)


def test_a_run_on_a_pod_is_verified_merged_and_paid(rented):
    made = rented.turnmill("train", str(rented.spec), "--launcher", "runpod", "--json")
    assert made.exit_code == 0, made.stderr
    told = orjson.loads(made.stdout)
    assert told["state"] == "succeeded"
    assert rented.emulator.world.pods == {}
    record = read_record(rented.workspace.runs / told["run"])
    assert record.cost and record.cost > 0
    merged = rented.json("merge", told["run"])
    assert merged["certificate"]["verdict"]

"""The cheapest round trip: a small CPU pod is asked for once, speaks, is ended, and is paid.

    RUNPOD_API_KEY=rpa_... pytest -m live tests/test_runpod_live.py

On the test server always; on RunPod only where ``-m live`` is asked for by name and the key is set.
It costs about a cent.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from runpod_clocks import WallClock
from runpod_doors import running
from runpod_emulator import KEY, Emulator
from runpod_ground import held

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import spent_usd
from train.launchers.runpod_choose import Candidate
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_lines import StreamedLines
from train.launchers.runpod_models import CpuRequest, PodRequest
from train.launchers.runpod_offer import cpu_candidate
from train.launchers.runpod_place import end_pod, place, slot_of
from train.spec import RunpodSpec

LIVE_KEY = os.environ.get("RUNPOD_API_KEY", "")
_WORD = "turnmill says hello"
_WAIT_S = 900.0
_PRICE = 0.2


@pytest.fixture(params=["test server", pytest.param("RunPod", marks=pytest.mark.live)])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunPod]:
    if request.param == "test server":
        emulator = Emulator(tmp_path / "world", WallClock())
        emulator.world.provisioning_s = emulator.world.starting_s = 0.1
        with running(emulator) as url, RunPod(SecretStr(KEY), base_url=url) as made:
            yield made
        held(emulator)
        return
    # a key in the environment is no consent to spend money
    if not LIVE_KEY or request.config.option.markexpr != "live":
        pytest.skip("needs -m live and RUNPOD_API_KEY")
    with RunPod(SecretStr(LIVE_KEY)) as made:
        yield made


def cheapest(api: RunPod) -> Candidate:
    settings = RunpodSpec(max_usd_per_hour=_PRICE, max_usd=0.1, hub="nobody/nothing", vcpus=2)
    flavours = [one for one in api.cpu_types() if one.vcpu.min <= settings.vcpus]
    best = min(flavours, key=lambda one: one.price.secure_per_vcpu)
    return cpu_candidate(api, settings.model_copy(update={"cpu": best.id}))


def test_the_cheapest_pod_makes_a_round_trip_and_its_cost_is_known(
    api: RunPod, tmp_path: Path, record_property: Any
) -> None:
    ledger, slot = Ledger(tmp_path / "runpod"), Slot("live", 1)

    def request_for(one: Candidate, _marks: object) -> PodRequest:
        # it ends by itself soon, should this process be killed; RunPod may start it again
        args = f"sh -c 'echo {_WORD}; sleep 600'"
        cpu = CpuRequest(id=one.gpu_id, vcpu_count=2)
        return PodRequest(name="live", image="python:3.11-slim", cpu=cpu, disk=10, args=args)

    try:
        with ledger.lease("live") as lease:
            pod = place(
                api, ledger, lease, slot, [cheapest(api)], request_for, max_usd_per_hour=_PRICE,
                dead_by=api.clock.now() + timedelta(seconds=_WAIT_S),
            )  # fmt: skip
            lines, until, heard = StreamedLines(api, pod.id), api.clock.monotonic() + _WAIT_S, ""
            while _WORD not in heard and api.clock.monotonic() < until:
                heard += "".join(f"{line.line}\n" for line in lines.take())
                api.clock.sleep(0.1)
            lines.close()
            assert _WORD in heard
            end_pod(api, ledger, slot, pod.id, "the round trip is over")
    finally:
        for left in api.pods():
            if slot_of(left, ledger.workspace_id) is not None:
                api.terminate(left.id)
    assert pod.id not in {one.id for one in api.pods() if one.status != "TERMINATED"}
    spent = spent_usd(ledger.entries(), "live", api.clock.now())
    assert 0 < spent < 0.05
    record_property("usd", round(spent, 4))
    print(f"cost ${spent:.4f} by the journal, at ${pod.cost:.3f} an hour")

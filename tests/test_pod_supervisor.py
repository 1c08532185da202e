"""A pod does its run, tells how it stands, and ends itself whatever happens in it."""

import pytest
from pod_ground import PodGround, bundled, connected, planned

from train.launchers.pod_files import fetch, read_manifest, read_status, verify

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    plan = planned(folder)
    return plan, bundled(plan, folder)


@pytest.fixture
def ground(run, tmp_path):
    with connected(tmp_path) as (emulator, api):
        yield PodGround(emulator, api, *run)


def test_a_run_that_ends_well_is_delivered_whole_and_its_pod_is_gone(ground, run):
    events = ground.gone(ground.launch())
    status = read_status(ground.carrier)
    manifest = read_manifest(ground.carrier, 1)
    assert (status.state, status.step, manifest.state) == ("succeeded", 12, "succeeded")
    assert verify(ground.carrier, manifest) == []
    record = fetch(ground.carrier, manifest, run[0].run_dir)
    assert record.state == "succeeded"
    assert record.plan == run[0]
    assert events[-1] == {"event": "pod", "state": "succeeded", "attempt": 1, "failure": None}

"""The emulator behaves as RunPod's document says; its pods really run."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from runpod_contract import contract
from runpod_emulator import KEY, Exchange
from runpod_faults import Fate
from runpod_ground import Ground, connected, request

from train.launchers.runpod_errors import ContractError, NoBalanceError, RefusedError
from train.launchers.runpod_models import Mounts, VolumeMount, VolumeRequest


@pytest.fixture
def ground(tmp_path):
    ground = Ground(tmp_path)
    yield ground
    ground.close()


def until(check, seconds=10.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


PROGRAM = """
import os, pathlib, sys
print("cards", os.environ["RUNPOD_GPU_COUNT"], "token", os.environ["TOKEN"], flush=True)
pathlib.Path(os.environ["OUT"]).write_text(os.environ["RUNPOD_POD_ID"])
pathlib.Path("scratch").write_text("x")
sys.exit(3)
"""


def test_a_pod_is_a_process_with_its_disk_its_volume_and_its_secrets(tmp_path):
    with connected(tmp_path) as (emulator, api):
        emulator.world.secrets["hub"] = "s3cr3t"
        volume = api.create_volume(VolumeRequest(name="v", size=10, data_center="US-KS-2"))
        (emulator.world.volume_folder(volume.id) / "program.py").write_text(PROGRAM)
        pod = api.create_pod(
            request(
                mounts=Mounts(network=[VolumeMount(volume_id=volume.id, path="/workspace")]),
                env={"OUT": "/workspace/out.txt", "TOKEN": "{{ RUNPOD_SECRET_hub }}"},
                args=f"{sys.executable} -S /workspace/program.py",
            )
        )
        lines = [line.line for line in api.follow(pod.id, over=lambda: api.pod(pod.id).over)]
        assert lines == ["cards 1 token s3cr3t", "container exited with status 3"]
        assert api.pod(pod.id).status == "EXITED"
        api.terminate(pod.id)
        # the volume survives its pod
        out = emulator.world.volume_folder(volume.id) / "out.txt"
        assert out.read_text() == pod.id
        assert not (emulator.world.folder / "pods" / pod.id).exists()


def test_ending_a_pod_kills_all_its_processes(tmp_path):
    with connected(tmp_path, speed=100) as (emulator, api):
        pod = api.create_pod(request(args="sh -c 'sleep 600 & echo $!; wait'"))
        until(lambda: emulator.world.pods[pod.id].log or api.pods() == [])
        child = int(emulator.world.pods[pod.id].log[0][2])
        api.terminate(pod.id)
        until(lambda: not alive(child))


def alive(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    # a zombie is dead, and nobody's to wait for here
    return state != "Z"


END = """
import json, os, urllib.request
url = os.environ["RUNPOD_API_BASE_URL"] + "/v2/pods/" + os.environ["RUNPOD_POD_ID"]
key = os.environ["RUNPOD_API_KEY"]
head = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
def ask(url, body=None):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, body, head)).status
    except urllib.error.HTTPError as error:
        return error.code
print("others", ask(os.environ["RUNPOD_API_BASE_URL"] + "/v2/pods"), flush=True)
ask(url + "/action", json.dumps({"action": "terminate"}).encode())
"""


def test_a_pod_ends_itself_with_a_key_that_reaches_nothing_else(tmp_path):
    with connected(tmp_path, speed=100) as (emulator, api):
        (tmp_path / "end.py").write_text(END)
        pod = api.create_pod(request(args=f"{sys.executable} {tmp_path / 'end.py'}"))
        until(lambda: pod.id not in emulator.world.pods)
        assert [line for _, of, line in emulator.world.gone[0].log if of == "container"] == [
            "others 403"
        ]


def test_a_stopped_pod_costs_nothing_and_comes_back_with_an_empty_disk(ground):
    pod = ground.api.create_pod(request())
    ground.clock.sleep(3600)
    ground.api.act(pod.id, "stop")
    ground.clock.sleep(36000)
    assert ground.world.spent() == pytest.approx(0.69)
    ground.api.act(pod.id, "start")
    ground.clock.sleep(3600)
    assert ground.api.pod(pod.id).status == "RUNNING"
    assert ground.world.spent() == pytest.approx(2 * 0.69)
    assert sum(bill.total_amount for bill in ground.api.pod_bills()) == pytest.approx(2 * 0.69)


FATES = [
    (Fate(stuck="PROVISIONING"), ["PROVISIONING", "PROVISIONING"]),
    (Fate(stuck="STARTING"), ["STARTING", "STARTING"]),
    (Fate(image_error="STARTING"), ["STARTING", "STARTING"]),
    (Fate(image_error="ERROR"), ["ERROR", "ERROR"]),
    (Fate(exits_s=30), ["RUNNING", "EXITED"]),
    (Fate(errors_s=30), ["RUNNING", "ERROR"]),
    (Fate(vanishes_s=30), ["RUNNING", None]),
]


@pytest.mark.parametrize(("fate", "states"), FATES)
def test_fates(ground, fate, states):
    ground.world.fates.append(fate)
    pod = ground.api.create_pod(request())
    seen = []
    for _ in states:
        ground.clock.sleep(20)
        seen.append(next((one.status for one in ground.api.pods() if one.id == pod.id), None))
    assert seen == states


def test_no_cards_null_runtime_hidden_and_renamed(ground):
    ground.world.fates.append(Fate(no_gpus=True, null_runtime=2, hidden=1, renamed="mine"))
    pod = ground.api.create_pod(request())
    ground.clock.sleep(20)
    assert ground.api.pods() == []
    looks = [ground.api.pod(pod.id).runtime is None for _ in range(3)]
    assert looks == [True, True, False]
    assert ground.api.pods()[0].name == "mine"
    assert ground.world.environment(ground.world.pods[pod.id])["RUNPOD_GPU_COUNT"] == "0"


def test_with_the_last_dollar_pods_without_a_volume_are_gone(tmp_path):
    ground = Ground(tmp_path, balance=3.0)
    volume = ground.api.create_volume(VolumeRequest(name="v", size=10, data_center="US-KS-2"))
    mounts = Mounts(network=[VolumeMount(volume_id=volume.id, path="/w")])
    kept, lost = ground.api.create_pod(request(mounts=mounts)), ground.api.create_pod(request())
    ground.clock.sleep(3 * 3600)
    assert {pod.id: pod.status for pod in ground.api.pods()} == {kept.id: "EXITED"}
    assert lost.id not in ground.world.pods
    with pytest.raises(NoBalanceError):
        ground.api.create_pod(request())
    ground.close()


def test_stock_is_used_up_and_comes_back(ground):
    card = ground.world.cards[1]
    one = request(gpu={"id": card.id, "count": 2})
    pod = ground.api.create_pod(one)
    with pytest.raises(RefusedError, match="no instances"):
        ground.api.create_pod(one)
    ground.api.terminate(pod.id)
    ground.api.create_pod(one)


@pytest.mark.parametrize(
    "change",
    [{"bogus": 1}, {"gpu": {"id": "x", "bogus": 1}}, {"disk": 0}, {"env": {"A": 1}}, {"name": ""},
     {"cloud": "ALL"}, {"mounts": {"network": [{"volumeId": "v"}]}}, {"gpu": {"count": 1}}],
)  # fmt: skip
def test_what_the_document_refuses_the_emulator_refuses(ground, change):
    body = {"name": "n", "image": "i", "gpu": {"id": "NVIDIA A40"}, **change}
    headers = {"authorization": f"Bearer {KEY}"}
    reply = ground.emulator.handle("POST", "/v2/pods", headers, json.dumps(body).encode())
    assert reply.status == 422
    if contract() is not None:
        made = Exchange("POST", "/v2/pods", {}, {}, json.dumps(body).encode(), status=201)
        made.scripted = True
        assert contract().violations(made)


def test_a_request_without_a_key_or_with_another(ground):
    for headers in ({}, {"authorization": "Bearer other"}):
        assert ground.emulator.handle("GET", "/v2/pods", headers, b"").status == 401


@pytest.mark.skipif(contract() is None, reason="TURNMILL_RUNPOD_OPENAPI is not set")
def test_the_check_against_the_document_can_fail(ground):
    ground.api.create_pod(request())
    good = ground.emulator.exchanges[0]
    assert contract().violations(good) == []

    def broken(**changes):
        return contract().violations(Exchange(**{**vars(good), **changes}))

    assert broken(reply={**good.reply, "status": "HIBERNATING"})
    assert broken(reply={name: value for name, value in good.reply.items() if name != "cost"})
    assert broken(status=202)
    assert broken(path="/v2/pod")
    assert broken(query={"bogus": "1"})
    assert broken(body=b'{"name": "n", "stopAfter": 1}')
    assert broken(content_type="text/plain")


def test_a_body_that_breaks_the_contract_never_leaves_us_as_a_user_error(ground):
    ground.faults.add("create", "status", status=422)
    with pytest.raises(ContractError):
        ground.api.create_pod(request())

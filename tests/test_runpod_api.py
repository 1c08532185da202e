"""The client of RunPod's API, against a server that fails in every way it can."""

import logging
import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError
from runpod_emulator import KEY
from runpod_faults import Fate
from runpod_ground import CARD, QUICK, TOKEN, Ground, connected, everything, request

from ingest.settings import Settings
from train.launchers.runpod_api import RunPod, open_runpod
from train.launchers.runpod_errors import (
    ConflictError,
    ContractError,
    GoneError,
    KeyRefusedError,
    NoBalanceError,
    NotAllowedError,
    RefusedError,
    RunPodError,
    TooManyError,
    UnknownOutcomeError,
    UnreachableError,
    masked,
)
from train.launchers.runpod_events import Event, Seen, events
from train.launchers.runpod_http import Timing
from train.launchers.runpod_models import (
    CpuRequest,
    LogLine,
    Mounts,
    Pod,
    PodRequest,
    VolumeMount,
    VolumeRequest,
)
from train.launchers.runpod_quota import Window, retry_after_s, used_up_s, windows


@pytest.fixture
def ground(tmp_path):
    ground = Ground(tmp_path)
    yield ground
    ground.close()


# -- what goes well --------------------------------------------------------------------------------


def test_a_pod_goes_through_its_states(ground):
    pod = ground.api.create_pod(request(env={"TURNMILL_RUN": "r", "HF_TOKEN": TOKEN}))
    states = [pod.status]
    for _ in range(3):
        ground.clock.sleep(2.5)
        states.append(ground.api.pod(pod.id).status)
    assert states == ["PROVISIONING", "STARTING", "RUNNING", "RUNNING"]
    assert ground.api.act(pod.id, "stop").status == "EXITED"
    assert not ground.api.pod(pod.id).bills
    ground.api.terminate(pod.id)
    assert ground.api.pods() == []
    with pytest.raises(GoneError):
        ground.api.pod(pod.id)


def test_a_cpu_pod_and_a_volume(ground):
    volume = ground.api.create_volume(VolumeRequest(name="v", size=10, data_center="EU-RO-1"))
    mounts = Mounts(network=[VolumeMount(volume_id=volume.id, path="/workspace")])
    pod = ground.api.create_pod(
        request(gpu=None, cpu=CpuRequest(id="cpu3c", vcpu_count=2), mounts=mounts)
    )
    assert pod.gpu is None
    assert [one.id for one in ground.api.volumes()] == [volume.id]
    ground.api.terminate(pod.id)
    ground.api.delete_volume(volume.id)
    ground.api.delete_volume(volume.id)  # gone is as wished
    assert ground.api.volumes() == []
    assert ground.api.cpu_types()[0].vcpu.min == 2


def test_of_a_pods_variables_only_our_marks_are_read(ground):
    pod = ground.api.create_pod(request(env={"TURNMILL_RUN": "r", "HF_TOKEN": TOKEN}))
    assert ground.api.pod(pod.id).marks == {"TURNMILL_RUN": "r"}
    assert TOKEN not in repr(pod) + pod.model_dump_json()


def test_members_of_clusters_are_listed_and_cannot_be_ended_singly(ground):
    ground.world.fates.append(Fate(in_cluster=True))
    pod = ground.api.create_pod(request())
    assert [one.cluster.id for one in ground.api.pods()] == ["cluster_1"]
    with pytest.raises(ConflictError):
        ground.api.terminate(pod.id)


def test_bills_are_by_the_hour(ground):
    pod = ground.api.create_pod(request())
    ground.clock.sleep(5400)
    bills = ground.api.pod_bills(pod.id, start=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(bills) == 2
    assert sum(bill.total_amount for bill in bills) == pytest.approx(1.5 * 0.69)


def test_what_a_reply_adds_is_ignored_and_what_a_request_adds_is_refused():
    pod = Pod.model_validate({"id": "p", "name": "n", "status": "HIBERNATING", "newField": [1]})
    assert pod.bills  # a state that we do not know may cost money
    assert not pod.over
    with pytest.raises(ValidationError, match="extra_forbidden"):
        PodRequest(name="n", image="i", stopAfter=3600)
    with pytest.raises(ValidationError, match="either gpu or cpu"):
        PodRequest(name="n", image="i")


# -- what the platform says ------------------------------------------------------------------------

SAID = [
    (400, RefusedError),
    (401, KeyRefusedError),
    (402, NoBalanceError),
    (403, NotAllowedError),
    (404, GoneError),
    (405, RunPodError),
    (409, ConflictError),
    (422, ContractError),
]


@pytest.mark.parametrize(("status", "kind"), SAID)
def test_each_refusal_is_an_error_of_its_own_and_is_not_asked_again(ground, status, kind):
    ground.faults.add("create", "status", status=status, detail="this is why", times=9)
    with pytest.raises(kind, match="this is why") as caught:
        ground.api.create_pod(request())
    assert type(caught.value) is kind
    assert ground.asked("create") == 1
    assert ground.world.pods == {}


def test_a_broken_contract_is_a_bug_and_says_which_field(ground):
    errors = ["$: additional properties 'bogus' not allowed"]
    ground.faults.add(
        "create", "status", status=422, detail="Request validation failed.", errors=errors
    )
    with pytest.raises(ContractError, match="bogus"):
        ground.api.create_pod(request())


def test_a_key_that_is_none_never_becomes_a_request(tmp_path):
    for key in ("", "two words", "umläut", "line\nbreak"):
        with pytest.raises(KeyRefusedError) as caught:
            RunPod(SecretStr(key))
        assert not key or key not in everything(caught.value).replace("'umläut'", "")
    with pytest.raises(KeyRefusedError, match="not set"):
        open_runpod(Settings(runpod_api_key=None))


@pytest.mark.parametrize(
    "address",
    ["http://api.runpod.io", "ftp://x", "https://me:pw@api.runpod.io", "api.runpod.io", ""],
)
def test_the_key_goes_nowhere_in_clear(address):
    with pytest.raises(RunPodError, match="RUNPOD_API_BASE_URL"):
        RunPod(SecretStr(KEY), base_url=address)


def test_a_redirect_is_not_followed(ground):
    ground.faults.add(
        "list", "html", status=302, headers={"Location": "https://elsewhere.example/v2/pods"}
    )
    with pytest.raises(RunPodError, match="302"):
        ground.api.pods()
    assert ground.asked("list") == 1


# -- waiting ---------------------------------------------------------------------------------------


def test_a_429_is_waited_out_as_long_as_it_says(ground):
    ground.faults.add("create", "status", status=429, headers={"Retry-After": "12"})
    before = ground.clock.monotonic()
    pod = ground.api.create_pod(request())
    assert ground.clock.monotonic() - before == 12
    assert list(ground.world.pods) == [pod.id]


def test_a_429_that_asks_for_too_long_says_how_long(ground):
    ground.faults.add("list", "status", status=429, headers={"Retry-After": "45012"})
    with pytest.raises(TooManyError) as caught:
        ground.api.pods()
    assert caught.value.wait_s == 45012
    assert ground.asked("list") == 1


def test_many_429s_end_when_patience_does(ground):
    ground.faults.add("list", "status", status=429, headers={"Retry-After": "50"}, times=99)
    with pytest.raises(TooManyError):
        ground.api.pods()
    assert ground.asked("list") == 3  # 120 s of patience


def test_a_used_up_window_is_waited_for_before_the_platform_refuses(ground):
    ground.emulator.limits = {"minute": (3, 60), "hour": (100, 3600)}
    for _ in range(7):
        ground.api.pods()
    assert {exchange.status for exchange in ground.emulator.exchanges} == {200}
    assert ground.clock.monotonic() >= 1120


def test_ending_a_pod_is_not_held_back_by_the_rate_limit(ground):
    pod = ground.api.create_pod(request())
    ground.faults.add(
        "list",
        "status",
        status=429,
        headers={"RateLimit": '"day";r=0;t=45012', "Retry-After": "99999"},
    )
    with pytest.raises(TooManyError):
        ground.api.pods()
    ground.api.terminate(pod.id)
    assert ground.world.pods == {}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("12", 12.0), ("0.5", 0.5), ("-3", 0.0), (None, None), ("soon", None), ("nan", None),
     ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0)],
)  # fmt: skip
def test_retry_after(header, seconds):
    assert retry_after_s(header, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_rate_limit_header():
    header = '"minute";r=0;t=12, "hour";r=2800;t=1812, "day";r=0;t=45012'
    assert windows(header)[0] == Window("minute", 0, 12)
    assert used_up_s(header) == 45012
    assert used_up_s('nonsense;;, "x";r=1') == 0
    assert used_up_s(None) == 0


# -- no answer -------------------------------------------------------------------------------------

SILENCES = ["drop", "hang", "lose", "late", "garbage", "truncate", "html", "status"]


@pytest.mark.parametrize("kind", SILENCES)
def test_a_read_without_a_usable_answer_is_sent_again(ground, kind):
    ground.faults.add("list", kind, times=2)
    assert ground.api.pods() == []
    assert ground.asked("list") == 3


@pytest.mark.parametrize("kind", SILENCES)
def test_a_read_that_never_gets_one_says_so(ground, kind):
    ground.faults.add("list", kind, times=99)
    with pytest.raises(UnreachableError, match="list of pods"):
        ground.api.pods()
    assert ground.asked("list") == 4


@pytest.mark.parametrize("kind", SILENCES)
def test_a_pod_is_never_asked_for_twice_by_itself(ground, kind):
    ground.faults.add("create", kind, times=99)
    with pytest.raises(UnknownOutcomeError, match="may have been done"):
        ground.api.create_pod(request())
    assert ground.asked("create") == 1


@pytest.mark.parametrize("kind", SILENCES)
def test_an_end_is_asked_for_until_it_is_certain(ground, kind):
    pod = ground.api.create_pod(request())
    ground.faults.add("terminate", kind, times=2)
    ground.api.terminate(pod.id)
    assert ground.world.pods == {}


def test_an_end_that_never_gets_an_answer_is_uncertain(ground):
    pod = ground.api.create_pod(request())
    ground.faults.add("terminate", "html", status=502, times=99)
    with pytest.raises(UnknownOutcomeError):
        ground.api.terminate(pod.id)
    assert ground.asked("terminate") == 4


@pytest.mark.parametrize("kind", ["drop", "lose", "html"])
def test_an_action_is_sent_once(ground, kind):
    pod = ground.api.create_pod(request())
    ground.faults.add("action", kind, status=502, times=99)
    with pytest.raises(UnknownOutcomeError):
        ground.api.act(pod.id, "stop")
    assert ground.asked("action") == 1


def test_without_a_connection_nothing_was_done():
    quick = QUICK._replace(tries=2)
    with (
        RunPod(SecretStr(KEY), base_url="http://127.0.0.1:9", timing=quick) as api,
        pytest.raises(UnreachableError, match="nothing was changed"),
    ):
        api.create_pod(request())


def test_over_real_connections(tmp_path):
    with connected(tmp_path, timing=QUICK) as (emulator, api):
        for kind, error in [
            ("hang", UnknownOutcomeError), ("drop", UnknownOutcomeError),
            ("lose", UnknownOutcomeError), ("truncate", UnknownOutcomeError),
        ]:  # fmt: skip
            emulator.faults.add("create", kind)
            with pytest.raises(error):
                api.create_pod(request())
            emulator.faults.script.clear()
        # the reply was lost, or could not be read: these two cost money now
        assert len(emulator.world.billing()) == 2
        emulator.faults.add("list", "drop")
        emulator.faults.add("list", "hang", nth=2)
        for pod in api.pods():
            api.terminate(pod.id)
        assert emulator.world.billing() == []


# -- logs ------------------------------------------------------------------------------------------


def said(ground, count, at_s=0.0):
    pod = ground.api.create_pod(request())
    state = ground.world.pods[pod.id]
    state.log += [
        (ground.clock.monotonic() + at_s * i, "container", f"line {i}") for i in range(count)
    ]
    return pod


@pytest.mark.parametrize("at_s", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("cut", [2, 4, None])
def test_a_log_cut_again_and_again_shows_every_line_once(ground, at_s, cut):
    pod = said(ground, 10, at_s)
    if at_s == 0.0 and cut is not None:
        cut += 10  # all lines of one moment must come in one stream: a cursor is a moment
    ground.emulator.lines_per_stream = cut
    looks = iter([False] * 12 + [True])
    shown = [line.line for line in ground.api.follow(pod.id, over=lambda: next(looks))]
    assert shown == [f"line {i}" for i in range(10)]


def test_a_log_goes_on_where_it_was_left(ground):
    pod = said(ground, 6, 1.0)
    first = list(ground.api.logs(pod.id))[:3]
    rest = ground.api.follow(pod.id, after=first[-1].cursor, over=lambda: True)
    # whether the line at the cursor comes again is not said: better twice than never
    assert [line.line for line in rest] == ["line 2", "line 3", "line 4", "line 5"]


def test_the_last_lines_only(ground):
    pod = said(ground, 6, 1.0)
    assert [line.line for line in ground.api.logs(pod.id, tail=2)] == ["line 4", "line 5"]
    assert list(ground.api.logs(pod.id, tail=0)) == []
    assert list(ground.api.logs(pod.id, source="system")) == []


def test_the_log_of_a_pod_that_is_gone(ground):
    with pytest.raises(GoneError):
        list(ground.api.logs("nothing"))
    assert list(ground.api.follow("nothing")) == []


def test_a_log_that_never_opens_ends_in_an_error(ground):
    pod = said(ground, 1)
    ground.faults.add("logs", "html", status=502, times=99)
    with pytest.raises(UnreachableError):
        list(ground.api.follow(pod.id))
    assert ground.asked("logs") == 4


def test_events():
    text = """: a comment
id: 1
data: {"a":
data: 1}


id: 2
event: x
retry: 5

data:3

id: 4
data: cut"""
    assert list(events(text.split("\n"))) == [Event("1", '{"a":\n1}'), Event("2", "3")]


def test_equal_lines_of_one_moment_are_all_shown_and_none_again():
    seen = Seen()
    x, y = LogLine(line="x", cursor="t"), LogLine(line="y", cursor="t")
    assert [seen.new(line) for line in (x, x, y)] == [True, True, True]
    seen.reconnected()
    assert [seen.new(line) for line in (x, x, y, x)] == [False, False, False, True]


# -- secrets ---------------------------------------------------------------------------------------


ENDLESS = {"drop", "hang", "lose", "late", "html", "status", "refusal", "contract"}


def leaks_nothing(api, emulator, kind):
    """Every call fails in one way, and nothing that the errors show is a secret."""
    said = f"Bearer {KEY} with {TOKEN} is bad\n\x1b[31m" + "x" * 1000
    if kind in ("refusal", "contract"):
        status = 400 if kind == "refusal" else 422
        emulator.faults.add("*", "status", status=status, detail=said, errors=[said], times=99)
    else:
        emulator.faults.add("*", kind, times=99)
    env = {"HF_TOKEN": TOKEN, "PASSWORD": "correct horse battery"}
    secret = request(env=env, args=f"run {TOKEN}")
    shown = [repr(secret), repr(api)]
    calls = (
        lambda: api.create_pod(secret), api.pods, lambda: api.act("p", "stop"),
        *((lambda: list(api.logs("p")), lambda: api.terminate("p")) if kind in ENDLESS else ()),
    )  # fmt: skip
    for call in calls:
        with pytest.raises((RunPodError, ContractError)) as caught:
            call()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "\x1b" not in str(caught.value)
        assert "\n" not in str(caught.value)
        shown.append(everything(caught.value))
    text = "\n".join(shown)
    assert "_wire" in text  # the variables of our frames were looked at
    assert not [word for word in (KEY, TOKEN, "correct horse") if word in text]


@pytest.mark.parametrize("kind", [*SILENCES, "refusal", "contract"])
def test_no_error_shows_a_secret(ground, kind):
    leaks_nothing(ground.api, ground.emulator, kind)


def test_no_error_and_no_log_shows_a_secret_over_real_connections(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with connected(tmp_path, timing=QUICK._replace(timeout_s=0.15, tries=1)) as (emulator, api):
        for kind in ("hang", "lose", "html", "refusal"):
            leaks_nothing(api, emulator, kind)
            emulator.faults.script.clear()
    assert "httpcore" in caplog.text
    assert not [word for word in (KEY, TOKEN, "correct horse") if word in caplog.text]


def test_masking():
    assert (
        masked(f"key {KEY}, other rpa_ABCDEFGH1234 and hf_abcdefghij", [])
        == "key ***, other *** and ***"
    )
    assert masked("aaaaaaaa bbb", ["aaaaaaaa", "bbb"]) == "*** bbb"  # a short word is no secret
    assert len(masked("x" * 1000)) == 300


def test_a_trickle_of_an_answer_ends(tmp_path, monkeypatch):
    """A server that sends a byte now and then never meets a timeout of its own."""
    timing = Timing(timeout_s=0.6, tries=1, backoff_s=0.01)
    with connected(tmp_path, timing=timing) as (emulator, api):

        def slow():
            while not emulator.stopping.wait(0.05):
                yield b" "

        usual = emulator._work

        def work(exchange, live):
            reply = usual(exchange, live)
            reply.live = slow()
            return reply

        monkeypatch.setattr(emulator, "_work", work)
        before = time.monotonic()
        with pytest.raises(UnreachableError, match="did not end"):
            api.pods()
        assert time.monotonic() - before < 10


def test_the_emulators_card_is_in_its_catalogue(ground):
    found = {gpu.id: gpu for gpu in ground.api.gpu_types(count=2, min_cuda_version="12.8")}
    assert found[CARD].price.secure == 0.69
    assert [place.id for place in found[CARD].data_centers] == ["US-KS-2", "EU-RO-1"]

"""What in a pod decides that it ends: the boot program, the watch, the checks of the machine."""

import json
import math

import pytest
from runpod_ground import TOKEN

from train.failures import BUG, DISK, HOST_MEMORY, KILLED, MAX_USD, OUT_OF_MEMORY, STALL
from train.launchers import pod_boot
from train.launchers.carriers import CarrierError
from train.launchers.pod_failures import ended_failure
from train.launchers.pod_machine import cards_wrong
from train.launchers.pod_start import CarrierSetting, Limits, pod_args, pod_environment
from train.launchers.pod_watch import Watch


def test_a_pod_is_ended_at_its_limit_by_whichever_clock_is_first():
    watch = Watch(started_s=100.0, max_s=50.0, dead_by_s=1_000.0, reserve_s=10.0, limit=MAX_USD)
    assert watch.verdict(139.0, 900.0) is None
    assert watch.verdict(140.0, 900.0) == MAX_USD
    # what came before its container counts by the time of day
    assert watch.verdict(101.0, 990.0) == MAX_USD
    assert watch.left_s(120.0, 995.0) == 5.0


def test_no_progress_is_looked_for_once_there_can_be_some():
    watch = Watch(started_s=0.0, max_s=1e6, stall_s=30.0)
    assert watch.verdict(500.0, 0.0) is None
    watch.moved(500.0)
    assert watch.verdict(529.9, 0.0) is None
    assert watch.verdict(530.0, 0.0) == STALL


@pytest.fixture
def boot(monkeypatch, tmp_path):
    for name, value in {
        "TURNMILL_CARRIER": f"folder:{tmp_path}", "TURNMILL_ATTEMPT": "2", "RUNPOD_POD_ID": "pod7",
        "RUNPOD_API_KEY": TOKEN, "TURNMILL_MAX_S": "100", "TURNMILL_DEAD_BY": "1e12",
        "RUNPOD_API_BASE_URL": "http://127.0.0.1:9",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return tmp_path


def test_the_guard_ends_the_pod_whatever_else_hangs(boot, monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(pod_boot.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pod_boot, "end", lambda sleep: asked.append(now[0]))
    pod_boot.guard(lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert asked == [100 + pod_boot.GRACE_S]


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([200], []),
        ([204], []),
        ([404], []),
        ([409], []),
        ([None, 500, 401, 403, 429, 503, 200], [1, 2, 4, 8, 16, 32]),
        ([None] * 9 + [200], [1, 2, 4, 8, 16, 32, 60, 60, 60]),
    ],
)
def test_ending_is_asked_for_until_it_is_agreed(boot, monkeypatch, capsys, answers, waits):
    left, waited, sent = list(answers), [], []

    def status_of(request):
        sent.append(request)
        return left.pop(0)

    monkeypatch.setattr(pod_boot, "status_of", status_of)
    pod_boot.end(waited.append)
    assert (left, waited) == ([], waits)
    assert sent[0].full_url == "http://127.0.0.1:9/v2/pods/pod7/action"
    assert json.loads(sent[0].data) == {"action": "terminate"}
    assert TOKEN not in capsys.readouterr().out


def test_a_key_goes_to_runpod_or_this_machine_only(boot, monkeypatch):
    sent = []
    monkeypatch.setenv("RUNPOD_API_BASE_URL", "http://elsewhere.example")
    monkeypatch.setattr(pod_boot, "status_of", lambda request: sent.append(request) or 204)
    pod_boot.end()
    assert sent[0].full_url.startswith("https://api.runpod.io/")


def test_where_nobody_answers_there_is_no_status(boot):
    request = pod_boot.urllib.request.Request("http://127.0.0.1:9/")
    assert pod_boot.status_of(request) is None


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ({"attempt": 2, "pod": "pod7", "state": "succeeded"}, True),
        ({"attempt": 2, "pod": "pod7", "state": "ended"}, True),
        ({"attempt": 2, "pod": "pod7", "state": "running"}, False),
        # what a pod before it has left on the volume ends nobody
        ({"attempt": 1, "pod": "pod7", "state": "succeeded"}, False),
        ({"attempt": 2, "pod": "pod6", "state": "ended"}, False),
        ("damaged", False),
        (None, False),
    ],
)
def test_a_container_that_is_started_again_does_not_do_its_work_again(boot, status, over):
    if status is not None:
        (boot / "status.json").write_text(json.dumps(status))
    assert pod_boot.is_over() is over


def test_what_cannot_begin_is_told_where_the_launcher_looks(boot, monkeypatch, capsys):
    monkeypatch.chdir(boot)
    monkeypatch.setattr(pod_boot, "fetched", lambda folder: "there is no archive")
    pod_boot.run()
    told = json.loads((boot / "status.json").read_text())
    assert (told["state"], told["failure"]["class"]) == ("failed", "carrier")
    assert capsys.readouterr().out.count('"state":"failed"') == 1


@pytest.mark.parametrize(
    ("status", "lines", "killed", "kind"),
    [
        (1, ["RuntimeError: CUDA out of memory."], False, OUT_OF_MEMORY),
        (1, ["OSError: [Errno 28] No space left on device"], False, DISK),
        (1, ["Watchdog caught collective operation timeout"], False, STALL),
        (-9, [], True, HOST_MEMORY),
        (1, [], True, HOST_MEMORY),
        (-9, [], False, KILLED),
        (-15, ["anything"], False, KILLED),
        (3, ["anything"], False, BUG),
    ],
)
def test_a_failure_has_a_class_and_an_advice(status, lines, killed, kind):
    found = ended_failure(status, None, lines, oom_killed=killed)
    assert found.kind == kind
    assert found.advice
    assert "anything" not in found.message


def test_what_the_record_says_goes_before_what_can_be_guessed():
    recorded = {"class": "nan", "message": "m", "advice": "a"}
    assert ended_failure(2, recorded, ["CUDA out of memory"], oom_killed=True).kind == "nan"


def driver(cards, *held):
    looks = list(held)

    def query(what):
        if what == "gpu=index":
            return cards
        return looks.pop(0) if looks else []

    return query


@pytest.mark.parametrize(
    ("asked", "query", "told", "kind"),
    [
        (0, driver([]), "0", None),
        (1, driver(["0"]), "1", None),
        (2, driver(["0"]), "2", "no-gpu"),
        # the driver knows better than RunPod's count
        (1, driver([]), "1", "no-gpu"),
        (1, driver(None), "1", None),
        (1, driver(None), "0", "no-gpu"),
        (1, driver(None), "", "no-gpu"),
        (1, driver(["0"], ["20000"], ["20000"], ["100"]), "1", None),
        (1, driver(["0"], *[["300", "400"]] * 4), "1", "card"),
        (1, driver(["0"], ["[N/A]"]), "1", None),
    ],
)
def test_a_machine_without_free_cards_is_not_used(asked, query, told, kind):
    found = cards_wrong(asked, {"RUNPOD_GPU_COUNT": told}, query, lambda _: None)
    assert (found.kind if found else None) == kind


class Plan:
    """What ``pod_environment`` looks at."""

    run_id, processes, stall_s = "r1", 2, 1800.0

    class device:
        kind = "cuda"


def test_variables_name_secrets_and_never_hold_them():
    place = CarrierSetting("hub:o/r/r1", "0" * 64, secret="turnmill_hf")
    made = pod_environment(Plan, 3, Limits(7200.0, usd_per_hour=2.0, max_usd=1.0), place)
    assert made["HF_TOKEN"] == "{{ RUNPOD_SECRET_turnmill_hf }}"
    assert (made["TURNMILL_MAX_S"], made["TURNMILL_LIMIT"]) == ("1800", "max-usd")
    assert (made["TURNMILL_GPUS"], made["TURNMILL_RESERVE_S"]) == ("2", "180")
    assert len(made) < 30
    for wrong in (TOKEN, "a }}", "{{ RUNPOD_SECRET_a"):
        with pytest.raises(CarrierError) as caught:
            pod_environment(Plan, 1, Limits(60.0), place._replace(secret=wrong))
        assert wrong not in str(caught.value)
    for endless in (math.inf, 0.0, -1.0):
        with pytest.raises(ValueError, match="limit"):
            pod_environment(Plan, 1, Limits(endless), place)


def test_the_start_command_is_one_argument_list_whoever_splits_it():
    import shlex

    shell, option, script = shlex.split(pod_args())
    assert (shell, option) == ("sh", "-c")
    assert "'" not in script
    assert len(pod_args()) < 8000

"""One pod for an attempt: the journal, the looking for lost pods, the money."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from runpod_emulator import KEY
from runpod_faults import Fate
from runpod_ground import TOKEN, Ground, candidate, connected, request_for

from train.launchers.runpod_attempts import attempts, next_slot, spent_usd
from train.launchers.runpod_errors import (
    ContractError,
    KeyRefusedError,
    NoBalanceError,
    UnknownOutcomeError,
)
from train.launchers.runpod_ledger import BusyError, Ledger, LedgerError, Slot
from train.launchers.runpod_models import PodBill
from train.launchers.runpod_money import (
    Caps,
    Difference,
    allowed_s,
    cost_usd,
    disk_usd,
    reconciled,
)
from train.launchers.runpod_place import NoMachineError, end_pod, place, stop_pod, sweep

RUN = "20261124-101500-ab12"
SLOT = Slot(RUN, 1)


class Launch(Ground):
    """A ground on which one run is placed."""

    def place(self, *candidates, slot=SLOT, limit=3.0, api=None, ledger=None):
        ledger = ledger or self.ledger
        with ledger.lease(slot.run) as lease:
            return place(
                api or self.api, ledger, lease, slot, candidates or [candidate()], request_for,
                max_usd_per_hour=limit,
            )  # fmt: skip

    def kinds(self):
        return [entry.kind for entry in self.ledger.entries()]

    def billing(self):
        return [pod.id for pod in self.world.billing()]


@pytest.fixture
def launch(tmp_path):
    launch = Launch(tmp_path)
    yield launch
    launch.close()


# -- placing ---------------------------------------------------------------------------------------


def test_the_journal_knows_before_the_platform_does(launch):
    known = []
    launch.faults.add("create", "first", action=lambda: known.extend(launch.kinds()))
    pod = launch.place()
    assert known == ["intent"]
    assert launch.kinds() == ["intent", "placed"]
    attempt = attempts(launch.ledger.entries())[SLOT]
    assert attempt.pod.pod_id == pod.id
    assert attempt.pod.usd_per_hour == 0.69
    assert launch.world.pods[pod.id].name == f"turnmill-{RUN}-a1"


@pytest.mark.parametrize("kind", ["lose", "late", "garbage", "truncate"])
def test_a_pod_whose_reply_was_lost_is_found_and_adopted(launch, kind):
    launch.faults.add("create", kind)
    pod = launch.place()
    assert launch.asked("create") == 1
    assert launch.billing() == [pod.id]
    assert launch.kinds() == ["intent", "unknown", "placed"]
    assert launch.ledger.entries()[-1].adopted


@pytest.mark.parametrize("kind", ["drop", "hang", "html"])
def test_where_none_came_to_be_it_is_asked_for_again(launch, kind):
    launch.faults.add("create", kind)
    pod = launch.place()
    assert launch.asked("create") == 2
    assert launch.billing() == [pod.id]
    assert launch.kinds() == ["intent", "unknown", "absent", "intent", "placed"]


def test_a_502_after_the_effect_leaves_one_pod(launch):
    launch.faults.add("create", "html", status=502, effect=True)
    pod = launch.place()
    assert launch.billing() == [pod.id]
    assert launch.asked("create") == 1


def test_a_pod_that_shows_only_after_some_looks_is_waited_for(launch):
    launch.world.fates.append(Fate(hidden=3))
    launch.faults.add("create", "lose")
    pod = launch.place()
    assert launch.billing() == [pod.id]
    assert launch.asked("create") == 1


def test_one_that_shows_later_than_that_is_ended_when_it_does(launch):
    launch.world.fates.append(Fate(hidden=10))
    launch.faults.add("create", "lose")
    pod = launch.place()
    assert len(launch.billing()) == 2
    for _ in range(10):
        launch.clock.sleep(30)
        assert sweep(launch.api, launch.ledger, SLOT).id == pod.id
    assert launch.billing() == [pod.id]
    extra = [one for one in attempts(launch.ledger.entries())[SLOT].pods.values() if one.extra]
    assert extra[0].usd(launch.clock.now()) > 0  # what it cost is not forgotten


def test_a_request_done_twice_leaves_one_pod(launch):
    launch.faults.add("create", "twice")
    pod = launch.place()
    assert launch.billing() == [pod.id]


def test_nothing_is_asked_for_while_nobody_knows(launch):
    launch.faults.add("create", "lose")
    launch.faults.add("list", "html", nth=2, times=99)
    with pytest.raises(UnknownOutcomeError):
        launch.place()
    launch.faults.script.clear()
    assert launch.asked("create") == 1
    assert next_slot(launch.ledger.entries(), RUN) == SLOT  # open: the next call looks first
    pod = launch.place()
    assert launch.asked("create") == 1
    assert launch.billing() == [pod.id]


def test_silence_without_end_is_given_up_after_some_creates(launch):
    launch.faults.add("create", "drop", times=99)
    with pytest.raises(UnknownOutcomeError):
        launch.place()
    assert launch.asked("create") == 3
    assert launch.billing() == []


def test_the_next_candidate_is_tried_where_one_is_taken_or_forbidden(launch):
    launch.world.cards[0].sold_out_at_create = True
    launch.faults.add("create", "status", nth=2, status=403, detail="pool")
    pod = launch.place(
        candidate(), candidate("NVIDIA RTX A5000", 0.27), candidate("NVIDIA A40", 0.4)
    )
    assert pod.gpu.id == "NVIDIA A40"
    assert launch.kinds() == ["intent", "refused", "intent", "refused", "intent", "placed"]


def test_when_all_are_refused_it_says_why_each_was(launch):
    for card in launch.world.cards:
        card.sold_out_at_create = True
    with pytest.raises(NoMachineError, match=r"no instances.*A40: .*no instances") as caught:
        launch.place(candidate(), candidate("NVIDIA A40", 0.4))
    assert "breaks a rule" in caught.value.hint
    assert not attempts(launch.ledger.entries())[SLOT].open


@pytest.mark.parametrize(
    ("status", "kind"), [(401, KeyRefusedError), (402, NoBalanceError), (422, ContractError)]
)
def test_where_no_candidate_can_do_none_is_tried(launch, status, kind):
    launch.faults.add("create", "status", status=status, times=9)
    with pytest.raises(kind):
        launch.place(candidate(), candidate("NVIDIA A40", 0.4))
    assert launch.asked("create") == 1
    assert not attempts(launch.ledger.entries())[SLOT].open


def test_a_pod_dearer_than_allowed_is_ended_at_once(launch):
    launch.world.fates.append(Fate(dearer=5))
    pod = launch.place(candidate(), candidate("NVIDIA A40", 0.4), limit=1.0)
    assert pod.gpu.id == "NVIDIA A40"
    assert launch.billing() == [pod.id]


def test_a_pod_is_known_by_its_marks_whatever_it_is_called(launch):
    launch.world.fates.append(Fate(renamed="my pod"))
    pod = launch.place()
    assert launch.place().id == pod.id
    assert launch.asked("create") == 1


def test_a_pod_tells_by_when_it_must_be_gone(launch):
    dead_by = launch.clock.now() + timedelta(hours=2)
    with launch.ledger.lease(RUN) as lease:
        pod = place(
            launch.api, launch.ledger, lease, SLOT, [candidate()], request_for,
            max_usd_per_hour=3, dead_by=dead_by,
        )  # fmt: skip
    assert pod.marks["TURNMILL_DEAD_BY"] == str(int(dead_by.timestamp()))
    assert attempts(launch.ledger.entries())[SLOT].pod.dead_by == dead_by


def test_pods_of_others_are_left_alone(launch, tmp_path):
    other = Ledger(tmp_path / "other", launch.clock)
    theirs = launch.place(ledger=other)
    ours = launch.place()
    mine = launch.api.create_pod(request_for(candidate(), {}))  # made by hand, of the same name
    assert sweep(launch.api, launch.ledger, SLOT).id == ours.id
    assert set(launch.billing()) == {theirs.id, ours.id, mine.id}


# -- ending ----------------------------------------------------------------------------------------


def test_an_end_is_written_before_and_after(launch):
    pod = launch.place()
    end_pod(launch.api, launch.ledger, SLOT, pod.id, "done")
    assert launch.kinds() == ["intent", "placed", "ending", "ended"]
    assert attempts(launch.ledger.entries())[SLOT].state == "ended"
    assert next_slot(launch.ledger.entries(), RUN) == Slot(RUN, 2)


def test_an_end_that_was_not_confirmed_is_asked_for_again(launch):
    pod = launch.place()
    launch.faults.add("terminate", "drop", times=99)
    with pytest.raises(UnknownOutcomeError):
        end_pod(launch.api, launch.ledger, SLOT, pod.id, "done")
    assert launch.billing() == [pod.id]
    launch.faults.script.clear()
    assert sweep(launch.api, launch.ledger, SLOT) is None
    assert launch.billing() == []
    assert not attempts(launch.ledger.entries())[SLOT].open


def test_a_pod_that_is_gone_behind_our_back_is_noted(launch):
    launch.world.fates.append(Fate(vanishes_s=60))
    launch.place()
    launch.clock.sleep(100)
    assert sweep(launch.api, launch.ledger, SLOT) is None
    assert launch.kinds()[-1] == "ended"


def test_a_pod_that_a_list_leaves_out_is_not_taken_for_gone(launch):
    launch.world.fates.append(Fate(hidden=99))
    pod = launch.place()
    assert sweep(launch.api, launch.ledger, SLOT).id == pod.id


@pytest.mark.parametrize("kind", ["first", "lose", "drop"])
def test_stopping(launch, kind):
    pod = launch.place()
    launch.faults.add("action", kind)
    if kind == "drop":
        with pytest.raises(UnknownOutcomeError):
            stop_pod(launch.api, launch.ledger, SLOT, pod.id, "kept")
    stop_pod(launch.api, launch.ledger, SLOT, pod.id, "kept")
    stop_pod(launch.api, launch.ledger, SLOT, pod.id, "kept")  # it is, and stays so
    assert launch.billing() == []
    assert sweep(launch.api, launch.ledger, SLOT).status == "EXITED"
    assert attempts(launch.ledger.entries())[SLOT].state == "stopped"


# -- several at once -------------------------------------------------------------------------------


def test_a_run_is_looked_after_by_one_process(launch):
    with launch.ledger.lease(RUN):
        assert launch.ledger.leased(RUN)
        with pytest.raises(BusyError, match=RUN), launch.ledger.lease(RUN):
            pass
        with launch.ledger.lease("another"):
            pass
    assert not launch.ledger.leased(RUN)


def test_many_launches_of_one_run_give_one_pod(tmp_path):
    with connected(tmp_path) as (emulator, api):
        found, start = [], threading.Barrier(6)

        def go():
            ledger = Ledger(tmp_path / "runpod")
            start.wait()
            try:
                with ledger.lease(RUN) as lease:
                    pod = place(
                        api, ledger, lease, SLOT, [candidate()], request_for, max_usd_per_hour=3
                    )
                    found.append(pod.id)
            except BusyError:
                found.append(None)

        threads = [threading.Thread(target=go) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 6
        assert len({one for one in found if one}) == 1
        assert len(emulator.world.billing()) == 1


LAUNCHER = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from runpod_ground import candidate, request_for
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_place import place
url, folder = sys.argv[1:]
api, ledger = RunPod(SecretStr(os.environ["RUNPOD_API_KEY"]), base_url=url), Ledger(Path(folder))
with ledger.lease("r") as lease:
    slot, choice = Slot("r", 1), [candidate()]
    print(place(api, ledger, lease, slot, choice, request_for, max_usd_per_hour=3).id)
"""


def test_a_launcher_killed_between_call_and_reply_leaves_nothing_unknown(tmp_path):
    with connected(tmp_path) as (emulator, _):
        program = tmp_path / "launcher.py"
        program.write_text(LAUNCHER)
        root = Path(__file__).parent
        env = {**os.environ, "RUNPOD_API_KEY": KEY, "PYTHONPATH": f"{root}:{root.parent}"}
        command = [sys.executable, str(program), emulator.world.api_url, str(tmp_path / "runpod")]
        processes = []

        def kill():
            processes[0].send_signal(signal.SIGKILL)

        # the pod comes to be, the one who asked for it does not live to hear of it
        emulator.faults.add("create", "twice")
        emulator.faults.add("list", "first", nth=2, action=kill)
        processes.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE))
        processes[0].communicate(timeout=60)
        assert processes[0].returncode == -signal.SIGKILL
        assert len(emulator.world.billing()) == 2
        emulator.faults.script.clear()
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, check=True, timeout=60
        )
        assert [pod.id for pod in emulator.world.billing()] == [done.stdout.strip()]


# -- the file --------------------------------------------------------------------------------------


def test_a_line_cut_short_is_no_line_and_swallows_none(launch):
    launch.ledger.write("intent", SLOT)
    file = launch.world.folder.parent / "runpod" / "journal.jsonl"
    with file.open("ab") as out:
        out.write(b'{"at":"2026-01-01T00:00:00Z","kind":"pla')
    assert launch.kinds() == ["intent"]
    launch.ledger.write("refused", SLOT)
    assert launch.kinds() == ["intent", "refused"]


def test_a_damaged_line_is_told(launch):
    launch.ledger.write("intent", SLOT)
    file = launch.world.folder.parent / "runpod" / "journal.jsonl"
    file.write_bytes(b'{"kind": "nothing"}\n' + file.read_bytes())
    with pytest.raises(LedgerError, match="line 1"):
        launch.ledger.entries()


def test_without_its_journal_no_pod_is_asked_for(launch, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="No space left"):
        launch.place()
    assert launch.asked("create") == 0


def test_the_journal_holds_no_secret_and_is_its_owners(launch):
    launch.faults.add("create", "status", status=400, detail=f"bad {TOKEN} {KEY}")
    launch.place(candidate(), candidate("NVIDIA A40", 0.4))
    folder = launch.world.folder.parent / "runpod"
    for file in folder.iterdir():
        assert TOKEN.encode() not in file.read_bytes()
        assert KEY.encode() not in file.read_bytes()
    assert (folder / "journal.jsonl").stat().st_mode & 0o077 == 0
    assert json.loads((folder / "journal.jsonl").read_bytes().splitlines()[1])["reason"].endswith(
        "bad *** ***"
    )


# -- money -----------------------------------------------------------------------------------------


def test_what_an_attempt_cost_is_what_the_platform_bills(launch):
    launch.world.fates.append(Fate(hidden=8))
    launch.faults.add("create", "lose")
    pod = launch.place()
    launch.clock.sleep(5400)
    for _ in range(6):
        sweep(launch.api, launch.ledger, SLOT)
    end_pod(launch.api, launch.ledger, SLOT, pod.id, "done")
    launch.clock.sleep(7200)
    now = launch.clock.now()
    ours = attempts(launch.ledger.entries())[SLOT].pods
    rows = reconciled({one.pod_id: one.usd(now) for one in ours.values()}, launch.api.pod_bills())
    assert len(rows) == 2
    assert all(row.agrees and row.billed_usd > 0 for row in rows)
    assert spent_usd(launch.ledger.entries(), RUN, now) == pytest.approx(
        launch.world.spent(), abs=0.01
    )


def test_a_pod_that_was_over_when_it_was_found_did_cost_money(launch):
    launch.world.fates.append(Fate(hidden=9, exits_s=3600))
    launch.faults.add("create", "lose")
    pod = launch.place()
    launch.clock.sleep(7200)
    for _ in range(9):
        sweep(launch.api, launch.ledger, SLOT)
    pods = attempts(launch.ledger.entries())[SLOT].pods
    lost = next(one for one in pods.values() if one.pod_id != pod.id)
    assert lost.usd(launch.clock.now()) >= 0.69


def test_caps():
    caps = Caps(max_usd_per_hour=2.0, max_usd=10.0, max_hours=8.0)
    assert allowed_s(caps, usd_per_hour=2.0, spent_usd=0.0) == 5 * 3600
    assert allowed_s(caps, usd_per_hour=1.0, spent_usd=1.0, ran_s=3600) == 7 * 3600
    assert allowed_s(caps, usd_per_hour=2.0, spent_usd=9.0, reserve_s=600) == 1200
    assert allowed_s(caps, usd_per_hour=2.0, spent_usd=11.0) == 0
    assert allowed_s(caps, usd_per_hour=2.5, spent_usd=0.0) == 0
    assert allowed_s(Caps(2.0), usd_per_hour=1.0, spent_usd=99.0) == float("inf")


def test_arithmetic():
    assert cost_usd(0.69, 5400) == pytest.approx(1.035)
    assert cost_usd(0.69, -5) == 0
    assert disk_usd(100, 30 * 24 * 3600, 0.2) == pytest.approx(20)


def test_bills_beside_the_ledger(launch):
    at = launch.clock.now()
    bills = [
        PodBill(pod_id=pod, start_time=at, end_time=at + timedelta(hours=1), total_amount=usd)
        for pod, usd in (("a", 1.0), ("a", 0.5), ("b", 3.0), ("foreign", 9.0))
    ]
    rows = reconciled({"a": 1.51, "b": 2.0, "c": 0.7}, bills)
    assert rows == [
        Difference("a", 1.51, 1.5),
        Difference("b", 2.0, 3.0),
        Difference("c", 0.7, None),
    ]
    assert [row.agrees for row in rows] == [True, False, False]

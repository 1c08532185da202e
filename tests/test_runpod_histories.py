"""Random histories of launcher, platform and faults: never more than one pod that costs money.

``TURNMILL_SOAK=1`` runs 2,000 of them.
"""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from runpod_contract import contract
from runpod_emulator import KEY
from runpod_faults import Fate
from runpod_ground import TOKEN, Ground, candidate, everything, request_for

from train.launchers.runpod_attempts import attempts, next_slot, spent_usd
from train.launchers.runpod_errors import ContractError, RunPodError
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_place import Doubt, end_pod, place, slot_of, stop_pod, sweep

HISTORIES = 2_000 if os.environ.get("TURNMILL_SOAK") else 200
RUN = "r"
MEMORY = Path("/dev/shm")
ROUTES = st.sampled_from(
    ["create", "create", "create", "list", "list", "terminate", "get", "action"]
)
KINDS = st.sampled_from(
    ["drop", "hang", "lose", "late", "garbage", "truncate", "html", "status", "twice"]
)
STATUSES = st.sampled_from([400, 401, 402, 403, 404, 409, 422, 429, 500, 503])
FATES = st.builds(
    Fate,
    stuck=st.sampled_from([None, None, "PROVISIONING", "STARTING"]),
    image_error=st.sampled_from([None, None, "STARTING", "ERROR"]),
    hidden=st.sampled_from([0, 0, 1, 3, 8]),
    exits_s=st.sampled_from([None, None, 30.0]),
    errors_s=st.sampled_from([None, None, 30.0]),
    vanishes_s=st.sampled_from([None, None, 1.0, 60.0]),
    renamed=st.sampled_from([None, None, "mine"]),
    dearer=st.sampled_from([1.0, 1.0, 9.0]),
)


class Killed(BaseException):
    """The launcher dies: nothing of it runs any more."""


class History(RuleBasedStateMachine):
    """One run, launched again and again while everything fails."""

    @initialize()
    def begin(self):
        # each journal entry is flushed: on a disk that alone takes minutes
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.ground = Ground(Path(self.folder.name))
        self.ground.world.provisioning_s = self.ground.world.starting_s = 1.0
        self.foreign, self.doubled = 0, False
        self.errors = []

    # -- what goes wrong ---------------------------------------------------------------------------

    @rule(route=ROUTES, kind=KINDS, nth=st.integers(1, 3), times=st.integers(1, 5),
          status=STATUSES, effect=st.booleans())  # fmt: skip
    def fault(self, route, kind, nth, times, status, effect):
        self.doubled = self.doubled or kind == "twice"
        headers = {"Retry-After": "3"} if status == 429 else {}
        effect = effect and kind in ("html", "status") and status >= 500
        self.ground.faults.add(
            route, kind, nth=nth, times=times, status=502 if kind == "html" else status,
            headers=headers, effect=effect,
        )  # fmt: skip

    @rule(fate=FATES)
    def fate(self, fate):
        self.doubled = self.doubled or fate.hidden > 4
        self.ground.world.fates.append(fate)

    @rule(kind=st.sampled_from(["twice", "lose"]))
    def two_pods_to_come(self, kind):
        """RunPod makes two, or loses the reply and does not list the pod for long."""
        self.doubled = True
        self.ground.faults.script.clear()
        self.ground.world.fates[:] = [Fate(hidden=8)] if kind == "lose" else []
        self.ground.faults.add("create", kind)

    @rule(card=st.integers(0, 5))
    def sold_out(self, card):
        card = self.ground.world.cards[card]
        card.sold_out_at_create = not card.sold_out_at_create

    @rule(seconds=st.sampled_from([1.0, 20.0, 4000.0]))
    def time_passes(self, seconds):
        self.ground.clock.sleep(seconds)
        self.ground.world.tick()

    @rule()
    def a_pod_of_somebody_else(self):
        world, other = self.ground.world, request_for(candidate(), {"TURNMILL_WORKSPACE": "other"})
        kept, world.fates = world.fates, []
        body = other.model_dump(by_alias=True, exclude_none=True)
        world.make(body, 0.1, None)
        world.fates = kept
        self.foreign += 1

    # -- what the launcher does --------------------------------------------------------------------

    def ledger(self):
        """As a new process has it."""
        return Ledger(self.ground.world.folder.parent / "runpod", self.ground.clock)

    def tried(self, work):
        try:
            return work()
        except (RunPodError, ContractError) as error:
            self.errors.append(error)
        except Killed:
            pass
        return None

    def launch(self, kill_at=None):
        ledger, api = self.ledger(), self.ground.client()

        def work():
            with ledger.lease(RUN) as lease:
                slot = next_slot(ledger.entries(), RUN)
                return place(
                    api, ledger, lease, slot, [candidate(), candidate("NVIDIA A40", 0.4)],
                    request_for, max_usd_per_hour=3.0, doubt=Doubt(looks=5, pause_s=2.0),
                )  # fmt: skip

        if kill_at is not None:
            write, left = ledger.write, [kill_at]

            def killed(*args, **facts):
                left[0] -= 1
                if left[0] == 0:
                    raise Killed
                entry = write(*args, **facts)
                if left[0] == 1:
                    # dies after this line, before what it announces or after what it reports
                    raise Killed
                return entry

            ledger.write = killed
        return self.tried(work)

    @rule()
    def launched(self):
        pod = self.launch()
        if pod is not None:
            assert pod.cost <= 3.0

    @rule(at=st.integers(1, 5))
    def launched_and_killed(self, at):
        self.launch(kill_at=at)

    def current(self):
        return self.tried(lambda: sweep(self.ground.api, self.ledger(), self.slot()))

    def slot(self):
        entries = self.ledger().entries()
        known = list(attempts(entries))
        return known[-1] if known else Slot(RUN, 1)

    @rule()
    def swept(self):
        self.current()

    @rule()
    def ended(self):
        pod = self.current()
        if pod is not None:
            self.tried(lambda: end_pod(self.ground.api, self.ledger(), self.slot(), pod.id, "done"))

    @rule()
    def stopped(self):
        pod = self.current()
        if pod is not None:
            self.tried(
                lambda: stop_pod(self.ground.api, self.ledger(), self.slot(), pod.id, "kept")
            )

    # -- what must always be so --------------------------------------------------------------------

    def ours(self):
        return [
            pod for pod in self.ground.world.billing()
            if pod.body["env"].get("TURNMILL_WORKSPACE") != "other"
        ]  # fmt: skip

    @invariant()
    def one_pod_an_attempt(self):
        # what RunPod makes twice or lists late is two until the next look: see teardown
        if not hasattr(self, "ground") or self.doubled:
            return
        slots = [pod.body["env"]["TURNMILL_ATTEMPT"] for pod in self.ours()]
        assert len(slots) == len(set(slots)), slots

    @invariant()
    def every_pod_that_costs_money_is_expected(self):
        """A journal that knows nothing of a pod would let it live for ever."""
        if not hasattr(self, "ground") or self.doubled:
            return
        known = attempts(self.ledger().entries())
        for pod in self.ours():
            slot = Slot(RUN, int(pod.body["env"]["TURNMILL_ATTEMPT"]))
            assert slot in known
            assert known[slot].open, (pod.id, known[slot])

    def teardown(self):
        if not hasattr(self, "ground"):
            return
        ground = self.ground
        ground.faults.script.clear()
        ground.world.fates.clear()
        # the platform is well again: one look an attempt must settle everything
        for slot in attempts(self.ledger().entries()):
            for _ in range(10):
                kept = sweep(ground.api, self.ledger(), slot)
            if kept is not None:
                end_pod(ground.api, self.ledger(), slot, kept.id, "over")
        workspace = self.ledger().workspace_id
        assert [pod for pod in ground.api.pods() if slot_of(pod, workspace)] == []
        assert len(ground.world.pods) == self.foreign
        known = attempts(self.ledger().entries())
        assert not [one for one in known.values() if any(not p.gone for p in one.pods.values())]
        ours = [
            pod for pod in ground.world.all_pods() if pod.body["env"].get("TURNMILL_RUN") == RUN
        ]
        # by the list: what one that was over when it was found cost beyond that, nobody can tell
        truth = sum(
            charge.usd(ground.world.now_s()) / pod.fate.dearer
            for pod in ours for charge in pod.charges
        )  # fmt: skip
        counted = spent_usd(self.ledger().entries(), RUN, ground.clock.now())
        # never less than it cost, but for pods that came and went unseen between two looks
        seen = {pod_id for one in known.values() for pod_id in one.pods}
        unseen = sum(
            charge.usd(ground.world.now_s())
            for pod in ours if pod.id not in seen for charge in pod.charges
        )  # fmt: skip
        assert counted >= truth - unseen - 0.01
        journal = ground.world.folder.parent / "runpod" / "journal.jsonl"
        text = journal.read_text() if journal.exists() else ""
        text += "".join(everything(error) for error in self.errors[-3:])
        chained = [one for one in self.errors if one.__cause__ or one.__context__]
        assert chained == []
        assert KEY not in text
        assert TOKEN not in text
        if contract() is not None and os.environ.get("TURNMILL_SOAK") is None:
            broken = [e for x in ground.emulator.exchanges[-20:] for e in contract().violations(x)]
            assert broken == []
        self.folder.cleanup()


@pytest.mark.slow
def test_no_history_leaves_two_pods_or_a_forgotten_one():
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=HISTORIES, stateful_step_count=20, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip

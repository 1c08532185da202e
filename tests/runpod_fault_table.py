"""What is made to go wrong with a run on RunPod, case by case, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runpod_faults import Fate
from runpod_ground import candidate, request_for
from runpod_pods import Behaviour
from runpod_stage import LIMITS, REAP_S, RUN, Killed, Stage, stage

Act = Callable[[Stage], object]


@dataclass
class Case:
    """A fault and what must come of it.

    Attributes:
        title: what goes wrong.
        arrange: makes it so.
        act: what is done then; by default a launch.
        state: of the record at the end.
        pods: how many there may be, at most.
        two_s: for how long an attempt may have two pods that cost money, in seconds.
        tells: what the person must be told somewhere.
        bug: whether it is one of ours, which ends in a traceback.
        limits: other than usual.
    """

    title: str
    arrange: Act = lambda _: None
    act: Act = lambda s: s.launch()
    state: str = "succeeded"
    pods: int = 1
    two_s: float = 0.0
    tells: str = ""
    bug: bool = False
    limits: dict[str, Any] = field(default_factory=dict)


def fault(route: str, kind: str, **options: Any) -> Act:
    return lambda s: s.faults.add(route, kind, **options)


def fates(*some: Fate) -> Act:
    return lambda s: s.world.fates.extend(some)


def behave(*some: Behaviour) -> Act:
    return lambda s: s.behaviours.extend(some)


def both(*acts: Act) -> Act:
    return lambda s: [act(s) for act in acts]


def again(*, after_s: float = 60.0) -> Act:
    """A launch, and after a while another."""
    return lambda s: (s.launch(), s.wait(after_s), s.launch())


def setting(thing: str, **values: Any) -> Act:
    """Set attributes of a part of the stage."""

    def arrange(s: Stage) -> None:
        target = {"world": s.world, "emulator": s.emulator, "in_pod": s.in_pod, "here": s.here,
                  "clock": s.clock, "stage": s}[thing]  # fmt: skip
        for name, value in values.items():
            setattr(target, name, value)

    return arrange


def later(seconds: float, act: Act) -> Act:
    return lambda s: s.after(seconds, lambda: act(s))


def killed_at(number: int, *, before: bool) -> Act:
    def act(s: Stage) -> None:
        with s.killed_at_entry(number, before=before):
            s.launch()
        s.wait(60.0)
        s.launch()

    return act


def killed_after(seconds: float, wait_s: float) -> Act:
    """The launcher dies in the middle; somebody comes back later."""

    def act(s: Stage) -> None:
        s.kill_at = s.clock.monotonic() + seconds
        s.launch()
        s.wait(wait_s)
        s.launch()

    return act


def never_back(s: Stage) -> None:
    s.kill_at = s.clock.monotonic() + 120.0
    s.launch()


def killed_in_request(route: str) -> Act:
    """The launcher dies as its request comes back."""

    def die() -> None:
        raise Killed

    return lambda s: s.faults.add(route, "first", action=die)


def second_launcher(s: Stage) -> None:
    s.launch()


def somebody_elses_pods(s: Stage) -> None:
    kept, s.world.fates = s.world.fates, []
    like = [
        {"TURNMILL_WORKSPACE": "other", "TURNMILL_RUN": RUN, "TURNMILL_ATTEMPT": "1",
         "TURNMILL_DEAD_BY": "99999999999"},
        {},
    ]  # fmt: skip
    for marks in like:
        body = request_for(candidate(), marks).model_dump(by_alias=True, exclude_none=True)
        s.world.make({**body, "name": f"turnmill-{RUN}-a1"}, 0.1, None)
    s.world.fates = kept


def revoked(s: Stage) -> None:
    s.emulator.key = "rpa_ANOTHERKEY0123456789abcdefghijkl"


def key_back(s: Stage) -> None:
    s.launch()
    s.wait(1200.0)
    s.key = s.emulator.key
    s.launch()


def broken(thing: str, seconds: float) -> Act:
    def act(s: Stage) -> None:
        side = s.in_pod if thing == "in_pod" else s.here
        side.broken_until = s.clock.monotonic() + seconds

    return act


def jump(seconds: float) -> Act:
    def act(s: Stage) -> None:
        s.clock.skew_s += seconds

    return act


def rots_once_delivered(s: Stage) -> None:
    def look() -> None:
        if not (s.root / "manifest-a1.json").exists():
            s.after(5.0, look)
            return
        for file in s.root.glob("a1/adapter/*.safetensors"):
            file.write_bytes(b"rotten")

    s.after(5.0, look)


FROZEN = behave(Behaviour(frozen_s=200.0))
LOST = Fate(exits_s=200.0)

REPLIES = [
    Case("reply to create lost, pod made", fault("create", "lose")),
    Case("create cut before it did anything", fault("create", "drop")),
    Case("create answers after our timeout, pod made", fault("create", "late")),
    Case("create hangs, nothing made", fault("create", "hang")),
    Case("create answers no JSON, pod made", fault("create", "garbage")),
    Case("create answers half, pod made", fault("create", "truncate")),
    Case("create 502 with an HTML page, pod made",
         fault("create", "html", status=502, effect=True)),
    Case("create 500, nothing made", fault("create", "status", status=500)),
    Case("create 503, pod made", fault("create", "status", status=503, effect=True)),
    Case("create done twice by a proxy", fault("create", "twice"), pods=2, two_s=15.0),
    Case("reply to create lost, pod missing in 3 lists",
         both(fault("create", "lose"), fates(Fate(hidden=3)))),
    Case("reply to create lost, pod missing in 8 lists",
         both(fault("create", "lose"), fates(Fate(hidden=8))), pods=2, two_s=120.0),
    Case("reply to create lost, and no list for 10 min; launched again",
         both(fault("create", "lose"), fault("list", "status", status=503, nth=2, times=4)),
         again(after_s=600.0), tells="may"),
    Case("three replies to create lost in a row", fault("create", "lose", times=3), pods=3),
    Case("create 400: no machine free", fault("create", "status", status=400)),
    Case("every card sold out",
         lambda s: [setattr(c, "sold_out_at_create", True) for c in s.world.cards],
         state="failed", pods=0, tells="all machines may be taken"),
    Case("create 401", fault("create", "status", status=401), state="planned", pods=0,
         tells="key"),
    Case("create 402: balance too low", fault("create", "status", status=402), state="failed",
         pods=0, tells="credit"),
    Case("create 403 for one card", fault("create", "status", status=403)),
    Case("create 404", fault("create", "status", status=404), state="planned", pods=0),
    Case("create 409", fault("create", "status", status=409), state="planned", pods=0),
    Case("create 422: a bug of ours", fault("create", "status", status=422), state="planned",
         pods=0, bug=True),
    Case("create 429 with Retry-After",
         fault("create", "status", status=429, headers={"Retry-After": "20"})),
    Case("create 429 without end", fault("create", "status", status=429, times=999),
         state="planned", pods=0, tells="too many requests"),
]  # fmt: skip
WATCHING = [
    Case("list 503 for minutes", fault("list", "status", status=503, nth=8, times=20)),
    Case("list hangs", fault("list", "hang", nth=8, times=6)),
    Case("list answers no JSON", fault("list", "garbage", nth=8, times=6)),
    Case("list 429", fault("list", "status", status=429, nth=8, times=3)),
    Case("list 502 with an HTML page", fault("list", "html", status=502, nth=8, times=6)),
    Case("one list takes an hour: the laptop slept",
         lambda s: s.faults.add("list", "first", nth=8, action=lambda: s.wait(3600.0))),
    Case("key revoked midway, back 20 min later", later(180.0, revoked), key_back, tells="key"),
    Case("log cut after each line", setting("emulator", lines_per_stream=1)),
    Case("no log to be had", fault("logs", "status", status=503, times=9999)),
    Case("nothing in the log", behave(Behaviour(mute=True))),
    Case("runtime null for long", fates(Fate(null_runtime=50))),
    Case("state changes take 4 min each",
         setting("world", provisioning_s=240.0, starting_s=240.0)),
    Case("pod renamed by its owner", fates(Fate(renamed="mine"))),
    Case("pods of others with like names and marks", somebody_elses_pods),
]  # fmt: skip
MACHINES = [
    Case("stuck in PROVISIONING", fates(Fate(stuck="PROVISIONING")), pods=2,
         tells="in PROVISIONING"),
    Case("stuck in STARTING", fates(Fate(stuck="STARTING")), pods=2, tells="in STARTING"),
    Case("image cannot be pulled, stays in STARTING", fates(Fate(image_error="STARTING")), pods=2,
         tells="image"),
    Case("image cannot be pulled, ERROR, on every machine",
         fates(Fate(image_error="ERROR"), Fate(image_error="ERROR")), state="failed", pods=2),
    Case("EXITED by itself in mid run", fates(LOST), pods=2, tells="EXITED"),
    Case("ERROR in mid run", fates(Fate(errors_s=400.0)), pods=2, tells="ERROR"),
    Case("host taken back in mid run", fates(Fate(vanishes_s=400.0)), pods=2, tells="is gone"),
    Case("host taken back four times", fates(*[Fate(vanishes_s=60.0) for _ in range(4)]),
         state="failed", pods=4, tells="is gone"),
    Case("no cards in the container", fates(Fate(no_gpus=True)), pods=2, tells="0 of 1 cards"),
    Case("somebody else holds the card", behave(Behaviour(foreign_mib=9000)), pods=2,
         tells="other programs hold"),
    Case("pod costs nine times the list", fates(Fate(dearer=9.0)), pods=2),
    Case("pod turns out a cluster's member", fates(Fate(in_cluster=True)), pods=2, two_s=1e9),
    Case("container started again at its end", both(setting("world", on_exit="restart"),
         setting("emulator", pod_keys_act=False))),
    Case("balance spent in mid run", setting("world", balance=0.02), state="failed", pods=1),
]  # fmt: skip
INSIDE = [
    Case("supervisor killed", behave(Behaviour(supervisor_killed_s=300.0)), pods=2,
         tells="supervisor"),
    Case("everything in the pod killed", behave(Behaviour(killed_s=300.0)), pods=2,
         tells="EXITED"),
    Case("pod frozen", FROZEN, pods=2, tells="no sign of life"),
    Case("pod frozen, launcher dead, service reaps",
         both(FROZEN, setting("stage", reap_every=300.0)), never_back, state="running"),
    Case("pod frozen, launcher dead, machine off for 5 h",
         FROZEN, lambda s: (never_back(s), s.wait(5 * 3600.0), s.reap()), state="running"),
    Case("guard killed, then the run goes on too long",
         behave(Behaviour(guard_killed_s=10.0, step_s=400.0)), state="failed",
         tells="hours are spent"),
    Case("training stalls", behave(Behaviour(stalls=7)), pods=2, tells="stall"),
    Case("CUDA out of memory", behave(Behaviour(fails=(3, "out-of-memory"))), pods=2,
         tells="more memory"),
    Case("host memory used up", behave(Behaviour(fails=(8, "host-memory"))), pods=2),
    Case("container's disk full", behave(Behaviour(fails=(8, "disk"))), pods=2,
         tells="twice the disk"),
    Case("data that cannot be trained on", behave(Behaviour(fails=(1, "data"))), state="failed",
         tells="another pod would fail"),
    Case("loss is no number", behave(Behaviour(fails=(9, "nan"))), state="failed"),
    Case("max_hours reached", behave(Behaviour(step_s=400.0)), state="failed",
         tells="hours are spent"),
    Case("max_usd reached", behave(Behaviour(step_s=400.0)), state="failed",
         limits={"max_usd": 0.2}),
    Case("max_usd reached over several pods", fates(*[Fate(exits_s=200.0) for _ in range(4)]),
         state="failed", pods=3, tells="are spent", limits={"max_usd": 0.06}),
    Case("pod's clock 3 h fast", behave(Behaviour(skew_s=10800.0)), pods=2),
    Case("pod's clock 3 h slow, run too long",
         behave(Behaviour(skew_s=-10800.0, step_s=400.0)), state="failed"),
    Case("pod's key may not end it", setting("emulator", pod_keys_act=False)),
    Case("ending refused three times by 503", fault("action", "status", status=503, times=3)),
    Case("pod's and launcher's calls to end lost",
         both(setting("emulator", pod_keys_act=False), fault("terminate", "lose", times=2))),
    Case("launcher cannot end for an hour; the reaper does",
         both(setting("emulator", pod_keys_act=False),
              fault("terminate", "status", status=503, times=24)), tells="may have been done"),
]  # fmt: skip
FILES = [
    Case("machine lost in the middle of the upload", setting("in_pod", cut_at=1), pods=2),
    Case("file damaged as it arrived; put again",
         setting("in_pod", rots={"model.safetensors": 1})),
    Case("file damaged after delivery, pod gone", rots_once_delivered, pods=2,
         tells="not whole"),
    Case("file damaged after delivery, pod still there",
         both(setting("emulator", pod_keys_act=False), rots_once_delivered), pods=2,
         tells="not whole"),
    Case("manifest never arrives", setting("in_pod", refuses={"manifest-a1.json"}), pods=2,
         tells="could not be delivered"),
    Case("volume full", later(200.0, setting("in_pod", full=True)), state="failed", pods=2,
         tells="no space left"),
    Case("Hub 503 for 10 min at delivery", later(600.0, broken("in_pod", 600.0))),
    Case("Hub 503 for the pod to its end", later(300.0, broken("in_pod", 1e9)), state="failed",
         pods=2),
    Case("Hub 503 for the launcher for 20 min", later(500.0, broken("here", 1200.0)),
         again(after_s=600.0), tells="503"),
    Case("Hub 503 for an hour after shipping", later(5.0, broken("in_pod", 3600.0)),
         state="failed", pods=2, tells="503"),
]  # fmt: skip
LAUNCHERS = [
    *[
        Case(f"launcher killed {'before' if before else 'after'} journal entry {number}",
             act=killed_at(number, before=before))
        for number in (1, 2, 3)
        for before in (True, False)
    ],
    Case("launcher killed as create is on its way", killed_in_request("create"), again()),
    Case("launcher killed in mid run, attached 1 min later", act=killed_after(300.0, 60.0)),
    Case("launcher killed in mid run, attached a day later", act=killed_after(300.0, 86400.0)),
    Case("launcher killed, nobody comes back", act=never_back, state="running"),
    Case("launcher and pod killed, attached an hour later", behave(Behaviour(killed_s=200.0)),
         killed_after(200.0, 3600.0), pods=2),
    Case("launcher killed and supervisor too", behave(Behaviour(supervisor_killed_s=200.0)),
         killed_after(150.0, 3600.0), pods=2),
    Case("second launcher in mid run", later(200.0, second_launcher), tells="another process"),
    Case("second launcher as the first asks for a pod",
         lambda s: s.faults.add("create", "first", action=s.launch), tells="another process"),
    Case("two reapers at once over a frozen pod",
         both(FROZEN, lambda s: s.faults.add("terminate", "first", action=s.reap)),
         lambda s: (never_back(s), s.wait(4 * 3600.0), s.reap(), s.reap()), state="running"),
    Case("reaper while a launcher works", later(200.0, lambda s: s.reap())),
    Case("this machine's clock jumps a day ahead in mid run", later(200.0, jump(86400.0))),
    Case("this machine's clock jumps a day back in mid run", later(200.0, jump(-86400.0))),
    Case("this machine's clock 5 min slow from the start", jump(-300.0)),
    Case("this machine's clock an hour slow from the start", jump(-3600.0), state="planned",
         tells="behind RunPod's"),
    Case("this machine's clock 3 h fast from the start", jump(10800.0)),
]  # fmt: skip


GROUPS = {
    "Replies to the call for a pod": REPLIES,
    "Watching": WATCHING,
    "Machines": MACHINES,
    "Inside the pod": INSIDE,
    "Files": FILES,
    "Launchers and reapers": LAUNCHERS,
}


@dataclass
class Outcome:
    """What came of a case."""

    state: str
    pods: int
    most: int
    two_s: float
    minutes: float
    usd: float
    lost: list[str]
    zombies: list[str]
    too_early: list[str]
    open: list[str]
    told: list[str]
    bugs: list[str]
    overdue_s: float


def outcome(case: Case) -> Outcome:
    """Run a case to its end and look at what is left."""
    bugs = []
    with stage(**case.limits) as s:
        case.arrange(s)
        try:
            case.act(s)
        except RuntimeError as error:
            bugs.append(f"{type(error).__name__}: {error}")
        s.faults.script = [one for one in s.faults.script if one.times < 999]
        left = s.settle()
        return Outcome(
            state=s.record().state,
            pods=len(s.made()),
            most=max(s.watched.most.values(), default=0),
            two_s=s.watched.two_s,
            minutes=s.minutes(),
            usd=s.usd(),
            lost=s.lost(),
            zombies=[pod.id for pod in left],
            too_early=s.watched.too_early,
            open=s.open_attempts(),
            told=_told(s),
            bugs=bugs,
            overdue_s=max(s.watched.overdue_s.values(), default=0.0),
        )


def _told(s: Stage) -> list[str]:
    found = []
    for event in s.told:
        if event["event"] == "attempt_ended":
            found.append(f"{event['class']}: {event['message']}; {event['action']}")
        elif event["event"] == "unverified":
            found.append(f"{event['files']} files are not whole: {event['wrong'][0]}")
        elif event["event"] == "not_ended":
            found.append(event["message"])
    found += [f"{error.message}; {error.hint}" for error in s.errors]
    failure = s.record().failure
    if failure is not None:
        found.append(f"{failure.kind}: {failure.message}; {failure.advice}")
    return list(dict.fromkeys(found))


# its own backoff, the guard's grace, and a reaper's period
OVERDUE_S = 60.0 + 60.0 + REAP_S


def broken_promises(case: Case, came: Outcome) -> list[str]:
    """What of a case did not come out as it must."""
    cap = case.limits.get("max_usd", LIMITS["max_usd"])
    checks = [
        (came.state == case.state, f"the record says {came.state}, not {case.state}"),
        (came.pods <= case.pods, f"{came.pods} pods, not {case.pods}"),
        (came.two_s <= case.two_s, f"two pods of one attempt for {came.two_s:.0f} s"),
        (not came.lost, f"lost: {came.lost}"),
        (not came.zombies, f"zombies: {came.zombies}"),
        (not came.too_early, f"ended too early: {came.too_early}"),
        (bool(came.bugs) == case.bug, f"bugs: {came.bugs}"),
        (came.overdue_s <= OVERDUE_S, f"{came.overdue_s:.0f} s past its time"),
        (came.usd <= cap, f"${came.usd:.2f} of ${cap:.2f}"),
        (not case.tells or any(case.tells in one for one in came.told), f"told: {came.told}"),
    ]
    return [fault for held, fault in checks if not held]

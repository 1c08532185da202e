"""What a rented machine makes known beside the run itself, each in a sentence safe to print."""

from collections.abc import Callable
from typing import Any

from serve.terminal import safe

_Event = dict[str, Any]


def _asking(event: _Event) -> str:
    price = f"${event['usd_per_hour']:.2f} an hour"
    return f"attempt {event['attempt']}: asking for {event['card']} at {price}"


def _pod(event: _Event) -> str | None:
    if "card" not in event:
        return None
    return f"pod {event['pod']}: {event['card']}, ${event['usd_per_hour']:.2f} an hour"


def _unverified(event: _Event) -> str:
    return (
        f"{event['files']} files are not whole where the pod put them"
        f" ({'; '.join(event['wrong'])}); the pod is kept as long as its limits allow"
    )


def _attempt_ended(event: _Event) -> str:
    what = "going on" if event["again"] else "not going on"
    why = f"{event['class']}: {event['message']}"
    return f"attempt {event['attempt']} ended ({why}); {what}: {event['action']}"


def _kept(event: _Event) -> str:
    return (
        f"pod {event['pod']} is stopped and kept; its disk costs about"
        f" ${event['usd_per_month']:.2f} a month until you end it in RunPod's console"
    )


def _detached(event: _Event) -> str:
    again = f"turnmill attach {event['run']}"
    return f"let go; the run's pod goes on, and ends itself. Follow it again with: {again}"


_NOTES: dict[str, Callable[[_Event], str | None]] = {
    "shipping": lambda _: "sending the run's archive",
    "asking": _asking,
    "pod": _pod,
    "verified": lambda event: f"all {event['files']} files were read back and are whole",
    "unverified": _unverified,
    "attempt_ended": _attempt_ended,
    "not_ended": lambda event: (
        f"pod {event['pod']} may still cost money: {event['message']}; turnmill reap ends it"
    ),
    "kept": _kept,
    "carrier": lambda event: f"where the pod delivers cannot be read now: {event['message']}",
    "detached": _detached,
}


def note_of_pod(event: _Event) -> str | None:
    """An event of RunPod's launcher in a sentence; None where there is nothing to know."""
    note = _NOTES.get(event["event"])
    said = note(event) if note is not None else None
    return None if said is None else safe(said)

"""Tries one delivery, and says what becomes of it: done, tried again later, or given up.

Every event reaches every hook it is for at least once. A receiver may see one twice, with the same
``webhook-id``, where its answer was lost; once its answer is on disk, never again.
"""

import random
import time
from datetime import UTC, datetime, timedelta

from ingest.version import __version__
from ingest.workspace import Workspace
from train.hooks.event import Event
from train.hooks.outbox import LOG, SETTLED, Attempt, Delivery, Outbox, State
from train.hooks.post import Outcome, post
from train.hooks.program import run_command, run_training
from train.hooks.secret import SecretError, find_secrets, sign
from train.hooks.spec import HooksFile, HookSpec

_BASE_S, _FACTOR, _CAP_S = 5.0, 4.0, 12 * 3600.0
_LONGEST_S = 24 * 3600.0  # that a receiver may ask us to wait
_JITTER = 0.2
_GONE = 410


def deliver(
    event: Event, name: str, hooks: HooksFile, workspace: Workspace, *, again: bool = False
) -> Delivery:
    """Try a delivery once, if it is due and nobody else is at it.

    Args:
        event: on disk.
        name: of the hook.
        hooks: as ``turnmill.toml`` has them now.
        workspace: with the outbox.
        again: also where it is settled or not due yet.

    Returns:
        The delivery as it then stands.
    """
    outbox = Outbox(workspace)
    with outbox.working_on(event.id, name) as mine:
        delivery = outbox.read(event.id, name)
        if not mine:
            return delivery
        hook = hooks.named(name)
        if delivery.state == "running":  # and its process died without a word
            delivery = outbox.write(_next(_interrupted(delivery), hook, None))
        if not (again or delivery.is_due(datetime.now(UTC))):
            return delivery
        return _tried(event, hook, hooks, outbox, delivery, workspace)


def _interrupted(delivery: Delivery) -> Delivery:
    last = delivery.attempts[-1].model_copy(update={"error": "interrupted"})
    return delivery.model_copy(update={"attempts": [*delivery.attempts[:-1], last]})


def _tried(
    event: Event,
    hook: HookSpec | None,
    hooks: HooksFile,
    outbox: Outbox,
    delivery: Delivery,
    workspace: Workspace,
) -> Delivery:
    begun = Attempt(at=datetime.now(UTC), replay=delivery.state in SETTLED)
    refusal = _refusal(event, hook, hooks)
    if hook is None or refusal:
        return outbox.write(_with(delivery, begun, Outcome(0, None, refusal), "refused"))
    if hook.action != "url":
        # a program that was started must not be started again as if it never had been
        update = {"state": "running", "attempts": [*delivery.attempts, begun], "due": None}
        outbox.write(delivery.model_copy(update=update))
    outcome = _outcome(event, hook, workspace, outbox)
    state: State = "delivered" if outcome.error is None else "pending"
    if outcome.status == _GONE and hook.action == "url":
        state = "gone"
    done = _with(delivery, begun, outcome, state)
    return outbox.write(_next(done, hook, outcome.retry_after_s))


def _refusal(event: Event, hook: HookSpec | None, hooks: HooksFile) -> str | None:
    """Why a delivery is not even tried. A POST starts nothing here, so it closes no circle."""
    if hook is None:
        return "no such hook"
    if hook.action == "url":
        return None
    if hook.name in event.chain:
        return f"circle: {' -> '.join([*event.chain, hook.name])}"
    if len(event.chain) >= hooks.max_depth:
        return f"depth: more than {hooks.max_depth} hooks in a row"
    return None


def _outcome(event: Event, hook: HookSpec, workspace: Workspace, outbox: Outbox) -> Outcome:
    log = outbox.place(event.id, hook.name) / LOG
    if hook.action == "command":
        return run_command(hook, event, workspace, log)
    if hook.action == "train":
        if event.kind == "ping":
            return Outcome(0)  # whoever tests a hook does not mean to train
        return run_training(hook, event, workspace, log)
    assert hook.url is not None
    body, now = event.body(), int(time.time())
    try:
        signature = sign(find_secrets(hook, workspace), event.id, now, body)
    except SecretError:
        return Outcome(0, None, "secret")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"turnmill/{__version__}",
        "webhook-id": event.id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature,
    }
    return post(hook.url, body, headers, hook.limit_s)


def _with(delivery: Delivery, begun: Attempt, outcome: Outcome, state: State) -> Delivery:
    ended = begun.model_copy(
        update={"ms": outcome.ms, "status": outcome.status, "error": outcome.error}
    )
    attempts = [*delivery.attempts, ended]
    return delivery.model_copy(update={"state": state, "attempts": attempts, "due": None})


def _next(delivery: Delivery, hook: HookSpec | None, asked_s: float | None) -> Delivery:
    """The delivery with the time of its next attempt, or given up."""
    if delivery.state in SETTLED:
        return delivery
    # a replay is one attempt more, and no beginning from the start
    tries = hook.tries if hook is not None else 0
    if len(delivery.attempts) >= tries or delivery.attempts[-1].replay:
        return delivery.model_copy(update={"state": "failed", "due": None})
    wait_s = min(_LONGEST_S, max(pause_s(len(delivery.attempts)), asked_s or 0))
    due = datetime.now(UTC) + timedelta(seconds=wait_s)
    return delivery.model_copy(update={"state": "pending", "due": due})


def pause_s(done: int) -> float:
    """Seconds until the next attempt: 5, 20, 80, ... to twelve hours, a fifth more or less.

    Args:
        done: attempts so far, at least 1.
    """
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - keeps receivers from a rush
    return min(_CAP_S, _BASE_S * _FACTOR ** (done - 1)) * spread

"""Tries what is due, for as long as it is told to wait."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from ingest.workspace import Workspace
from train.hooks.emit import attempt, emit, is_open
from train.hooks.event import Event, run_ended
from train.hooks.match import matching
from train.hooks.outbox import Delivery, Outbox
from train.hooks.spec import HooksFile, load_hooks

_LOOKS_S = 5.0
_GRACE_S = 600.0
"""Seconds in which whoever watched a run tells its end, and knows which hooks led to it."""


def flush(workspace: Workspace, *, wait_s: float = 0.0) -> list[Delivery]:
    """Try all deliveries that are due; then those that become due while it waits.

    Args:
        workspace: with the outbox.
        wait_s: seconds to stay at the most; 0 tries once what is due now.

    Returns:
        Those that were tried, as they stand now.

    Raises:
        UserError: ``turnmill.toml`` or the outbox cannot be read.
    """
    outbox = Outbox(workspace)
    end = time.time() + wait_s
    tried: dict[tuple[str, str], Delivery] = {}

    def keep(delivery: Delivery) -> None:
        tried[delivery.event, delivery.hook] = delivery

    for event in _untold(workspace):
        emit(event, workspace, keep)
    while True:
        hooks = load_hooks(workspace)
        waiting: list[datetime] = []
        for event in outbox.events():
            for name in _names(event, hooks, workspace):
                delivery = outbox.read(event.id, name)
                if delivery.is_due(datetime.now(UTC)):
                    delivery = attempt(event, name, hooks, workspace)
                    keep(delivery)
                if is_open(delivery) and delivery.due is not None:
                    waiting.append(delivery.due)
        due = min(waiting, default=None)
        if due is None or due.timestamp() > end:
            return list(tried.values())
        # not all of it at once: others may leave something that is due sooner
        time.sleep(min(_LOOKS_S, max(0.0, due.timestamp() - time.time()) + 0.01))


def _untold(workspace: Workspace) -> Iterator[Event]:
    """Runs whose end nobody told, because what watched them had died before.

    Only those that ended after ``turnmill.toml`` was last written: a hook is not for what was.
    """
    from train.record import RECORD, RunError, read_record  # brings all of the plan with it

    if not workspace.config.is_file():
        return
    since = workspace.config.stat().st_mtime
    for file in sorted(workspace.runs.glob(f"*/{RECORD}")):
        if file.stat().st_mtime <= since:
            continue
        try:
            record = read_record(file.parent)
        except RunError:
            continue  # 'turnmill runs' names it
        ended = record.states[-1].at.timestamp()
        over = record.state in ("succeeded", "failed") and ended < time.time() - _GRACE_S
        if over and ended > since:
            yield run_ended(record, workspace)


def _names(event: Event, hooks: HooksFile, workspace: Workspace) -> list[str]:
    """Hooks that an event is for; looked up now if ``turnmill.toml`` was wrong when it happened."""
    if event.hooks is not None:
        return event.hooks
    names = matching(hooks, event, workspace)
    Outbox(workspace).put(event.model_copy(update={"hooks": names}))
    return names

"""Tries what is due, for as long as it is told to wait."""

import time
from datetime import UTC, datetime

from ingest.workspace import Workspace
from train.hooks.emit import attempt, is_open
from train.hooks.event import Event
from train.hooks.match import matching
from train.hooks.outbox import Delivery, Outbox
from train.hooks.spec import HooksFile, load_hooks


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
    while True:
        hooks = load_hooks(workspace)
        waiting: list[datetime] = []
        for event in outbox.events():
            for name in _names(event, hooks, workspace):
                delivery = outbox.read(event.id, name)
                if delivery.is_due(datetime.now(UTC)):
                    delivery = attempt(event, name, hooks, workspace)
                    tried[event.id, name] = delivery
                if is_open(delivery) and delivery.due is not None:
                    waiting.append(delivery.due)
        due = min(waiting, default=None)
        if due is None or due.timestamp() > end:
            return list(tried.values())
        time.sleep(max(0.0, due.timestamp() - time.time()) + 0.01)


def _names(event: Event, hooks: HooksFile, workspace: Workspace) -> list[str]:
    """Hooks that an event is for; looked up now if ``turnmill.toml`` was wrong when it happened."""
    if event.hooks is not None:
        return event.hooks
    names = matching(hooks, event, workspace)
    Outbox(workspace).put(event.model_copy(update={"hooks": names}))
    return names

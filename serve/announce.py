"""The one line by which whoever finished something tells the workspace's hooks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal

if TYPE_CHECKING:
    from train.hooks.event import Event
    from train.hooks.outbox import Delivery


def announce(make: "Callable[[], Event]", workspace: Workspace) -> None:
    """Tell the hooks what happened. Whatever becomes of that is a note on stderr at the most.

    Args:
        make: makes the event; not called where the workspace has no hooks.
        workspace: whose hooks they are.
    """
    if not workspace.config.is_file():
        return
    from train.hooks.emit import emit  # not before somebody has hooks

    try:
        emit(make(), workspace, _note)
    except UserError as error:
        terminal.note(f"hooks: {terminal.safe(error.message)}; see 'turnmill hooks'")
    except OSError as error:
        terminal.note(f"hooks: the event could not be kept: {terminal.safe(error.strerror)}")
    except KeyboardInterrupt:
        terminal.note("hooks: interrupted; 'turnmill hooks flush' goes on with them")


def _note(delivery: "Delivery") -> None:
    if delivery.state == "delivered":
        return
    if not delivery.attempts:
        terminal.note(f"hook {delivery.hook}: started; see 'turnmill hooks deliveries'")
        return
    later = f", again at {delivery.due:%H:%M:%S} UTC" if delivery.due else ""
    terminal.note(
        f"hook {delivery.hook}: {delivery.state}, {terminal.safe(delivery.attempts[-1].error)}"
        f"{later}; see 'turnmill hooks deliveries'"
    )

"""What happens when something has happened: the event is put on disk, then its hooks are tried.

Whoever emits is done already: nothing here undoes or fails it.
"""

from collections.abc import Callable

from ingest.errors import UserError
from ingest.settings import Settings
from ingest.workspace import Workspace
from train.hooks.deliver import deliver
from train.hooks.event import Event
from train.hooks.match import matching
from train.hooks.outbox import SETTLED, Delivery, Outbox
from train.hooks.spec import HooksFile, load_hooks
from train.hooks.start import start_courier, start_delivery

Tell = Callable[[Delivery], None]


def emit(event: Event, workspace: Workspace, on_delivery: Tell = lambda _: None) -> None:
    """Tell the workspace's hooks of an event, each once; what fails is tried again later.

    Commands and POSTs are tried here, a training is started in a process of its own.

    Args:
        event: the same one is told only once, however often this is called.
        workspace: with ``turnmill.toml``; without one nothing is done.
        on_delivery: takes each delivery as it stands after this.

    Raises:
        UserError: ``turnmill.toml`` is wrong, or the outbox cannot be read. The event is kept,
            and ``turnmill hooks flush`` looks up its hooks.
        OSError: the disk does not take the event.
    """
    if not workspace.config.is_file():
        return
    outbox = Outbox(workspace)
    if outbox.has(event.id):
        return
    event = event.model_copy(update={"chain": chain()})
    try:
        hooks = load_hooks(workspace)
        names = matching(hooks, event, workspace)
    except UserError:
        outbox.put(event)
        raise
    if not names:
        return
    outbox.put(event.model_copy(update={"hooks": names}))
    try:
        for name in names:
            on_delivery(attempt(event, name, hooks, workspace))
    finally:  # whatever stopped this, the event is on disk
        if hooks.courier and any(is_open(outbox.read(event.id, name)) for name in names):
            start_courier(workspace)


def chain() -> list[str]:
    """The hooks that led to this process, the first first."""
    return [name for name in Settings().turnmill_hook_chain.split(",") if name]


def is_open(delivery: Delivery) -> bool:
    """Whether a delivery waits for another attempt at a time that is known."""
    return delivery.state not in SETTLED and delivery.due is not None


def attempt(
    event: Event, name: str, hooks: HooksFile, workspace: Workspace, *, again: bool = False
) -> Delivery:
    """Try a delivery here, or start the process that does where it takes long.

    Args:
        event: on disk.
        name: of the hook.
        hooks: as ``turnmill.toml`` has them now.
        workspace: with the outbox.
        again: also where it is settled or not due yet.
    """
    hook, outbox = hooks.named(name), Outbox(workspace)
    long = hook is not None and hook.action == "train" and event.kind != "ping"
    if not long or outbox.read(event.id, name).state == "running":
        # one that runs is left alone, unless its process died: then that is written down
        return deliver(event, name, hooks, workspace, again=again)
    start_delivery(event.id, name, workspace, again=again)
    return outbox.read(event.id, name)

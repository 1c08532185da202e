"""Events and deliveries on disk: ``hooks/<event id>/event.json``, ``<hook>/delivery.json`` in it.

An event is on disk, with the hooks that it is for, before anything is tried: whatever dies after
that, a flush goes on. A delivery is worked on by one process at a time; the system lets go of its
lock when that process ends, whatever ended it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import UserError
from ingest.files import read_json, write_json
from ingest.workspace import Workspace, make_folder
from train.hooks.event import Event

EVENT = "event.json"
DELIVERY = "delivery.json"
LOG = "log.txt"

State = Literal["pending", "running", "delivered", "failed", "gone", "refused"]
SETTLED = frozenset({"delivered", "failed", "gone", "refused"})
"""States after which nothing is tried again, unless somebody replays it."""


class OutboxError(UserError):
    """An event or delivery that is missing, ambiguous or damaged."""


class Attempt(BaseModel):
    """One try. Of an answer only its status is kept, never what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(description="when it began, UTC")
    ms: int | None = Field(default=None, description="how long it took; null while it runs")
    status: int | None = Field(default=None, description="of the answer, or the exit status")
    error: str | None = Field(default=None, description="what went wrong, one or two words")
    replay: bool = Field(default=False, description="whether somebody asked for it again")


class Delivery(BaseModel):
    """How one hook took one event."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str = Field(description="id of the event")
    hook: str = Field(description="name of the hook")
    state: State = Field(default="pending", description="how far it is")
    attempts: list[Attempt] = Field(default=[], description="in order")
    due: datetime | None = Field(default=None, description="when to try again; null: at once")

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be tried now; one that runs may have died, which its lock tells."""
        return self.state not in SETTLED and (self.due is None or self.due <= now)


class Outbox:
    """The events of a workspace and their deliveries."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.hooks

    def has(self, event_id: str) -> bool:
        """Whether an event was told before."""
        return (self.folder / event_id / EVENT).is_file()

    def put(self, event: Event) -> None:
        """Put an event on disk, in place of what was there."""
        make_folder(self.folder / event.id)
        write_json(self.folder / event.id / EVENT, event.model_dump(mode="json"))

    def events(self) -> list[Event]:
        """All events, the oldest first.

        Raises:
            OutboxError: one does not parse.
        """
        found = [_event(file) for file in self.folder.glob(f"evt_*/{EVENT}")]
        return sorted(found, key=lambda event: (event.at, event.id))

    def find(self, ref: str) -> Event:
        """The event with this id, or whose id begins so.

        Raises:
            OutboxError: none or several fit.
        """
        prefix = ref if ref.startswith("evt_") else f"evt_{ref}"
        fitting = [event for event in self.events() if event.id.startswith(prefix)]
        if len(fitting) != 1:
            found = f"fits {len(fitting)} events" if fitting else "no such event"
            raise OutboxError(f"{ref}: {found}", "list them with 'turnmill hooks deliveries'")
        return fitting[0]

    def place(self, event_id: str, hook: str) -> Path:
        """The folder of a delivery."""
        return self.folder / event_id / hook

    def read(self, event_id: str, hook: str) -> Delivery:
        """How far a delivery is; a fresh one where nothing was tried yet.

        Raises:
            OutboxError: it does not parse.
        """
        file = self.place(event_id, hook) / DELIVERY
        try:
            return Delivery.model_validate(read_json(file))
        except FileNotFoundError:
            return Delivery(event=event_id, hook=hook)
        except ValueError as error:
            raise OutboxError(
                f"{file}: {str(error).splitlines()[0]}", "remove it, then the event is told again"
            ) from None

    def write(self, delivery: Delivery) -> Delivery:
        """Put a delivery on disk; returns it."""
        file = self.place(delivery.event, delivery.hook) / DELIVERY
        write_json(file, delivery.model_dump(mode="json"))
        return delivery

    @contextlib.contextmanager
    def working_on(self, event_id: str, hook: str) -> Iterator[bool]:
        """Hold a delivery while the block runs; gives False where another process does."""
        folder = self.place(event_id, hook)
        make_folder(folder)
        with held(folder) as mine:
            yield mine


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Lock a folder while the block runs; gives False where another process has locked it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def private_log(file: Path) -> BinaryIO:
    """A file, for its owner only, at whose end a program writes."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _event(file: Path) -> Event:
    try:
        return Event.model_validate(read_json(file))
    except (ValidationError, ValueError) as error:
        raise OutboxError(
            f"{file}: {str(error).splitlines()[0]}", "was it written by a newer turnmill?"
        ) from None

"""Everybody of a workspace and their numbers: the 7 of ``Person_7``.

A number is given when a name is first seen, in the order of the store (first import, then place
among the participants), and written down, as a salted hash, in a file that only grows. So no import
and no erasure ever renumbers anybody, and the file names nobody.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dataset.redact.ledger import workspace_secret
from dataset.redact.names import Token, id_token, is_name, tokens_of
from ingest.errors import StoreError
from ingest.files import write_whole
from ingest.people_map import PeopleMap, load_people
from ingest.store import Store
from ingest.workspace import Workspace

_CONTEXT = b"turnmill person number\x00"
_MARK_BYTES = 16


@dataclass(frozen=True)
class Roster:
    """Who is who. Pickles.

    Attributes:
        numbers: number by displayed name; aliases of one person share the lowest of theirs.
        others: further names and ids by number, of those who have any.
    """

    numbers: dict[str, int]
    others: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def tokens(self, name: str) -> tuple[Token, ...]:
        """What to look for of the person of a name: all their names' words, and their ids."""
        found = list(tokens_of(name))
        for other in self.others.get(self.numbers[name], ()):
            found += tokens_of(other) or id_token(other)
        return tuple(dict.fromkeys(found))


def load_roster(store: Store, workspace: Workspace) -> Roster:
    """Everybody who takes part in a stored conversation, numbered; new numbers are written down.

    Raises:
        StoreError: the people map or the file of numbers is damaged or cannot be written.
    """
    seen = list(store.people_seen())
    people = load_people(workspace.people)
    numbers = _numbered(workspace, (name for name, _ in seen if is_name(name)))
    others: dict[int, dict[str, None]] = {}
    by_person = _share(numbers, people, others)
    for name, id_ in seen:
        if id_ and name in by_person and id_ != name:
            others.setdefault(by_person[name], {})[id_] = None
    return Roster(by_person, {number: tuple(names) for number, names in others.items()})


def drop_numbers(workspace: Workspace, names: Iterable[str]) -> int:
    """Forget which numbers these names had; nobody else's number changes.

    Returns:
        How many had one.
    """
    lines = _read(workspace.person_numbers)
    key = workspace_secret(workspace) if lines else b""
    marks = {_mark(key, name) for name in names} if lines else set()
    # a line of chance in its place keeps the others where they are
    left = [secrets.token_hex(_MARK_BYTES) if line in marks else line for line in lines]
    gone = sum(line in marks for line in lines)
    if gone:
        _write(workspace.person_numbers, left)
    return gone


def _share(
    numbers: dict[str, int], people: PeopleMap, others: dict[int, dict[str, None]]
) -> dict[str, int]:
    """Numbers by name where all names of one person have the lowest of their numbers."""
    shared = dict(numbers)
    for person in people.people:
        known = [numbers[name] for name in person.names if name in numbers]
        if known:
            number = min(known)
            shared.update({name: number for name in person.names if name in numbers})
            others.setdefault(number, {}).update(dict.fromkeys(person.names))
    return shared


def _numbered(workspace: Workspace, names: Iterable[str]) -> dict[str, int]:
    path = workspace.person_numbers
    key = workspace_secret(workspace)
    lines = _read(path)
    before = len(lines)
    known = {line: number for number, line in enumerate(lines, 1)}
    numbers: dict[str, int] = {}
    for name in names:
        if name not in numbers:
            line = _mark(key, name)
            if line not in known:
                known[line] = len(known) + 1
                lines.append(line)
            numbers[name] = known[line]
    if len(lines) > before:
        _write(path, lines)
    return numbers


def _mark(key: bytes, name: str) -> str:
    mark = hmac.digest(key, _CONTEXT + name.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return mark[:_MARK_BYTES].hex()


def _read(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path}: {error}", "restore it from a copy; without it people get new numbers"
        ) from None


def _write(path: Path, lines: list[str]) -> None:
    try:
        with write_whole(path) as file:
            file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", "free disk space and build again") from None

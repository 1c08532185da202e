"""Who is one person across exports, and who is the assistant, as the user said once for all.

The map is one file of the workspace, written whole; every import uses it beside ``--as-assistant``.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ingest.errors import StoreError
from ingest.files import write_json


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody under all their names.

    Attributes:
        name: the one to show.
        aliases: other names, and ids that exports give them.
        is_assistant: whether their messages are the assistant's.
    """

    name: str
    aliases: tuple[str, ...] = ()
    is_assistant: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name."""
        return (self.name, *self.aliases)


class PeopleMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody of whom the user said something."""

    people: tuple[Person, ...] = ()

    def find(self, name: str) -> Person | None:
        """The person of a name."""
        return next((each for each in self.people if name in each.names), None)

    def with_alias(self, name: str, of: str) -> "PeopleMap":
        """The map in which two names, and all that is known of both, are one person called ``of``.

        Raises:
            StoreError: a name is empty, or the two are the same.
        """
        if not name or not of or name == of:
            raise StoreError(
                f"--alias {name!r} --of {of!r}: not two names", "give the two names of one person"
            )
        one, other = self.find(of) or Person(of), self.find(name) or Person(name)
        if one == other:
            return self
        names = dict.fromkeys((*one.names, *other.names))
        merged = Person(
            one.name, tuple(names)[1:], is_assistant=one.is_assistant or other.is_assistant
        )
        return self._with(merged, (one, other))

    def with_assistant(self, name: str, *, is_assistant: bool) -> "PeopleMap":
        """The map in which a person is, or is not, the assistant.

        Raises:
            StoreError: the name is empty.
        """
        if not name:
            raise StoreError("--assistant: the name is empty", "list names with 'turnmill people'")
        person = self.find(name) or Person(name)
        marked = Person(person.name, person.aliases, is_assistant=is_assistant)
        return self._with(marked, (person,))

    def _with(self, person: Person, instead: tuple[Person, ...]) -> "PeopleMap":
        rest = [each for each in self.people if each not in instead]
        if person.aliases or person.is_assistant:  # else nothing is said of them
            rest.append(person)
        return PeopleMap(tuple(sorted(rest, key=lambda each: each.name)))

    def assistants(self, also: Iterable[str] = ()) -> tuple[str, ...]:
        """Every name of those who are the assistant.

        Args:
            also: names chosen besides; they stand first, followed by their other names.
        """
        chosen = [name for one in also for name in (one, *self._names(one))]
        chosen += [name for each in self.people if each.is_assistant for name in each.names]
        return tuple(dict.fromkeys(chosen))

    def _names(self, name: str) -> tuple[str, ...]:
        person = self.find(name)
        return person.names if person else ()

    def by_alias(self) -> dict[str, str]:
        """The name to show by every other name."""
        return {alias: each.name for each in self.people for alias in each.aliases}


def load_people(path: Path) -> PeopleMap:
    """The map in a file; an empty one if there is none.

    Raises:
        StoreError: the file is no such map.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PeopleMap)
    except FileNotFoundError:
        return PeopleMap()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}", "mend the file, or delete it to begin anew") from None


def save_people(path: Path, people: PeopleMap) -> None:
    """Write the map whole."""
    write_json(path, msgspec.to_builtins(people))

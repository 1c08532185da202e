"""What an importer is, and what it gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from ingest.archive import Export, Member
from ingest.message import Conversation
from ingest.stream import Broken, Element, iter_array

ImporterKind = Literal["assistant", "people", "training"]
DateOrder = Literal["auto", "dmy", "mdy", "ymd"]


class Reject(NamedTuple):
    """A conversation that could not be read; it goes to quarantine.

    Attributes:
        where: place in the export: file, line, byte offset or record number.
        reason: what is wrong, without any message text.
        hint: what the user can do about it.
    """

    where: str
    reason: str
    hint: str = ""


class Skip(NamedTuple):
    """A conversation that is left out on purpose, such as one without messages.

    Attributes:
        where: as in :class:`Reject`.
        reason: why; skips are counted by it.
    """

    where: str
    reason: str


Item = Conversation | Reject | Skip


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about an export that it does not say itself.

    Attributes:
        as_assistant: names of the participants whose messages are the assistant's.
        date_order: order of day, month and year in text exports.
        tz: IANA zone of times that state none; None leaves them naive.
        mapping: what the columns of a table mean; see :mod:`ingest.importers.mapping`.
        query: which rows of a SQLite database to read with a mapping: SQL or a table's name.
    """

    as_assistant: tuple[str, ...] = ()
    date_order: DateOrder = "auto"
    tz: str | None = None
    mapping: tuple[tuple[str, str], ...] = ()
    query: str | None = None


class Importer(Protocol):
    """Reads one export format.

    Attributes:
        name: as in ``--format`` and in conversation ids; lower case.
        title: for people.
        kind: whether the export states roles (``assistant``, ``training``) or names (``people``).
        needs: what the user must say or know, one line.
        version: raised when the same export gives different conversations than before.
    """

    name: str
    title: str
    kind: ImporterKind
    needs: str
    version: int

    def sniff(self, export: Export) -> float:
        """How sure it is, by shape, that it reads this export: 0 to 1."""
        ...

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation of the export, once, in export order; memory stays bounded."""
        ...


class Array(NamedTuple):
    """A JSON array of conversations.

    Attributes:
        member: the file that holds it.
        path: keys from the document's root to it; see :func:`ingest.stream.iter_array`.
    """

    member: Member
    path: tuple[str, ...]


@runtime_checkable
class ArrayImporter(Importer, Protocol):
    """An importer whose conversations are elements of JSON arrays, each readable by itself.

    Attributes:
        decode: typed decoder of one element.
    """

    decode: Callable[[bytes], Any]

    def arrays(self, export: Export) -> Sequence[Array]:
        """The arrays of the export, in order."""
        ...

    def item(self, file: str, element: Element | Broken) -> Item:
        """The conversation that an element of the file is."""
        ...


def read_arrays(importer: ArrayImporter, export: Export) -> Iterator[Item]:
    """Every conversation of the export's arrays."""
    for array in importer.arrays(export):
        with array.member.open() as file:
            for element in iter_array(file, importer.decode, path=array.path):
                yield importer.item(array.member.name, element)

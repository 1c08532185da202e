"""What an outward format is: it makes a record of a row, or says why it cannot.

A format never bends a conversation into its shape. What it cannot say is a :class:`Misfit`: the
conversation is left out and counted. A user may name what may be lost (``dataset.export.losses``).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, NamedTuple, Protocol

from dataset.export.trainer_settings import TrainerSettings
from ingest.errors import UserError

Row = dict[str, Any]
"""A row of a version as a dict; see ``dataset.rows.ROW_SCHEMA``."""


class DatasetExportError(UserError):
    """A version that cannot be written in a format, or not there."""


class Misfit(ValueError):  # noqa: N818 - not an error of the export
    """Why a row has no record in a format; its text holds no content."""


class Record(NamedTuple):
    """A row in a format.

    Attributes:
        value: what is written.
        left_out: labels that the format has no place for. They are counted, not refused: no model
            reads them.
    """

    value: dict[str, Any]
    left_out: frozenset[str] = frozenset()


class FormatOptions(NamedTuple):
    """What a format is made from.

    Attributes:
        dataset: the dataset's name.
        used: fields of ``dataset.rows.MESSAGE_TYPE`` that some message of the version has.
        objects: whether the arguments of every tool call are a JSON object.
        base_model: for a trainer's config; None if the user named none.
        settings: for the same.
    """

    dataset: str
    used: frozenset[str] = frozenset()
    objects: bool = True
    base_model: str | None = None
    settings: TrainerSettings = TrainerSettings()


class Format(Protocol):
    """One outward format; made anew for every export.

    Attributes:
        name: as in ``--format``.
        title: what it is for, one line.
        suffix: of the data files, with the dot.
        cannot: names of the losses (``dataset.export.losses``) that the format cannot do without:
            rows come without them.
    """

    name: str
    title: str
    suffix: str
    cannot: frozenset[str]

    def record(self, row: Row) -> Record:
        """The record of a row.

        Raises:
            Misfit: the format cannot say it.
        """
        ...

    def write(self, records: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
        """Write the records of one split."""
        ...

    def companions(self, data: Mapping[str, str]) -> dict[str, str]:
        """Files beside the data, such as a trainer's config.

        Args:
            data: the data files' names by split.

        Returns:
            Text by file name.
        """
        ...


MakeFormat = Callable[[FormatOptions], Format]

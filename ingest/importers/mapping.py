"""What the columns of a table mean, as the user says it with ``--map``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.archive import Member
from ingest.errors import UserError
from ingest.importers.base import ImportOptions
from ingest.importers.records import as_text
from ingest.message import ROLES, Role

FIELDS = ("role", "content", "thread", "name", "time", "id", "title")
_REQUIRED = ("role", "content")
_ANY = "*"
_NAME = re.compile(r"[^\x00-\x1f?!;\"{}\ufffd]{1,40}")
_ROLES: dict[str, Role] = {
    "user": "user", "human": "user", "customer": "user", "client": "user", "end-user": "user",
    "end_user": "user", "assistant": "assistant", "agent": "assistant", "bot": "assistant",
    "ai": "assistant", "model": "assistant", "system": "system", "developer": "developer",
    "tool": "tool", "function": "tool",
}  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """What the columns of a table mean.

    Attributes:
        columns: column by field of ours (``role``, ``content``, ``thread``, ...).
        roles: role by value of the role column in lower case; ``*`` for all others.
    """

    columns: dict[str, str]
    roles: dict[str, Role]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> "Mapping":
        """The mapping of ``--map`` pairs such as ``("role", "author")``, ``("role:pro", "user")``.

        Raises:
            UserError: an unknown field or role, or no column for role or content.
        """
        columns: dict[str, str] = {}
        roles: dict[str, Role] = {}
        for key, value in pairs:
            field, colon, word = key.partition(":")
            if colon and field == "role":
                if value not in ROLES:
                    raise UserError(
                        f"--map {key}={value}: no such role", f"roles: {', '.join(sorted(ROLES))}"
                    )
                roles[word.strip().lower()] = value  # type: ignore[assignment]
            elif key in FIELDS and value:
                columns[key] = value
            else:
                raise UserError(
                    f"--map {key}={value}: unknown field",
                    f"fields: {', '.join(FIELDS)}; or role:WORD=ROLE",
                )
        missing = [field for field in _REQUIRED if field not in columns]
        if missing:
            raise UserError(
                f"the mapping names no column for {' and '.join(missing)}",
                f"add {' '.join(f'--map {field}=COLUMN' for field in missing)}",
            )
        return cls(columns, roles)

    def role(self, value: Any) -> Role | None:
        """The role that a value of the role column means."""
        word = as_text(value).strip().lower()
        return self.roles.get(word) or _ROLES.get(word) or self.roles.get(_ANY)

    def check(self, member: Member, names: Sequence[str], *, dotted: bool) -> None:
        """See that every mapped column is there.

        Args:
            member: the file.
            names: its columns.
            dotted: whether ``a.b`` may name a value inside the column ``a``.

        Raises:
            UserError: one is not.
        """
        for field, column in self.columns.items():
            if column not in names and not (dotted and column.split(".")[0] in names):
                raise UserError(
                    f"--map {field}={column}: {member.name} has no such column",
                    f"its columns: {_listed(names)}",
                )


def is_name(text: str) -> bool:
    """Whether a column's name may be shown: without a header the first message stands there."""
    return _NAME.fullmatch(text) is not None and len(text.split()) <= 4


def _listed(names: Sequence[str]) -> str:
    shown = [name for name in names[:40] if is_name(name)]
    others = len(names[:40]) - len(shown)
    if others:
        shown.append(f"{others} that look like text (is the first line a header?)")
    return ", ".join(shown) or "none"


def parse_pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of ``--map`` options.

    Raises:
        UserError: one has no ``=``.
    """
    pairs = []
    for text in texts:
        # a word for a role may hold '=', a role does not; with columns it is the other way round
        split = text.rpartition if text.startswith("role:") else text.partition
        key, sign, value = split("=")
        if not sign:
            raise UserError(f"--map {text}: no '='", "write it as --map content=COLUMN")
        pairs.append((key.strip(), value.strip()))
    Mapping.of(pairs)
    return tuple(pairs)


def mapped_format(format_name: str, options: ImportOptions) -> str:
    """The importer's name for a wish and its options: a mapping means this importer.

    Raises:
        UserError: a mapping or a query for another importer, or a query without a mapping.
    """
    if not options.mapping:
        if options.query is not None:
            raise UserError("--query: there is no mapping", "add --map role=... --map content=...")
        return format_name
    if format_name not in ("auto", "mapped"):
        raise UserError(f"--map: the importer {format_name} takes none", "leave --format out")
    return "mapped"

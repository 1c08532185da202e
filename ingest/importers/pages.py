"""Records of a service's API as people save them: JSON lines, an array, or pages of a list.

A page is ``{"<key>": [...], "next_page": ...}``; several pages may stand one a line.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from ingest.archive import Member
from ingest.importers.base import Reject
from ingest.importers.training import from_raw, records
from ingest.shape import Peek, peek
from ingest.stream import Broken, iter_array

Source = dict[str, Any]

_decode = msgspec.json.Decoder(Source).decode
_MEND = "export it again; the rest was imported"


class Listed(NamedTuple):
    """One record.

    Attributes:
        where: its place in the export.
        key: the key of the page's list that it stands in; ``""`` outside pages.
        value: the record.
    """

    where: str
    key: str
    value: Source


def is_page(value: Any, keys: tuple[str, ...]) -> bool:
    """Whether an object is a page: it has one of the lists and no id of its own."""
    return (
        isinstance(value, dict)
        and "id" not in value
        and any(isinstance(value.get(key), list) for key in keys)
    )


def samples(look: Peek, keys: tuple[str, ...]) -> list[Listed]:
    """The first record of each list of a page, else the first record, as a file's head shows."""
    first = look.first
    if not is_page(first, keys):
        return [Listed("", "", first)]
    lists = [(key, first[key]) for key in keys if isinstance(first.get(key), list)]
    return [
        Listed("", key, inner[0]) for key, inner in lists if inner and isinstance(inner[0], dict)
    ]


def listed(member: Member, keys: tuple[str, ...]) -> Iterator[Listed | Reject]:
    """The records of a file, streamed; one list of a page after the other.

    Args:
        member: the file.
        keys: the lists that a page may have.
    """
    look = peek(member)
    if look.kind == "object" and is_page(look.value, keys):
        for key in keys:
            yield from _page(member, key)
        return
    for found in records(member):
        if isinstance(found, Reject):
            yield found
            continue
        where, value = found
        if not is_page(value, keys):
            yield Listed(where, "", value)
            continue
        for key in keys:
            inner = value.get(key)
            for number, each in enumerate(inner if isinstance(inner, list) else ()):
                place = f"{where}, {key} {number}"
                if isinstance(each, dict):
                    yield Listed(place, key, each)
                else:
                    yield Reject(place, "the record is not an object", _MEND)


def _page(member: Member, key: str) -> Iterator[Listed | Reject]:
    with member.open() as file:
        for item in iter_array(file, _decode, path=(key,)):
            if isinstance(item, Broken):
                yield Reject(f"{member.name}: bytes {item.offset}-{item.end}", item.reason, _MEND)
                continue
            where = f"{member.name}: byte {item.offset}"
            found = (where, item.value) if item.value is not None else from_raw(where, item.raw)
            yield found if isinstance(found, Reject) else Listed(where, key, found[1])

"""Keeps out of an import what was erased from the store: see :mod:`ingest.forgotten`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest import columns
from ingest.batch import Batch
from ingest.forgotten import (
    OF_CONVERSATION,
    OF_MESSAGE,
    REASON,
    Marks,
    plain,
    quick_base,
    salted,
)
from ingest.message import Participant

_people = msgspec.json.Decoder(tuple[Participant, ...]).decode


def sifted(batch: Batch, marks: Marks) -> Batch:
    """The batch without what was erased; that is counted as skipped.

    Args:
        batch: as an importer read it.
        marks: what must not come back.
    """
    gone = set(_gone(batch, marks)) if marks else None
    if not gone:
        return batch
    keeps = np.array([at not in gone for at in range(len(batch.ids))])
    numbers = np.where(keeps, np.cumsum(keeps) - 1, -1)
    kept = np.flatnonzero(keeps).tolist()
    facts = batch.conversations["metadata"].to_pylist()
    return replace(
        batch,
        ids=[batch.ids[at] for at in kept],
        hashes=[batch.hashes[at] for at in kept],
        conversations=columns.renumbered(batch.conversations, numbers),
        messages=columns.renumbered(batch.messages, numbers),
        one_sided=batch.one_sided - sum('"one_sided":true' in (facts[at] or "") for at in gone),
        skipped=batch.skipped + Counter({REASON: len(gone)}),
    )


def _gone(batch: Batch, marks: Marks) -> Iterator[int]:
    """Places of the conversations that were erased; some come more than once."""
    yield from (at for at, id_ in enumerate(batch.ids) if marks.is_forgotten(id_))
    owners = batch.messages["ord"].to_numpy()
    if marks.people:
        for at, people in enumerate(batch.conversations["participants"].to_pylist()):
            if people and any(
                marks.is_person(known)
                for person in _people(people)
                for known in (person.name, person.id)
                if known
            ):
                yield at
        yield from owners[_spoken_by(batch.messages, marks)].tolist()
    if marks.texts:
        for name in OF_CONVERSATION:
            yield from rows_with_text(batch.conversations[name].to_pylist(), marks)
        for name in OF_MESSAGE:
            found = rows_with_text(batch.messages[name].to_pylist(), marks)
            yield from owners[found].tolist()


def _spoken_by(messages: pa.Table, marks: Marks) -> list[int]:
    """Places of messages by somebody who was erased."""
    names = messages["name"]
    erased = [name for name in pc.unique(names).to_pylist() if name and marks.is_person(name)]
    if not erased:
        return []
    found = pc.and_(
        pc.is_in(names, pa.array(erased, pa.string())), pc.not_equal(messages["role"], "tool")
    )
    places: list[int] = np.flatnonzero(found.to_numpy()).tolist()
    return places


def rows_with_text(texts: Sequence[str | None], marks: Marks) -> list[int]:
    """Places of those texts that hold an erased one.

    The quick hash of every window of all texts at once tells where to look closer.
    """
    found = [(at, plain(text)) for at, text in enumerate(texts) if text]
    if not found:
        return []
    ends = np.cumsum([len(text) for _, text in found])
    whole = "".join(text for _, text in found)
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    powers = _powers(quick_base(marks.salt), len(codes) + 1)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes * powers[:-1])])
    rows: set[int] = set()
    for mark in marks.texts:
        count = len(codes) - mark.length + 1
        if count <= 0:
            continue
        windows = sums[mark.length :] - sums[:count]
        wanted = np.uint64(mark.quick) * powers[:count]
        for start in np.flatnonzero(windows == wanted).tolist():
            at = int(np.searchsorted(ends, start, side="right"))
            window = whole[start : start + mark.length]
            # not across the border of two texts
            if start + mark.length <= ends[at] and (
                salted(marks.salt, "text", window, ready=True) == mark.hash
            ):
                rows.add(found[at][0])
    return sorted(rows)


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    """base**0 ... base**(count - 1), modulo 2**64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)

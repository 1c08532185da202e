"""Takes what tells of erased conversations and people out of the files beside the store."""

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from dataset.redact.ledger import value_hash, workspace_secret
from dataset.redact.roster import drop_numbers
from ingest.erasure import holds
from ingest.files import write_whole
from ingest.forgotten import plain
from ingest.people_map import PeopleMap, save_people
from ingest.workspace import Workspace


def erase_people(
    people: PeopleMap, names: Sequence[str], text_forms: Sequence[str], workspace: Workspace
) -> int:
    """Take people out of the map, and give their numbers back.

    Args:
        people: the map.
        names: names and ids of the erased.
        text_forms: of erased texts; whose name holds one goes too.
        workspace: where the map lies.

    Returns:
        How many people went.
    """
    gone = {plain(name) for name in names}
    left = tuple(
        person
        for person in people.people
        if not any(plain(name) in gone or holds(name, text_forms) for name in person.names)
    )
    if len(left) < len(people.people):
        save_people(workspace.people, PeopleMap(left))
    drop_numbers(workspace, names)
    return len(people.people) - len(left)


def erase_traces(
    ids: Collection[str], names: Sequence[str], texts: Sequence[str], workspace: Workspace
) -> int:
    """Take rows out of ledgers and recorded clusters.

    Args:
        ids: of erased conversations.
        names: of erased people; hashes of them and of their words go from every ledger.
        texts: erased texts; so do hashes of these.
        workspace: where the files lie.

    Returns:
        How many rows went.
    """
    known = list(ids)
    hashes: list[str] = []
    if names or texts:
        secret = workspace_secret(workspace)
        values = [*names, *texts, *(word for name in names for word in name.split())]
        hashes = [value_hash(secret, value) for value in values]
    removed = 0
    for file in sorted(workspace.ledgers.glob("*/*.parquet")):
        about = _conversation("conversation").is_in(known) | pl.col("hash").is_in(hashes)
        removed += _without(file, about)
    for file in sorted(workspace.clusters.glob("*/*/*.parquet")):
        schema = pl.read_parquet_schema(file)
        texts_of = [_conversation(name) for name, kind in schema.items() if kind == pl.String]
        found = (column.is_in(known) for column in texts_of)
        removed += _without(file, pl.any_horizontal(pl.lit(value=False), *found))
    return removed


def _conversation(column: str) -> pl.Expr:
    """The conversation of an id, which may be that of a pair taken from it."""
    return pl.col(column).str.split("#").list.first()


def _without(file: Path, about: pl.Expr) -> int:
    rows = pl.read_parquet(file)
    left = rows.filter(~about.fill_null(value=False))
    if len(left) < len(rows):
        with write_whole(file) as out:
            left.write_parquet(out, compression="zstd")
    return len(rows) - len(left)

"""What redaction removed: where, of which kind, and a salted hash of it. Never the value itself.

The ledger stays in the workspace (``ledgers/<name>/<fingerprint>.parquet``), readable by its owner
only, and never in a version's folder. With the workspace's secret a leak audit can tell whether
something that a model says was removed; without it the hashes tell nothing.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ingest.errors import StoreError
from ingest.files import write_whole
from ingest.workspace import Workspace, make_folder

LEDGER_SCHEMA = pl.Schema(
    {
        "conversation": pl.String,
        "position": pl.Int32,
        "field": pl.String,
        "kind": pl.String,
        "start": pl.Int32,
        "end": pl.Int32,
        "placeholder": pl.String,
        "hash": pl.String,
    }
)
"""One row is one removal.

``conversation`` is its id and ``position`` the message's place in the row, null for fields of the
conversation; ``field`` is ``content``, ``reasoning``, ``name``, ``title``, ``participants``,
``tools`` or ``tool_calls.<n>.arguments``; ``start`` and ``end`` count characters of the redacted
field and enclose what stands there now, ``placeholder``; ``hash`` is :func:`value_hash`.
"""

_KEY_BYTES = 32
_GROUP = 100_000
"""Removals of a row group."""
_CONTEXT = b"turnmill ledger\x00"


def empty_ledger() -> pl.DataFrame:
    """A ledger without rows."""
    return pl.DataFrame(schema=LEDGER_SCHEMA)


def workspace_secret(workspace: Workspace) -> bytes:
    """The workspace's secret of 32 bytes, made on first use (mode 0600).

    Raises:
        StoreError: the file cannot be made or is damaged.
    """
    path = workspace.secret
    try:
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", "the workspace must be writable") from None
    if len(key) != _KEY_BYTES:
        raise StoreError(
            f"{path}: is damaged",
            "restore it from a copy; or delete it: earlier ledgers can then no longer be read",
        )
    return key


def value_hash(secret: bytes, value: str) -> str:
    """HMAC-SHA256 (hex) of a removed value, in NFC and small letters."""
    plain = unicodedata.normalize("NFC", value).casefold()
    return hmac.digest(
        secret, _CONTEXT + plain.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hex()


def ledger_path(workspace: Workspace, name: str, fingerprint: str) -> Path:
    """Where the ledger of a version lies."""
    return workspace.ledgers / name / f"{fingerprint}.parquet"


def write_ledger(
    workspace: Workspace,
    name: str,
    fingerprint: str,
    frames: pl.DataFrame | Iterable[pl.DataFrame],
) -> Path:
    """Write the ledger of a version, whole (mode 0600).

    Args:
        workspace: where it goes.
        name: the dataset's name.
        fingerprint: of the version.
        frames: (removals,) schema ``LEDGER_SCHEMA``; of many, only some are held at a time.

    Raises:
        StoreError: it cannot be written.
    """
    path = ledger_path(workspace, name, fingerprint)
    make_folder(path.parent)
    try:
        # a temporary file of write_whole is its owner's only, and so is what it becomes
        parts = [frames] if isinstance(frames, pl.DataFrame) else frames
        schema = empty_ledger().to_arrow().schema
        with write_whole(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as out:
            for group in _gathered(parts):
                out.write_table(group.match_to_schema(LEDGER_SCHEMA).to_arrow().cast(schema))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", "free disk space and build again") from None
    return path


def _gathered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of many small frames in fewer larger ones."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= _GROUP:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def read_ledger(workspace: Workspace, name: str, fingerprint: str) -> pl.DataFrame:
    """The ledger of a version; without rows if nothing was removed.

    Raises:
        StoreError: it is damaged.
    """
    path = ledger_path(workspace, name, fingerprint)
    if not path.exists():
        return empty_ledger()
    try:
        return pl.read_parquet(path).match_to_schema(LEDGER_SCHEMA)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"{path}: {error}", "build the version again") from None

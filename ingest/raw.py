"""The exports themselves, kept beside the store so that a better importer can read them again.

One file a source, named by its sha256: as it was when it is packed already, else zstd; a folder,
or a database with its log, becomes a zip of the members that were read.
"""

import io
import shutil
import zipfile
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ingest.archive import Export
from ingest.errors import StoreError
from ingest.files import write_whole

_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1")
_BLOCK = 1 << 20


def keep_raw(export: Export, sha256: str, folder: Path) -> Path:
    """Keep an export, once.

    Args:
        export: what was named.
        sha256: of the export, as :meth:`Export.sha256` gives it.
        folder: the workspace's ``raw``.

    Returns:
        The kept file, which opens again as an export.

    Raises:
        StoreError: the disk cannot hold it.
    """
    kept = next(iter(folder.glob(f"{sha256}.*")), None)
    if kept is not None:
        return kept
    try:
        if export.is_files:
            return _keep_files(export, folder / f"{sha256}.zip")
        with export.path.open("rb") as source:
            magic = source.read(8)
            source.seek(0)
            if magic.startswith(_PACKED):
                return _keep_as_it_is(source, folder / f"{sha256}{_ending(magic)}")
            return _keep_packed(source, folder / f"{sha256}.zst")
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written: {error.strerror or error}",
            "free disk space, or pass --no-keep-raw",
        ) from None


def _ending(magic: bytes) -> str:
    endings = {_PACKED[0]: ".zip", _PACKED[1]: ".gz", _PACKED[2]: ".zst", _PACKED[3]: ".parquet"}
    return next(ending for start, ending in endings.items() if magic.startswith(start))


def _keep_as_it_is(source: IO[bytes], target: Path) -> Path:
    with write_whole(target) as file:
        shutil.copyfileobj(source, file, _BLOCK)
    return target


def _keep_packed(source: IO[bytes], target: Path) -> Path:
    with (
        write_whole(target) as file,
        pa.CompressedOutputStream(pa.PythonFile(_Open(file), mode="w"), "zstd") as packed,
    ):
        while block := source.read(_BLOCK):
            packed.write(block)
    return target


class _Open(io.RawIOBase):
    """Writes to a file and leaves it open: it still has to be flushed to disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)


def _keep_files(export: Export, target: Path) -> Path:
    with write_whole(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in export.members:
            with (
                member.open(counted=False) as source,
                packed.open(member.name, "w", force_zip64=True) as entry,
            ):
                shutil.copyfileobj(source, entry, _BLOCK)
    return target

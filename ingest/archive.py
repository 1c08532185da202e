"""Opens what somebody downloaded: a file, a folder, a zip, a gzip or zstd file.

Nothing is ever unpacked under its own name, so names with ``..`` or links cannot write anywhere;
they are left out all the same. Members are read as streams under a limit on their unpacked size. A
zip in a zip is read through an unnamed temporary file; its members are named ``outer.zip/inner``.
"""

import gzip
import hashlib
import io
import lzma
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from ingest.errors import ExportError
from ingest.files import sha256_file, sha256_stream
from ingest.zip_bytes import ZipBytes

HEAD_BYTES = 1 << 16
SQLITE_MAGIC = b"SQLite format 3\0"
MAX_MEMBERS = 200_000
MAX_RATIO = 300
"""Unpacked to packed size; text in an export packs 3 to 15 times, a bomb 1000 times."""
_RATIO_FREE = 64 << 20
MAX_NESTED = 4 << 30
"""Bytes of the largest zip inside a zip that is opened."""
_NESTED_IN_MEMORY = 16 << 20

_READ_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
                NotImplementedError)  # fmt: skip
_UTF8_NAME = 0x800

_JUNK_PARTS = {"__MACOSX"}
_JUNK_NAMES = {".DS_Store", "Thumbs.db", "desktop.ini"}
# sign-in and billing data of a Grok account lie beside its conversations: never even opened
_ACCOUNT_NAMES = {"prod-mc-auth-mgmt-api.json", "prod-mc-billing.json"}


@dataclass(frozen=True)
class Member:
    """One file inside an export.

    Attributes:
        name: path inside the export with ``/``; for a single file its name. Bytes of it that are
            no UTF-8 are shown as U+FFFD.
        size: bytes as stored in the export's directory (unpacked).
        alone: whether nothing lies beside it. A damaged one among others only looks empty.
    """

    name: str
    size: int
    _open: Callable[[], IO[bytes]] = field(repr=False)
    _heads: dict[str, bytes] = field(default_factory=dict, repr=False)
    _opened: list[BinaryIO] = field(default_factory=list, repr=False)
    alone: bool = True
    _faults: list[ExportError] = field(default_factory=list, repr=False)

    @property
    def base(self) -> str:
        """The last part of the name."""
        return PurePosixPath(self.name).name

    def open(self, *, counted: bool = True) -> BinaryIO:
        """The member's bytes as a stream; the caller closes it.

        Args:
            counted: whether this is the import's own reading, which :attr:`position` tells of.
        """
        file = cast(BinaryIO, self._open())
        if counted:
            self._opened[:] = [file]
        return file

    @property
    def position(self) -> int:
        """Bytes read by whoever opened it last; all of them once that is closed."""
        if not self._opened:
            return 0
        return self.size if self._opened[0].closed else self._opened[0].tell()

    def head(self) -> bytes:
        """The first 64 KiB, read once."""
        if "head" not in self._heads:
            try:
                with self.open(counted=False) as file:
                    self._heads["head"] = file.read(HEAD_BYTES)
            except ExportError as error:
                if self.alone:
                    raise
                self._faults.append(error)
                self._heads["head"] = b""
        return self._heads["head"]

    @property
    def fault(self) -> ExportError | None:
        """Why its head looks empty, if it cannot be read."""
        return self._faults[0] if self._faults else None


@dataclass(frozen=True)
class Export:
    """What the user named on the command line.

    Attributes:
        path: the file or folder.
        members: the readable files in it, in name order. A SQLite database brings the log with
            its latest rows, if that lies beside it.
        skipped: names that were left out, with the reason.
        has_log: whether it is a database with its log.
    """

    path: Path
    members: tuple[Member, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    has_log: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether the export is a folder of plain files."""
        return self.path.is_dir()

    @property
    def is_files(self) -> bool:
        """Whether its members are plain files, not one file or what is packed into one."""
        return self.is_folder or self.has_log

    @property
    def size(self) -> int:
        """Bytes in all members, unpacked."""
        return sum(member.size for member in self.members)

    @property
    def position(self) -> int:
        """How many of :attr:`size` bytes have been read."""
        return sum(member.position for member in self.members)

    def sha256(self) -> str:
        """sha256 (hex) of the file; of several files, over their names and hashes."""
        if not self.is_files:
            return sha256_file(self.path)
        digest = hashlib.sha256()
        for member in self.members:
            with member.open(counted=False) as file:
                digest.update(f"{member.name}\0{sha256_stream(file)}\n".encode())
        return digest.hexdigest()


def open_export(path: Path) -> Export:
    """Look into a file or folder without reading it whole.

    Raises:
        ExportError: missing, empty, unreadable, encrypted, a bomb, or an unknown compression.
    """
    if path.is_dir():
        return Export(path, tuple(_folder(path)))
    try:
        with path.open("rb") as file:
            magic = file.read(len(SQLITE_MAGIC))
    except FileNotFoundError:
        raise ExportError(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}", "check the file's permissions") from None
    if not magic:
        raise ExportError(f"{path}: the file is empty", "download the export again")
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        members, skipped = _zip(path)
        if len(members) > 1:
            members = [replace(member, alone=False) for member in members]
        return Export(path, tuple(members), tuple(skipped))
    member = Member(shown(_inner_name(path, magic)), path.stat().st_size, _opener(path, magic))
    if magic == SQLITE_MAGIC and (log := _log_of(path)):
        return Export(path, (member, log), has_log=True)
    return Export(path, (member,))


def _log_of(path: Path) -> Member | None:
    """The write-ahead log of a database: an application that runs keeps its latest rows there."""
    log = path.with_name(f"{path.name}-wal")
    if log.is_symlink() or not log.is_file() or not log.stat().st_size:
        return None
    return Member(shown(log.name), log.stat().st_size, lambda: log.open("rb"))


def plain_path(file: BinaryIO) -> Path | None:
    """The path of a member's stream that is a file as it is, and so can be opened anywhere."""
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
        return Path(str(file.name))
    return None


def shown(name: str) -> str:
    """A file name as text: the operating system allows bytes in it that are no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _folder(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink() or not file.is_file() or _is_junk(name):
            continue
        yield Member(shown(name), file.stat().st_size, lambda file=file: file.open("rb"))  # type: ignore[misc]


def _is_junk(name: str) -> bool:
    pure = PurePosixPath(name)
    return (
        bool(_JUNK_PARTS.intersection(pure.parts))
        or pure.name in _JUNK_NAMES
        or pure.name in _ACCOUNT_NAMES
        or pure.name.startswith("._")
    )


@dataclass
class _Found:
    """What a zip holds: what can be read, what is left out, and why the first of those is."""

    members: list[Member] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: ExportError | None = None
    entries: int = 0

    def refuse(self, name: str, reason: str, error: ExportError) -> None:
        self.skipped.append((name, reason))
        self.refused = self.refused or error


def _zip(path: Path) -> tuple[list[Member], list[tuple[str, str]]]:
    found = _Found()
    _look_into(ZipBytes(path), str(path), "", found)
    if found.refused is not None and not found.members:
        raise found.refused
    # members may share the same packed bytes, so that each looks harmless
    _check_ratio(str(path), path.stat().st_size, sum(member.size for member in found.members))
    return sorted(found.members, key=lambda member: member.name), found.skipped


def _look_into(packed: ZipBytes, where: str, prefix: str, found: _Found) -> None:
    """Collect the members of a zip, and of the zips in it if it is the outermost one."""
    try:
        with packed:
            archive = zipfile.ZipFile(cast(IO[bytes], packed))
    except _READ_FAULTS as error:
        raise ExportError(f"{where}: not a readable zip ({error})", "download it again") from None
    infos = archive.infolist()
    found.entries += len(infos)
    if found.entries > MAX_MEMBERS:
        raise ExportError(f"{where}: {found.entries} entries", f"at most {MAX_MEMBERS} are read")
    for info in infos:
        name = prefix + _zip_name(info)
        if reason := _refusal(info):
            found.skipped.append((name, reason))
        elif not info.filename:  # of which zipfile cannot tell whether it is a folder
            found.skipped.append((name, "it has no name"))
        elif info.is_dir() or _is_junk(name):
            continue
        elif refused := _unsupported(f"{where}: {_zip_name(info)}", info):
            reason = "it is encrypted" if info.flag_bits & 0x1 else "it is packed with Deflate64"
            found.refuse(name, reason, refused)
        else:
            member = _zip_member(where, packed, archive, info, name)
            if PurePosixPath(name).suffix.lower() == ".zip":
                _open_nested(member, where, found, deeper=not prefix)
            else:
                found.members.append(member)


def _open_nested(member: Member, where: str, found: _Found, *, deeper: bool) -> None:
    """Look into a member that may be a zip; one that cannot be read costs only itself."""
    try:
        with member.open(counted=False) as file:
            is_zip = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
        if not is_zip:
            found.members.append(member)
            return
        if not deeper:
            found.skipped.append((member.name, "it is a zip in a zip in a zip"))
            return
        if member.size > MAX_NESTED:
            found.skipped.append((member.name, f"it is a zip of over {MAX_NESTED >> 20} MiB"))
            return
        inner = _Found(entries=found.entries)
        place = f"{where}: {member.name}"
        _look_into(_nested_bytes(member), place, f"{member.name}/", inner)
        _check_ratio(place, member.size, sum(each.size for each in inner.members))
    except ExportError as error:
        found.refuse(member.name, f"it cannot be read: {error.message}", error)
        return
    found.members += inner.members
    found.skipped += inner.skipped
    found.refused = found.refused or inner.refused
    found.entries = inner.entries


def _nested_bytes(member: Member) -> ZipBytes:
    packed = ZipBytes(Path(member.name))
    copy = tempfile.SpooledTemporaryFile(_NESTED_IN_MEMORY)  # noqa: SIM115
    packed.keep(cast(IO[bytes], copy))
    with member.open(counted=False) as file:
        shutil.copyfileobj(file, copy, 1 << 20)
    return packed


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The member's name: many zips hold UTF-8 names without saying so."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _refusal(info: zipfile.ZipInfo) -> str | None:
    parts = PurePosixPath(info.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        return "its name leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link"
    return None


def _unsupported(where: str, info: zipfile.ZipInfo) -> ExportError | None:
    """Why a member cannot be unpacked here, if so."""
    if info.flag_bits & 0x1:
        return ExportError(
            f"{where} is encrypted", "unpack it with its password, import the folder"
        )
    if info.compress_type == 9:
        return ExportError(
            f"{where} uses Deflate64 (zips over 4 GB made by Windows)",
            "unpack it and import the folder",
        )
    return None


def _zip_member(
    zip_name: str, packed: ZipBytes, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str
) -> Member:
    where = f"{zip_name}: {_zip_name(info)}"
    _check_ratio(where, info.compress_size, info.file_size)

    def opener() -> IO[bytes]:
        try:
            packed.__enter__()
        except OSError as error:
            raise _unreadable(where, error) from None
        try:
            stream = archive.open(info)
        except _READ_FAULTS as error:
            packed.__exit__()
            raise _unreadable(where, error) from None
        return io.BufferedReader(_Limited(stream, where, info.file_size, packed.__exit__))

    return Member(name, info.file_size, opener)


def _unreadable(where: str, error: Exception) -> ExportError:
    return ExportError(f"{where}: {str(error) or type(error).__name__}", "download it again")


def _check_ratio(where: str, packed: int, unpacked: int) -> None:
    if unpacked > _RATIO_FREE and unpacked > MAX_RATIO * max(packed, 1):
        raise ExportError(
            f"{where} unpacks {unpacked // max(packed, 1)} times", "this looks like a zip bomb"
        )


class _Limited(io.RawIOBase):
    """A stream that stops with an error once it gives more bytes than it promised."""

    def __init__(
        self,
        inner: IO[bytes],
        where: str,
        limit: int,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._inner = inner
        self._where = where
        self._limit = self._left = limit
        self._on_close = on_close

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._limit - self._left

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            data = self._inner.read(len(view))
        except _READ_FAULTS as error:
            raise _unreadable(self._where, error) from None
        self._left -= len(data)
        if self._left < 0:
            raise ExportError(f"{self._where} is larger than it says", "this looks like a zip bomb")
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._inner.close()
        finally:
            super().close()
            if self._on_close is not None:
                self._on_close()


def _opener(path: Path, magic: bytes) -> Callable[[], IO[bytes]]:
    limit = max(_RATIO_FREE, MAX_RATIO * path.stat().st_size)
    if magic.startswith(b"\x1f\x8b"):
        return lambda: io.BufferedReader(
            _Limited(cast(IO[bytes], gzip.open(path)), str(path), limit)
        )
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return lambda: io.BufferedReader(_Limited(_zstd(path), str(path), limit))
    return lambda: path.open("rb")


def _zstd(path: Path) -> IO[bytes]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return cast(IO[bytes], zstd.open(path))
    # pyarrow is there anyway and reads zstd
    import pyarrow as pa

    return cast(IO[bytes], pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))


def _inner_name(path: Path, magic: bytes) -> str:
    packed = magic.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
    return path.stem if packed and path.suffix in {".gz", ".zst", ".zstd"} else path.name

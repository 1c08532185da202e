"""What the Hub test server keeps: repositories with commits, branches, tags, and large files."""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LFS_SUFFIXES = (".parquet", ".arrow", ".bin", ".safetensors", ".zst")
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, code: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self.body = {"error": message, **body}


@dataclass(frozen=True)
class Blob:
    """One file of a commit; ``data`` is None where the bytes are in xet storage only."""

    sha256: str
    size: int
    lfs: bool
    data: bytes | None

    @property
    def oid(self) -> str:
        """The git blob's sha1: of the content, or of the pointer that stands for a large file."""
        raw = self.data
        if self.lfs or raw is None:
            raw = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
                f"size {self.size}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    def as_tree(self, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        if self.lfs:
            entry["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": 134}
        return entry


def small(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data), False, data)


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict[str, Blob]
    date: str


@dataclass
class Repo:
    """One dataset repository."""

    id: str
    private: bool
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add("main", "initial commit", {".gitattributes": small(ATTRIBUTES.encode())})

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def add(self, branch: str, title: str, files: dict[str, Blob]) -> Commit:
        parent = self.branches.get(branch)
        tree = sorted((path, blob.sha256) for path, blob in files.items())
        oid = hashlib.sha1(json.dumps([self.id, parent, title, tree]).encode()).hexdigest()
        self.commits[oid] = Commit(
            oid, parent, title, files, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        )
        self.branches[branch] = oid
        return self.commits[oid]

    def at(self, revision: str) -> Commit:
        """The commit that a branch, tag, id or its beginning names."""
        named = self.branches.get(revision) or self.tags.get(revision)
        if named is None and len(revision) >= 7:
            named = next((oid for oid in self.commits if oid.startswith(revision)), None)
        if named is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[named]

    def tree(self, revision: str, folder: str, recursive: bool) -> list[dict[str, Any]]:
        files = self.at(revision).files
        under = f"{folder}/" if folder else ""
        inside = {path: blob for path, blob in files.items() if path.startswith(under)}
        if folder and not inside:
            raise Refused(404, f"{folder} does not exist", "EntryNotFound")
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in sorted(inside.items()):
            first, _, rest = path.removeprefix(under).partition("/")
            if rest:
                name = under + first
                oid = hashlib.sha1(name.encode()).hexdigest()
                entries[name] = {"type": "directory", "path": name, "oid": oid, "size": 0}
            if recursive or not rest:
                entries[path] = blob.as_tree(path)
        return list(entries.values())

    def paths(self, revision: str, paths: Iterable[str]) -> list[dict[str, Any]]:
        files = self.at(revision).files
        return [files[path].as_tree(path) for path in paths if path in files]


@dataclass
class Storage:
    """Everything the server keeps.

    Attributes:
        large: content of large files by sha256.
        xet: large files may be named in a commit although only xet storage has their bytes.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    xet: bool = False

    def commit(self, repo: Repo, branch: str, lines: list[dict[str, Any]]) -> Commit:
        """Apply the lines of a commit request: all of them, or none."""
        (header,) = [line["value"] for line in lines if line["key"] == "header"]
        if branch not in repo.branches:
            raise Refused(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        parent = header.get("parentCommit")
        if parent is not None and not repo.branches[branch].startswith(parent):
            raise Refused(
                412,
                "A commit has happened since; refresh",
                "PreconditionFailed",
            )
        files = dict(repo.commits[repo.branches[branch]].files)
        for line in lines:
            self._apply(files, line["key"], line["value"])
        return repo.add(branch, header["summary"], files)

    def _apply(self, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        if key == "file":
            files[value["path"]] = small(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            sha256, data = value["oid"], self.large.get(value["oid"])
            if data is None and not self.xet:
                raise Refused(400, f"large file {sha256} was never uploaded")
            files[value["path"]] = Blob(sha256, value["size"], True, data)
        elif key == "deletedFile":
            if value["path"] not in files:
                raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
            del files[value["path"]]
        elif key == "deletedFolder":
            for path in [path for path in files if path.startswith(f"{value['path']}/")]:
                del files[path]
        elif key != "header":
            raise Refused(400, f"unknown operation {key}")

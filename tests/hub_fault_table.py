"""The faults that publishing is tried against, and what must come of each.

``tests/test_hub_faults.py`` runs every row; ``docs/make_publishing.py`` writes them into
``docs/publishing.md``.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hub_faults import Fault
from hub_server import Hub
from hub_storage import small

DONE = "done"
HTML = {"content-type": "text/html"}


class Row(NamedTuple):
    """One row.

    Attributes:
        what: the fault, for people.
        where: the step of the push or pull that it hits.
        faults: what the server is told.
        ends: ``done``, or words of the error.
        waits: seconds that must have been waited for the Hub at the least.
        multipart: large files go up in parts.
    """

    what: str
    where: str
    faults: list[dict[str, Any]]
    ends: str = DONE
    waits: float = 0
    multipart: int | None = None

    @property
    def cells(self) -> list[str]:
        """As the document shows it."""
        error = re.sub(r" \.(\d+)\.", r" (\1)", self.ends)
        return [self.where, self.what, "done" if self.ends == DONE else f"error: {error}"]


def fault(route: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"route": route, "kind": kind, **options}


def status(route: str, code: int, **options: Any) -> dict[str, Any]:
    return fault(route, "status", status=code, **options)


FOR_EVER = {"times": 10_000}

PUSHES = [
    Row("503, then well", "look up", [status("info", 503)]),
    Row("503 for ever", "look up", [status("info", 503, **FOR_EVER)], "out of order .503."),
    Row("connection dropped", "look up", [fault("info", "drop")]),
    Row("401, token not valid", "look up", [status("info", 401)], "valid token .401."),
    Row("503, then well", "create", [status("create", 503)]),
    Row("reply lost", "create", [fault("create", "lose-reply")]),
    Row("403, no right", "create", [status("create", 403)], "may not do this .403."),
    Row("409, an operation is under way", "create",
        [status("create", 409, message="Cannot create repo: another conflicting operation is in "
                "progress")]),
    Row("429, Retry-After 7", "create", [status("create", 429, headers={"Retry-After": "7"})],
        waits=7),
    Row("429, Retry-After 10000", "create",
        [status("create", 429, headers={"Retry-After": "10000"})], "slow down .429."),
    Row("429, RateLimit resets in 9 s", "create",
        [status("create", 429, headers={"RateLimit": '"api";r=0;t=9'})], waits=9),
    Row("502 with an HTML page", "card check",
        [status("yaml", 502, message="<html>", headers=HTML)]),
    Row("answer cut off", "card check", [fault("yaml", "truncate")]),
    Row("500, then well", "preupload", [status("preupload", 500)]),
    Row("429, Retry-After 2", "large files: batch",
        [status("batch", 429, headers={"Retry-After": "2"})]),
    Row("connection dropped in mid-upload", "large files: PUT", [fault("put", "drop-upload")]),
    Row("connection dropped in mid-upload, 3 times", "large files: PUT",
        [fault("put", "drop-upload", times=3)]),
    Row("connection dropped in mid-upload, for ever", "large files: PUT",
        [fault("put", "drop-upload", **FOR_EVER)], "failed or broke off"),
    Row("500 for ever", "large files: PUT", [status("put", 500, **FOR_EVER)],
        "out of order .500."),
    Row("403, signed address ran out", "large files: PUT", [status("put", 403)],
        "may not do this .403."),
    Row("bytes corrupted on the way", "large files: PUT", [fault("put", "corrupt-upload")],
        "did not arrive as it was sent .422."),
    Row("connection dropped in mid-upload", "large files: a part",
        [fault("part", "drop-upload", nth=2)], multipart=2000),
    Row("bytes corrupted on the way", "large files: a part",
        [fault("part", "corrupt-upload", nth=2)], "did not arrive as it was sent .422.",
        multipart=2000),
    Row("500, then well", "large files: completion", [status("complete", 500)], multipart=2000),
    Row("reply lost", "large files: check", [fault("verify", "lose-reply")]),
    Row("503, then well", "commit", [status("commit", 503)]),
    Row("504 for ever", "commit", [status("commit", 504, **FOR_EVER)], "out of order .504."),
    Row("reply lost", "commit", [fault("commit", "lose-reply")]),
    Row("reply cut off", "commit", [fault("commit", "truncate")]),
    Row("connection dropped before it", "commit", [fault("commit", "drop")]),
    Row("connection dropped in mid-upload", "commit",
        [fault("commit", "drop-upload", after=200)]),
    Row("412, somebody else committed", "commit", [fault("preupload", "first")],
        "somebody else changed it meanwhile .412."),
    Row("507, no room", "commit", [status("commit", 507)], "no room for it .507."),
    Row("503, then well", "read back: sizes, hashes", [status("tree", 503, nth=2)]),
    Row("answer cut off", "read back: sizes, hashes", [fault("tree", "truncate", nth=2)]),
    Row("answer corrupted", "read back: a small file",
        [fault("resolve", "corrupt", path="manifest.json")], "not there as it was sent"),
    Row("connection dropped", "read back: a small file",
        [fault("resolve", "drop", path="manifest.json")]),
    Row("503, then well", "tag", [status("tag", 503)]),
    Row("reply lost", "tag", [fault("tag", "lose-reply")]),
    Row("503 for ever", "tag", [status("tag", 503, **FOR_EVER)], "out of order .503."),
    Row("connection dropped", "look at the tags", [fault("refs", "drop", nth=2)]),
]  # fmt: skip

PULLS = [
    Row("503, then well", "look up", [status("info", 503)]),
    Row("429, Retry-After 7", "look up", [status("info", 429, headers={"Retry-After": "7"})],
        waits=7),
    Row("404, no such repository", "look up",
        [status("info", 404, headers={"X-Error-Code": "RepoNotFound"})],
        "there is no such repository, or your token may not see it .404."),
    Row("503, then well", "file: address", [status("head", 503, path="parquet")]),
    Row("503 for ever", "file: address", [status("head", 503, path="parquet", **FOR_EVER)],
        "out of order .503."),
    Row("403, gated", "file: address",
        [status("head", 403, path="parquet", headers={"X-Error-Code": "GatedRepo"})],
        "is gated and your account has no access yet .403."),
    Row("connection dropped", "file: address", [fault("head", "drop", path="parquet")]),
    Row("download cut off", "file: content", [fault("cdn", "truncate")]),
    Row("connection dropped", "file: content", [fault("cdn", "drop")]),
    Row("500, then well", "file: content", [status("cdn", 500)]),
    Row("500 for ever", "file: content", [status("cdn", 500, **FOR_EVER)], "out of order .500."),
    Row("bytes corrupted", "file: content", [fault("cdn", "corrupt")]),
    Row("bytes corrupted for ever", "file: content", [fault("cdn", "corrupt", **FOR_EVER)],
        "differs from its manifest"),
    Row("bytes corrupted", "manifest", [fault("resolve", "corrupt", path="manifest.json")]),
    Row("bytes corrupted for ever", "manifest",
        [fault("resolve", "corrupt", path="manifest.json", **FOR_EVER)],
        "does not arrive as it is there"),
]  # fmt: skip


def somebody_commits(hub: Hub) -> Callable[[], object]:
    """What another member does between our look at the head and our commit."""

    def commits() -> None:
        for repo in hub.storage.repos.values():
            repo.add("main", "notes", {**repo.head.files, "notes.md": small(b"theirs")})

    return commits


@contextmanager
def scripted(hub: Hub, row: Row) -> Iterator[list[Fault]]:
    """The faults of a row while the block runs; refusals quote the token that was sent."""
    made = [
        hub.fault(**{**each, "action": somebody_commits(hub)})
        if each["kind"] == "first"
        else hub.fault(**{"message": f"not with {', '.join(hub.users)}", **each})
        for each in row.faults
    ]  # fmt: skip
    yield made
    hub.faults.script.clear()

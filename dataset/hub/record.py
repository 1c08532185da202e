"""``pushes.jsonl``: which version went to which repository. What ``turnmill forget`` must name.

A line is written before the first byte is sent and another when the push is done, so that a push
that died half way is known too.
"""

import json
import os
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import UserError
from ingest.workspace import Workspace


class PushRecord(BaseModel):
    """One push."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str = Field(description="the repository, ORG/NAME")
    endpoint: str = Field(description="the Hub it is on")
    name: str = Field(description="the dataset's name")
    fingerprint: str = Field(description="of the version")
    state: Literal["started", "done"] = Field(description="how far it came")
    commit: str | None = Field(default=None, description="the commit, once there is one")
    private: bool = Field(description="whether only members see the repository")
    time: datetime = Field(description="when, UTC")


def write_push(workspace: Workspace, record: PushRecord) -> None:
    """Add a line to the workspace's record of pushes; it is on disk when this returns.

    Raises:
        UserError: the disk cannot hold it.
    """
    line = record.model_dump_json().encode() + b"\n"
    try:
        workspace.create()
        handle = os.open(workspace.pushes, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line  # a write that a crash cut off stays a line of its own
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise UserError(
            f"{workspace.pushes}: cannot be written: {error.strerror}", "free some disk space"
        ) from None


def read_pushes(workspace: Workspace) -> list[PushRecord]:
    """The latest record of each version in each repository, oldest first.

    Raises:
        UserError: a line that is whole is no record.
    """
    if not workspace.pushes.exists():
        return []
    latest: dict[tuple[str, str, str, str], PushRecord] = {}
    for number, line in enumerate(workspace.pushes.read_bytes().splitlines(), 1):
        try:
            record = PushRecord.model_validate_json(line)
        except ValidationError:
            if not _is_json(line):
                continue  # cut off by a crash, before anything was sent
            raise UserError(
                f"{workspace.pushes}: line {number} is no record of a push",
                "was it written by a newer turnmill? then use that one",
            ) from None
        key = (record.endpoint, record.repo, record.name, record.fingerprint)
        if record.state == "started" and key in latest:
            record = record.model_copy(update={"commit": latest[key].commit})
        latest.pop(key, None)
        latest[key] = record
    return list(latest.values())


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True

"""What a pod leaves on a carrier, and how it is known to be whole.

``status.json`` tells where the pod stands. ``a<attempt>/...`` are the files of an attempt, and
``manifest-a<attempt>.json`` lists them: it is put last, so that without it there is no delivery.
``checkpoints/<name>/...`` are checkpoints, each with its own seal put last; later attempts go on
from them.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.files import read_json, sha256_file, write_json
from train.launchers.carriers import Carrier, CarrierError
from train.plan import PLAN, read_plan
from train.record import RECORD, Failure, RunRecord

STATUS = "status.json"
BUNDLE = "bundle.tar"
CHECKPOINTS = "checkpoints"
# peft's; in it stands where the base model lay
_ADAPTER_SETTINGS = "adapter_config.json"

PodState = Literal["starting", "running", "uploading", "succeeded", "failed", "ended"]
OVER = frozenset({"succeeded", "failed", "ended"})


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileLine(_Value):
    """One delivered file."""

    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of them")


class Manifest(_Value):
    """What an attempt delivered; written last."""

    format: int = Field(default=1, description="layout of this file")
    run_id: str = Field(description="the run's name")
    attempt: int = Field(ge=1, description="of the run")
    files: dict[str, FileLine] = Field(description="by path in the run's folder")
    state: Literal["succeeded", "failed", "ended"] = Field(description="how the attempt ended")
    failure: Failure | None = Field(default=None, description="why, if it did not succeed")
    record: dict[str, Any] | None = Field(default=None, description="the pod's run.json")


class Status(_Value):
    """Where a pod stands; written by the supervisor."""

    attempt: int = Field(description="of the run")
    pod: str = Field(default="", description="RunPod's id")
    at: float = Field(description="when it was written, seconds since 1970 by the pod's clock")
    state: PodState = Field(description="where it stands")
    step: int | None = Field(default=None, description="optimiser steps done")
    steps: int | None = Field(default=None, description="of all")
    failure: Failure | None = Field(default=None, description="why it failed or was ended")
    deadline_s: float | None = Field(default=None, description="seconds until it ends itself")


def manifest_name(attempt: int) -> str:
    """Where the manifest of an attempt lies on the carrier."""
    return f"manifest-a{attempt}.json"


def delivered_name(attempt: int, path: str) -> str:
    """Where a file of an attempt lies on the carrier."""
    return f"a{attempt}/{path}"


def listed(run_dir: Path, paths: Iterable[str]) -> dict[str, FileLine]:
    """The lines of files in a run's folder."""
    return {
        path: FileLine(size=(run_dir / path).stat().st_size, sha256=sha256_file(run_dir / path))
        for path in sorted(paths)
    }


def write_manifest(carrier: Carrier, manifest: Manifest, run_dir: Path) -> None:
    """Put every file of a manifest that is not there in its size, then the manifest.

    Args:
        carrier: where to.
        manifest: lists the files.
        run_dir: where they lie here.

    Raises:
        UserError: not all arrived; then there is no manifest.
    """
    carrier.delete(manifest_name(manifest.attempt))
    carrier.put_all(
        {delivered_name(manifest.attempt, path): run_dir / path for path in manifest.files}
    )
    put_json(carrier, manifest_name(manifest.attempt), manifest.model_dump(mode="json",
             by_alias=True))  # fmt: skip


def put_json(carrier: Carrier, name: str, value: Mapping[str, Any]) -> None:
    """Put a value as a small JSON file."""
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        file = Path(folder) / "value.json"
        write_json(file, dict(value))
        carrier.put(file, name)


def get_json(carrier: Carrier, name: str) -> Any:
    """The value in a small JSON file; None where there is no such file.

    Raises:
        CarrierError: it is not JSON.
        UserError: it could not be read.
    """
    if name not in carrier.names():
        return None
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        file = Path(folder) / "value.json"
        carrier.get(name, file)
        try:
            return read_json(file)
        except ValueError:
            raise CarrierError(f"{name}: is not JSON") from None


def read_manifest(carrier: Carrier, attempt: int) -> Manifest | None:
    """The manifest of an attempt; None where it has delivered nothing whole.

    Raises:
        CarrierError: it is damaged, or another attempt's.
        UserError: it could not be read.
    """
    found = get_json(carrier, manifest_name(attempt))
    if found is None:
        return None
    try:
        manifest = Manifest.model_validate(found)
    except ValidationError as error:
        count = error.error_count()
        raise CarrierError(f"{manifest_name(attempt)}: {count} fields are wrong") from None
    if manifest.attempt != attempt:
        raise CarrierError(f"{manifest_name(attempt)}: is that of attempt {manifest.attempt}")
    return manifest


def read_status(carrier: Carrier) -> Status | None:
    """Where the last pod stands; None where none has told, or its word is damaged."""
    try:
        found = get_json(carrier, STATUS)
        return Status.model_validate(found) if found is not None else None
    except (CarrierError, ValidationError):
        # it is rewritten with the next heartbeat
        return None


def verify(carrier: Carrier, manifest: Manifest) -> list[str]:
    """What is wrong with the files of a manifest where they lie: each is read back and hashed.

    Args:
        carrier: where they lie.
        manifest: lists them.

    Returns:
        One line a file that is missing or differs; none: all are whole.
    """
    wrong = []
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        local = Path(folder) / "read-back"
        for path, line in manifest.files.items():
            fault = _read_back(carrier, delivered_name(manifest.attempt, path), line, local)
            if fault:
                wrong.append(f"{path}: {fault}")
            local.unlink(missing_ok=True)
    return wrong


def _read_back(carrier: Carrier, name: str, line: FileLine, local: Path) -> str | None:
    try:
        carrier.get(name, local)
    except CarrierError as error:
        return error.message.partition(": ")[2] or error.message
    size = local.stat().st_size
    if size != line.size:
        return f"{size} bytes instead of {line.size}"
    return None if _sha256(local) == line.sha256 else "other content than was delivered"


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fetch(carrier: Carrier, manifest: Manifest, run_dir: Path) -> RunRecord | None:
    """Bring an attempt's files into the run's folder here, and its record, fitted to this machine.

    Args:
        carrier: where the files lie.
        manifest: lists them.
        run_dir: with the run's ``plan.json``, which stays as it is.

    Returns:
        The record as written; None where the pod had none.

    Raises:
        CarrierError: a file is missing or differs; the folder then has what came before it.
        UserError: a file could not be read.
    """
    for path, line in manifest.files.items():
        target = run_dir / path
        if path in {PLAN, RECORD} or (target.is_file() and sha256_file(target) == line.sha256):
            continue
        part = target.with_name(f".{target.name}.fetched")
        try:
            fault = _read_back(carrier, delivered_name(manifest.attempt, path), line, part)
            if fault:
                raise CarrierError(f"{path}: {fault}", "fetch it again, or resume the run")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    if manifest.record is None:
        return None
    record, plan = RunRecord.model_validate(manifest.record), read_plan(run_dir / PLAN)
    artefacts = {**record.artefacts, **_named_base(run_dir, record.artefacts, plan.base.path)}
    # the pod's folders are not ours
    return record.model_copy(update={"plan": plan, "artefacts": artefacts}).write(run_dir)


def _named_base(run_dir: Path, artefacts: Iterable[str], base: Path) -> dict[str, str]:
    """Name the base model's folder here in the adapter's settings; their new sha256."""
    for path in artefacts:
        if path.rpartition("/")[2] == _ADAPTER_SETTINGS:
            settings = read_json(run_dir / path)
            if isinstance(settings, dict) and "base_model_name_or_path" in settings:
                write_json(run_dir / path, {**settings, "base_model_name_or_path": str(base)})
                return {path: sha256_file(run_dir / path)}
    return {}

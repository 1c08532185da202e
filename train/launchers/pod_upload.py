"""``python -m train.launchers.pod_upload ...``: brings a pod's files to the carrier.

``checkpoint`` brings one checkpoint, its seal last; ``final`` what the attempt delivers, its
manifest last, and reads everything back; ``status`` the supervisor's word where it cannot write to
the carrier itself.
"""

import argparse
import sys
from pathlib import Path
from typing import Literal

import orjson

from ingest.errors import UserError
from ingest.files import read_json, sha256_file
from ingest.settings import Settings
from train.checkpoints import BEST, SEAL
from train.launchers.carrier_open import open_carrier
from train.launchers.carriers import Carrier, CarrierError
from train.launchers.local import LOG
from train.launchers.pod_bundle import RUN, job_of
from train.launchers.pod_files import (
    CHECKPOINTS,
    STATUS,
    Manifest,
    get_json,
    listed,
    verify,
    write_manifest,
)
from train.launchers.pod_prepare import SHARED
from train.record import RECORD, Failure, RunRecord, read_record
from train.sft import METRICS

KEEP = 2
SUPERSEDED = 3
State = Literal["succeeded", "failed", "ended"]


def put_checkpoint(carrier: Carrier, run_dir: Path, name: str, keep: int = KEEP) -> bool:
    """Put a checkpoint, its seal last, then delete all but the newest ``keep``.

    Returns:
        Whether it was put; False where a newer one had replaced it meanwhile.

    Raises:
        UserError: it did not arrive whole; then it has no seal there.
    """
    folder = run_dir / CHECKPOINTS / name
    seal = f"{CHECKPOINTS}/{name}/{SEAL}"
    try:
        if _is_there(carrier, seal, folder / SEAL):
            return True
        carrier.delete(seal)
        files = _below(run_dir, folder) | _below(run_dir, run_dir / BEST)
        files |= {shared: run_dir / shared for shared in SHARED if (run_dir / shared).is_file()}
        carrier.put_all({place: file for place, file in files.items() if place != seal})
        carrier.put(folder / SEAL, seal)
    except (FileNotFoundError, CarrierError):
        if not folder.is_dir():
            return False
        raise
    _tidy(carrier, run_dir, keep)
    return True


def _is_there(carrier: Carrier, name: str, seal: Path) -> bool:
    """Whether this very seal was put before: it came after all that it lists."""
    mine = read_json(seal)
    try:
        return bool(get_json(carrier, name) == mine)
    except CarrierError:
        # not JSON: put anew
        return False


def _below(run_dir: Path, folder: Path) -> dict[str, Path]:
    return {
        file.relative_to(run_dir).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _tidy(carrier: Carrier, run_dir: Path, keep: int) -> None:
    """Delete checkpoints and best weights that no resumed run will need, seals first."""
    names = carrier.names()
    steps = {int(name.split("/")[1].partition("-")[2]) for name in names
             if name.startswith(f"{CHECKPOINTS}/")}  # fmt: skip
    old = {f"checkpoint-{step}" for step in sorted(steps)[: -keep or None]}
    best = {folder.name for folder in (run_dir / BEST).glob("*")}
    unneeded = [
        name
        for name in names
        if (name.startswith(f"{CHECKPOINTS}/") and name.split("/")[1] in old)
        or (name.startswith(f"{BEST}/") and name.split("/")[1] not in best)
    ]
    for name in sorted(unneeded, key=lambda name: not name.endswith(f"/{SEAL}")):
        carrier.delete(name)


def deliver(
    carrier: Carrier,
    bundle: Path,
    attempt: int,
    state: State,
    failure: Failure | None = None,
) -> Manifest:
    """Put what an attempt made, the manifest last, and read it back.

    Args:
        carrier: where to.
        bundle: the unpacked archive.
        attempt: of the run.
        state: how the attempt ended.
        failure: why, if it did not succeed.

    Returns:
        The manifest, as verified where it lies.

    Raises:
        UserError: not all arrived.
    """
    run_dir, job = bundle / RUN, job_of(bundle)
    made = [path for output in job["outputs"] for path in _below(run_dir, run_dir / output)]
    record = _record(run_dir, failure)
    if record is not None and state == "succeeded" and record.state != state:
        # another program than train.sft, which knows no record
        digests = {path: sha256_file(run_dir / path) for path in made}
        record = record.entered("succeeded", artefacts=digests).write(run_dir)
    if state != "succeeded":
        for folder in sorted((run_dir / CHECKPOINTS).glob("checkpoint-*"), key=_step)[-1:]:
            put_checkpoint(carrier, run_dir, folder.name)
    paths = [*made, *(name for name in (LOG, METRICS) if (run_dir / name).is_file())]
    if record is not None:
        paths += record.artefacts
        carrier.put(run_dir / RECORD, RECORD)
    manifest = Manifest(
        run_id=job["run_id"],
        attempt=attempt,
        files=listed(run_dir, paths),
        state=state,
        failure=failure,
        record=record.model_dump(mode="json", by_alias=True) if record else None,
    )
    write_manifest(carrier, manifest, run_dir)
    wrong = verify(carrier, manifest)
    if wrong:
        raise CarrierError(f"{len(wrong)} files are not what was put: {wrong[0]}")
    if state == "succeeded":
        _forget_checkpoints(carrier)
    return manifest


def _record(run_dir: Path, failure: Failure | None) -> RunRecord | None:
    """The run's record; one that does not know yet that the run has failed is told."""
    if not (run_dir / RECORD).is_file():
        return None
    record = read_record(run_dir)
    if failure is not None and record.failure != failure and record.state != "succeeded":
        return record.entered("failed", failure=failure).write(run_dir)
    return record


def _step(folder: Path) -> int:
    return int(folder.name.partition("-")[2])


def _forget_checkpoints(carrier: Carrier) -> None:
    prefixes = (f"{CHECKPOINTS}/", f"{BEST}/")
    names = [name for name in carrier.names() if name.startswith(prefixes)]
    for name in sorted(names, key=lambda name: not name.endswith(f"/{SEAL}")):
        carrier.delete(name)


def main(arguments: list[str]) -> int:
    """Do one upload; returns the exit status.

    2: it may succeed later, why is told on stderr. 3: a newer checkpoint is there instead.
    """
    parser = argparse.ArgumentParser("pod_upload")
    parser.add_argument("what", choices=["checkpoint", "final", "status"])
    parser.add_argument("carrier")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--name", help="of the checkpoint")
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--state", default="succeeded")
    parser.add_argument("--failure", type=orjson.loads)
    asked = parser.parse_args(arguments)
    try:
        carrier = open_carrier(asked.carrier, Settings().hf_token)
        if asked.what == "status":
            carrier.put(asked.bundle / STATUS, STATUS)
        elif asked.what == "checkpoint":
            if not put_checkpoint(carrier, asked.bundle / RUN, asked.name):
                return SUPERSEDED
        else:
            failure = Failure.model_validate(asked.failure) if asked.failure else None
            deliver(carrier, asked.bundle, asked.attempt, asked.state, failure)
    except UserError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

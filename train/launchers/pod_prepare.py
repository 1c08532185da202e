"""``python -m train.launchers.pod_prepare BUNDLE CARRIER``: makes a run ready in a pod.

Fits the plan to the pod's folders, brings the base model, brings back what earlier attempts left
on the carrier, and writes ``launch.json``: what to start, and in which environment.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from dataset.hub.errors import HubError
from ingest.errors import UserError
from ingest.files import write_json
from ingest.settings import Settings
from train.checkpoints import BEST, SEAL, latest
from train.failures import CARRIER, class_of
from train.launchers.carrier_open import open_carrier
from train.launchers.carriers import Carrier, CarrierError
from train.launchers.local import environment, program
from train.launchers.pod_bundle import BASE, CODE, RUN, VERSION, job_of, rebase_plan
from train.launchers.pod_files import CHECKPOINTS
from train.load import resolve_base
from train.plan import PLAN, TrainPlan, read_plan
from train.record import RECORD, new_record, read_record
from train.sft import METRICS

LAUNCH, FAILURE = "launch.json", "failure.json"
# of the run as a whole, whichever attempt wrote them
SHARED = (RECORD, METRICS)


def prepare(bundle: Path, carrier: Carrier) -> TrainPlan:
    """Make the run in an unpacked archive ready to start.

    Args:
        bundle: the folder.
        carrier: with what earlier attempts left.

    Returns:
        The plan as it will be done here.

    Raises:
        UserError: the base model or the carrier cannot be reached, or the plan is damaged.
    """
    run_dir = bundle / RUN
    plan = read_plan(run_dir / PLAN)
    base = bundle / BASE
    if not base.is_dir():
        base, _ = resolve_base(plan.base.model, plan.base.revision)
    plan = rebase_plan(plan, run_dir, bundle / VERSION, base)
    write_json(run_dir / PLAN, plan.model_dump(mode="json"))
    restore(carrier, run_dir)
    record = read_record(run_dir) if (run_dir / RECORD).exists() else new_record(plan)
    record.model_copy(update={"plan": plan}).write(run_dir)
    job = job_of(bundle)
    write_json(
        bundle / LAUNCH,
        {
            "command": job["command"] or [sys.executable, *program(plan)],
            "environment": {**environment(), "PYTHONPATH": str(bundle / CODE)},
        },
    )
    return plan


def restore(carrier: Carrier, run_dir: Path) -> str | None:
    """Bring back the newest whole checkpoint, and what belongs to it.

    Returns:
        The checkpoint's name; None where there is none.

    Raises:
        UserError: the carrier cannot be read.
    """
    names = carrier.names()
    for name in SHARED:
        if name in names:
            carrier.get(name, run_dir / name)
    sealed = [name.split("/")[1] for name in names
              if name.startswith(f"{CHECKPOINTS}/") and name.endswith(f"/{SEAL}")]  # fmt: skip
    for checkpoint in sorted(sealed, key=_step, reverse=True):
        _bring(carrier, names, f"{CHECKPOINTS}/{checkpoint}/", run_dir)
        if latest(run_dir / CHECKPOINTS) is not None:
            _bring(carrier, names, f"{BEST}/", run_dir)
            return checkpoint
        shutil.rmtree(run_dir / CHECKPOINTS)
    return None


def _bring(carrier: Carrier, names: Mapping[str, int], prefix: str, run_dir: Path) -> None:
    for name in names:
        if name.startswith(prefix):
            carrier.get(name, run_dir / name)


def _step(checkpoint: str) -> int:
    return int(checkpoint.partition("-")[2])


def main(arguments: list[str]) -> int:
    """Prepare; returns the exit status, 2 for what the user can mend, told in ``failure.json``."""
    bundle, setting = arguments
    token: SecretStr | None = Settings().hf_token
    try:
        prepare(Path(bundle), open_carrier(setting, token))
    except UserError as error:
        kind = CARRIER if isinstance(error, (CarrierError, HubError)) else class_of(error)
        failure = {"class": kind, "message": error.message, "advice": error.hint}
        write_json(Path(bundle) / FAILURE, failure)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

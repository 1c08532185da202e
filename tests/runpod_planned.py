"""A small run as it is planned, and its archive, made once for all stages."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from runpod_pods import STEPS
from train_ground import message, seal_version

from dataset.manifest import DatasetVersion
from ingest.files import write_json
from ingest.workspace import Workspace
from train.device import Device
from train.launchers.pod_bundle import make_bundle
from train.plan import PLAN, BaseUse, DatasetUse, TrainPlan
from train.spec import LoraSpec
from train.tally import SplitCounts

RUN = "tide"
STALL_S = 600.0


def _kept_folder() -> Path:
    """For what all stages share, until the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="turnmill-stage-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _version() -> DatasetVersion:
    home = _kept_folder()
    talk = [message("user", "hello"), message("assistant", "good day")]
    return seal_version(Workspace(home).create(), {"train": [talk]})


def plan_in(run_dir: Path) -> TrainPlan:
    """A small run, planned."""
    version = _version()
    rows = run_dir / "rows.parquet"
    run_dir.mkdir(parents=True, exist_ok=True)
    rows.write_bytes(b"rows")
    plan = TrainPlan(
        run_id=RUN, run_dir=run_dir,
        dataset=DatasetUse(name="s", fingerprint=version.fingerprint, path=version.path),
        base=BaseUse(model="org/base", revision="0" * 40, path=run_dir, weights={},
                     template_sha256="0" * 64),
        lora=LoraSpec(), device=Device(kind="cuda", name="RTX A5000", memory_gib=22.0),
        precision="bf16", checkpointing=False, micro_batch=1, grad_accumulation=1, max_length=128,
        learning_rate=1e-4, warmup_steps=1, epochs=1.0, steps=STEPS, save_every_steps=5,
        keep_checkpoints=2, seed=1, train_on="all", eval=False, stall_s=STALL_S, rows=1,
        tokens=100, trained_tokens=50,
        splits={"train": SplitCounts(file=rows.name, sha256="0" * 64, rows=1, tokens=100,
                                     trained_tokens=50, refused={}, rows_cut=0, tokens_lost=0,
                                     trained_tokens_lost=0)},
    )  # fmt: skip
    write_json(run_dir / PLAN, plan.model_dump(mode="json"))
    return plan


@cache
def archive() -> Path:
    folder = _kept_folder()
    return make_bundle(plan_in(folder / "run"), folder / "bundle.tar")


def copied(plan: TrainPlan, out: Path) -> Path:
    """``make_bundle`` without packing the same files thousands of times."""
    shutil.copyfile(archive(), out)
    return out

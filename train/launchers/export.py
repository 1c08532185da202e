"""Starts nothing: writes the plan as files of other trainers and of tools that rent machines."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataset.export.base import DatasetExportError
from dataset.export.write import DatasetExport, export_version
from dataset.manifest import open_version
from ingest.errors import UserError
from ingest.files import write_whole
from train.distributed import torchrun_line
from train.launchers import export_settings
from train.launchers.base import OnEvent
from train.launchers.export_accelerate import SHARDINGS, accelerate_configs, sharding
from train.launchers.export_cloud import DSTACK, SKYPILOT, dstack_task, rented, skypilot_task
from train.launchers.export_yaml import toml_text
from train.plan import PLAN, TrainPlan
from train.record import RunRecord, read_record
from train.spec import TrainSpec

README, SPEC, DATASET = "README.txt", "train.toml", "dataset"
# beside the folder that the spec lies in
_BASE = "../base"
_TRAINERS = {"axolotl": "axolotl train config.yaml",
             "llama-factory": "llamafactory-cli train train.yaml"}  # fmt: skip

_Made = DatasetExport | DatasetExportError


class PlanExportError(UserError):
    """A plan that cannot be written as files, or not there."""


class ExportLauncher:
    """Writes a folder from a plan; somebody else's program trains.

    Args:
        out: the folder to make; must not exist or be empty.
        spec: what the plan was made from.
    """

    name = "export"

    def __init__(self, out: Path, spec: TrainSpec) -> None:
        self.out = out
        self.spec = spec

    def launch(self, plan: TrainPlan, on_event: OnEvent) -> RunRecord:
        """Write the folder; the record stays ``planned``.

        Raises:
            PlanExportError: the folder is not empty.
            VersionError: the dataset version is damaged.
        """
        check_out(self.out)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=self.out.parent, prefix=f".{self.out.name}.",
                                     suffix=".part"))  # fmt: skip
        try:
            made = _write(plan, self.spec, part)
            _text(part / README, readme_text(plan, self.spec, made, self.out))
            part.replace(self.out)
        except BaseException:
            shutil.rmtree(part)
            raise
        on_event({"event": "exported", "run": plan.run_id, "files": files_in(self.out)})
        return read_record(plan.run_dir)


def check_out(out: Path) -> None:
    """Refuse a folder that cannot be made, before anything is planned.

    Raises:
        PlanExportError: it is not empty, or no folder.
    """
    if out.resolve() == Path.cwd() or (out.exists() and not out.is_dir()):
        raise PlanExportError(f"{out}: cannot become the export's folder", "name a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise PlanExportError(f"{out}: the folder is not empty", "name a new or empty folder")


def files_in(out: Path) -> list[str]:
    """Names of the files of an export, in order."""
    return sorted(one.relative_to(out).as_posix() for one in out.rglob("*") if one.is_file())


def _write(plan: TrainPlan, spec: TrainSpec, out: Path) -> dict[str, _Made]:
    version = open_version(plan.dataset.path)
    version.verify()
    shutil.copytree(version.path, out / DATASET)
    base = plan.base.path if Path(plan.base.model).is_dir() else None
    _text(out / SPEC, spec_text(plan, spec, base=_BASE if base else plan.base.model))
    for name, text in accelerate_configs(plan).items():
        _text(out / "accelerate" / f"{name}.yaml", text)
    machine = rented(plan)
    _text(out / SKYPILOT, skypilot_task(plan, machine, base))
    _text(out / DSTACK, dstack_task(plan, machine, base))
    made: dict[str, _Made] = {}
    for trainer in _TRAINERS:
        try:
            made[trainer] = export_version(
                version,
                trainer,
                out / trainer,
                base_model=str(base) if base else plan.base.model,
                settings=export_settings.settings_of(plan),
            )
        except DatasetExportError as error:
            # the other tools' files are of use without it; the reason stands in README.txt
            made[trainer] = error
    return made


def _text(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    with write_whole(file) as opened:
        opened.write(text.encode())


def spec_text(plan: TrainPlan, spec: TrainSpec, *, base: str) -> str:
    """The spec with what the plan decided written out, for ``turnmill train`` elsewhere.

    Args:
        plan: what was decided.
        spec: what was asked.
        base: the base model as it is found there.
    """
    values: dict[str, Any] = spec.model_dump(mode="json")
    values |= {
        "dataset": f"./{DATASET}",
        "base_model": base,
        "base_revision": plan.base.revision,
        "quantization": plan.quantization or "none",
        "effective_batch": None,
        "micro_batch": plan.micro_batch,
        "grad_accumulation": plan.grad_accumulation,
        "processes": plan.processes,
        "max_length": plan.max_length,
        "checkpointing": plan.checkpointing,
        "packing": plan.packing,
        "save_every_steps": plan.save_every_steps,
    }
    head = f"Written by turnmill from the plan of run {plan.run_id}: nothing is left open."
    return toml_text(values, head=head)


def readme_text(plan: TrainPlan, spec: TrainSpec, made: dict[str, _Made], out: Path) -> str:
    """What lies in the folder, how each is started, and what it does not say of the plan."""
    line = " ".join(torchrun_line(plan, plan.processes))
    configs, program = out.absolute() / "accelerate", f"-m train.sft {plan.run_dir / PLAN}"
    best = sharding(plan)
    kinds = "\n".join(
        f"  accelerate launch --config_file {configs / one}.yaml {program}"
        + ("   <- what the forecast asks for" if one == best else "")
        for one in SHARDINGS
    )
    rows = plan.micro_batch * plan.grad_accumulation
    return f"""\
Run {plan.run_id}, planned by turnmill and started by nobody yet.
{plan.base.model} on {plan.dataset.name}@{plan.dataset.fingerprint[:12]},
{plan.processes} process(es) on {plan.device.name}; {rows} rows a step, {plan.steps} steps.

THIS FOLDER HOLDS CONVERSATIONS ({DATASET}/ and the trainers' data files). It holds no key or token.

turnmill elsewhere: take {SPEC} and {DATASET}/ there, and in their folder
  turnmill train {SPEC}
{_base_note(plan)}
Here, if this machine has {plan.processes} of the planned device:
  {line}
or with a config of accelerate:
{kinds}

A rented machine: {SKYPILOT} (sky launch), {DSTACK} (dstack apply). How, stands in each.

Other trainers
{"".join(_trainer_text(plan, name, one) for name, one in made.items())}
What no other trainer's config says of the plan
{_lines(export_settings.beyond_all(plan, spec))}"""


def _base_note(plan: TrainPlan) -> str:
    if not Path(plan.base.model).is_dir():
        return ""
    return f"with the base model's folder ({plan.base.path}) beside it, as {_BASE}.\n"


def _trainer_text(plan: TrainPlan, name: str, made: _Made) -> str:
    if isinstance(made, DatasetExportError):
        return f"  {name}: NOT WRITTEN. {made.message}\n"
    beyond = {
        "axolotl": export_settings.beyond_axolotl,
        "llama-factory": export_settings.beyond_llama_factory,
    }
    told = [f"must be set: {one}" for one in made.to_set]
    told += [f"{n} conversations left out: {why}" for why, n in made.refused.items()]
    told += [f"not expressible there: {one}" for one in beyond[name](plan)]
    several = f" ({plan.processes} processes)" if plan.processes > 1 else ""
    return f"  {name}: cd {name}; {_TRAINERS[name]}{several}\n{_lines(told, indent='    ')}"


def _lines(told: Iterable[str], indent: str = "  ") -> str:
    return "".join(f"{indent}- {one}\n" for one in told)

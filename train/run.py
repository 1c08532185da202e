"""Starts a run: resolve the version and base, render, plan, launch."""

import re
import secrets
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from dataset.manifest import DatasetVersion, load_version
from ingest.errors import SpecError
from ingest.files import write_json
from ingest.settings import Settings
from ingest.workspace import Workspace
from train.device import Device
from train.estimate import estimate
from train.launchers.base import Launcher, OnEvent
from train.launchers.export import ExportLauncher, check_out
from train.launchers.local import LocalLauncher
from train.launchers.runpod import RunpodLauncher
from train.launchers.runpod_api import RunPod, open_runpod
from train.launchers.runpod_offer import Offers, find_offers
from train.launchers.runpod_rental import write_rental
from train.lengths import ASKED, UNCUT, histogram, length_table
from train.memory import read_config
from train.peak import choose_step
from train.plan import PLAN, BaseUse, TrainPlan, make_plan, read_plan
from train.policy import Policy
from train.preference_rendered import pair_length_table, render_pairs
from train.record import RunRecord, new_record, open_run
from train.refusals import refuse_for_kind, refuse_impossible
from train.rendered import RenderedSplit, render_version
from train.spec import TrainSpec

LAUNCHERS: dict[str, type[Launcher]] = {
    "local": LocalLauncher,
    "export": ExportLauncher,
    "runpod": RunpodLauncher,
}
_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


def new_run_id(now: datetime | None = None) -> str:
    """A short id that sorts by time, such as ``20261124-101500-ab12``."""
    return f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def start_run(
    spec: TrainSpec,
    workspace: Workspace,
    *,
    launcher: str = "local",
    resume: str | None = None,
    run_id: str | None = None,
    device: Device | None = None,
    out: Path | None = None,
    memory_limit_gib: float | None = None,
    on_event: OnEvent = lambda _: None,
) -> RunRecord:
    """Train as the spec says, to the end, an interruption or a failure.

    The launcher ``export`` starts nothing: it writes the plan as files of other programs.

    Args:
        spec: what is asked; not looked at when resuming.
        workspace: holds the dataset version; the run is written to its ``runs``.
        launcher: where to run.
        resume: id of a run to go on with, as it was planned.
        run_id: name of a new run; made up if not given.
        device: where a new run will be, if not here; for ``export``.
        out: the folder that ``export`` makes.
        memory_limit_gib: what this attempt may hold of the device's memory; for ``local``.
        on_event: takes each event of planning and training.

    Raises:
        UserError: the version, base model or data do not allow a run. Failures of the training
            itself are in the record.
    """
    if launcher not in LAUNCHERS:
        raise SpecError(f"no launcher {launcher!r}", f"known: {', '.join(LAUNCHERS)}")
    if launcher == "export":
        return _exported(spec, workspace, resume, run_id or new_run_id(), device, out, on_event)
    if device is not None or out is not None:
        raise SpecError(f"the launcher {launcher} takes no card and no folder", _FOR_EXPORT)
    if launcher == "runpod":
        if memory_limit_gib is not None:
            raise SpecError("the launcher runpod knows no memory limit", "leave it out")
        return _rented(spec, workspace, resume, run_id or new_run_id(), on_event)
    if resume is not None:
        plan = read_plan(workspace.runs / open_run(resume, workspace).run_id / PLAN)
    else:
        plan = prepare_run(spec, workspace, run_id=run_id or new_run_id(), on_event=on_event)
    return LocalLauncher(memory_limit_gib).launch(plan, on_event)


_FOR_EXPORT = "--out DIR and --gpu NAME are for --launcher export"


def _exported(
    spec: TrainSpec,
    workspace: Workspace,
    resume: str | None,
    run_id: str,
    device: Device | None,
    out: Path | None,
    on_event: OnEvent,
) -> RunRecord:
    if out is None or resume is not None:
        raise SpecError(
            "the launcher export makes a folder from a spec",
            "turnmill train TRAIN.toml --launcher export --out DIR",
        )
    check_out(out)
    plan = prepare_run(spec, workspace, run_id=run_id, device=device, on_event=on_event)
    return ExportLauncher(out, spec).launch(plan, on_event)


def _rented(
    spec: TrainSpec, workspace: Workspace, resume: str | None, run_id: str, on_event: OnEvent
) -> RunRecord:
    """A run on RunPod: planned for the best card on offer, or gone on with as it was planned."""
    launcher = RunpodLauncher(workspace)
    if resume is not None:
        run_dir = workspace.runs / open_run(resume, workspace).run_id
        if spec.runpod is not None:
            # limits may be raised for what is left
            write_rental(run_dir, spec.runpod)
        return launcher.launch(read_plan(run_dir / PLAN), on_event)
    with open_runpod(Settings()) as api:
        best = find_rented(spec, workspace, api, on_event).offers[0]
    assert spec.runpod is not None
    plan = prepare_run(
        spec,
        workspace,
        run_id=run_id,
        device=best.plan.device,
        usd_per_hour=best.candidate.usd_per_hour,
        on_event=on_event,
    )
    write_rental(plan.run_dir, spec.runpod)
    return launcher.launch(plan, on_event)


def find_rented(
    spec: TrainSpec, workspace: Workspace, api: RunPod, on_event: OnEvent = lambda _: None
) -> Offers:
    """What RunPod has for a run, best first, and the run as it would be there.

    Raises:
        SpecError: the spec has no table ``[runpod]``.
        NoCardError: nothing fits it.
        UserError: as for :func:`start_run`.
    """
    if spec.runpod is None:
        raise SpecError(
            "the training spec does not say what RunPod may cost",
            "add [runpod] with max_usd_per_hour, max_usd and hub; see docs/runpod.md",
        )
    with tempfile.TemporaryDirectory(prefix="turnmill-") as scratch:

        def plan_for(device: Device, usd_per_hour: float) -> TrainPlan:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            made, _ = plan_run(
                spec, workspace, run_id=new_run_id(), run_dir=folder, device=device,
                usd_per_hour=usd_per_hour, on_event=on_event,
            )  # fmt: skip
            return made

        return find_offers(api, spec.runpod, spec.processes, plan_for)


def prepare_run(
    spec: TrainSpec,
    workspace: Workspace,
    *,
    run_id: str,
    device: Device | None = None,
    usd_per_hour: float | None = None,
    on_event: OnEvent = lambda _: None,
) -> TrainPlan:
    """Render, plan and write ``plan.json`` and ``run.json``; start nothing.

    Raises:
        UserError: as for :func:`start_run`; the run exists.
    """
    run_dir = _run_dir(workspace, run_id)
    plan, _ = plan_run(
        spec,
        workspace,
        run_id=run_id,
        run_dir=run_dir,
        device=device,
        usd_per_hour=usd_per_hour,
        on_event=on_event,
    )
    write_json(run_dir / PLAN, plan.model_dump(mode="json"))
    new_record(plan).write(run_dir)
    return plan


def plan_run(
    spec: TrainSpec,
    workspace: Workspace,
    *,
    run_id: str,
    run_dir: Path,
    device: Device | None = None,
    memory_gib: float | None = None,
    usd_per_hour: float | None = None,
    on_event: OnEvent = lambda _: None,
) -> tuple[TrainPlan, DatasetVersion]:
    """Resolve everything; writes only the rendered rows, under ``run_dir``.

    Args:
        spec: what is asked.
        workspace: holds the dataset version, and earlier runs, whose speed is looked at.
        run_id: names the run.
        run_dir: the run's folder.
        device: where it will run; left out: on this machine's best device.
        memory_gib: what the device has; left out: as it says itself.
        usd_per_hour: price of the device, if known.
        on_event: takes each event.

    Raises:
        VerdictError: the base model's chat template cannot be trained exactly.
        UserError: the version, base model or data do not allow a run.
    """
    from train.device import find_device
    from train.load import load_tokenizer, resolve_base, weights_sha256
    from train.verdict import check_template

    place = device or find_device()
    if memory_gib is not None:
        place = place.model_copy(update={"memory_gib": memory_gib})
    refuse_impossible(spec, place)
    version = load_version(spec.dataset, workspace)
    refuse_for_kind(spec, version)
    path, revision = resolve_base(spec.base_model, spec.base_revision)
    tokenizer = load_tokenizer(str(path))
    verdict = check_template(tokenizer)
    verdict.require(spec.base_model)
    base = BaseUse(
        model=spec.base_model,
        revision=revision,
        path=path,
        weights=weights_sha256(path),
        template_sha256=verdict.template_sha256,
        template_method=verdict.method,
        stop_tokens=list(verdict.stop_tokens),
    )
    config = read_config(path)
    render = partial(
        _rendered,
        version,
        tokenizer=tokenizer,
        run_dir=run_dir,
        spec=spec,
        cache=workspace.rendered,
        on_event=on_event,
    )
    # once without a cut: how long the rows are decides where they are cut
    whole = {split: render(split, max_length=UNCUT) for split in version.splits}
    choice = choose_step(spec, place, config, whole, elsewhere=device is not None)
    asked = sorted({*ASKED, choice.max_length})
    if whole["train"].sides is None:
        table = length_table(run_dir / whole["train"].counts.file, asked)
    else:
        table = pair_length_table(whole["train"], asked)
    rendered = {
        split: one
        if max(one.sizes, default=0) <= choice.max_length
        else render(split, max_length=choice.max_length)
        for split, one in whole.items()
    }
    plan = make_plan(
        spec,
        version,
        rendered["train"].lengths,
        place,
        run_id=run_id,
        run_dir=run_dir,
        base=base,
        splits={split: one.counts for split, one in rendered.items()},
        choice=choice,
        sides=rendered["train"].sides,
    )
    plan = plan.model_copy(update={"lengths": table, "histogram": histogram(whole["train"].sizes)})
    made = estimate(plan, config, workspace, here=device is None, usd_per_hour=usd_per_hour)
    plan = plan.model_copy(update={"estimate": made})
    on_event({"event": "plan", "run": run_id, "rows": plan.rows, "steps": plan.steps,
              "tokens": plan.tokens, "trained_tokens": plan.trained_tokens})  # fmt: skip
    return plan, version


def _rendered(
    version: DatasetVersion,
    split: str,
    *,
    max_length: int,
    tokenizer: Any,
    run_dir: Path,
    spec: TrainSpec,
    cache: Path,
    on_event: OnEvent,
) -> RenderedSplit:
    total = version.splits[split].conversations

    def tell(done: int) -> None:
        if done % 1000 == 0 or done == total:
            on_event({"event": "render", "split": split, "rows": done, "of": total})

    render = render_pairs if version.spec.kind == "preference" else render_version
    return render(
        version,
        split,
        tokenizer,
        run_dir,
        max_length=max_length,
        policy=Policy(spec.train_on, spec.train_reasoning, spec.train_tool_calls),
        cache=cache,
        on_progress=tell,
    )


def _run_dir(workspace: Workspace, run_id: str) -> Path:
    if not _RUN_ID.fullmatch(run_id):
        raise SpecError(f"{run_id!r}: not a run id", "use letters, digits, '.', '_' and '-'")
    # absolute: the program that trains may start elsewhere
    folder = (workspace.runs / run_id).absolute()
    if (folder / PLAN).exists():
        raise SpecError(f"{run_id}: this run exists", f"go on with it: --resume {run_id}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder

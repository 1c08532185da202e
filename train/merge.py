"""Adapter + base -> merged weights, with a certificate that they are the same function.

The folder gets its name only when the certificate in it says ``pass``.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.errors import UserError
from ingest.files import read_json, sha256_file, write_json
from ingest.workspace import Workspace
from train.adapter import delivered_name
from train.certify import Comparison, Request
from train.checkpoints import room_checked
from train.plan import TrainPlan
from train.record import RunRecord

CERTIFICATE = "merge_certificate.json"
_HELD_OUT = ("validation", "test", "train")  # in order of preference
_ERROR_TIMES = 100  # the adapter's effect must be this many times the merge's error
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template*", "added_tokens.json",
                    "vocab*", "merges.txt", "generation_config.json")  # fmt: skip

Progress = Callable[[str], None]


class MergeRefused(UserError):  # noqa: N818 - a verdict, not an accident
    """A merge that did not happen, or whose result is not the function that was trained."""


class MergeCertificate(BaseModel):
    """What was merged, and how far the result is from base + adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=1, description="layout of this file")
    run_id: str = Field(description="the run that made the adapter")
    created_at: datetime = Field(description="UTC")
    verdict: Literal["pass", "fail"] = Field(description="whether the merge may be used")
    reason: str = Field(description="what the verdict rests on")
    compared_on: str = Field(description="split whose rows were compared")
    comparison: Comparison = Field(description="merged from disk against base + adapter, fp32")
    base: str = Field(description="the base model as asked for")
    base_revision: str | None = Field(description="its commit on the Hub")
    base_weights: dict[str, str] = Field(description="sha256 by file")
    adapter: dict[str, str] = Field(description="sha256 by path in the run's folder")
    files: dict[str, str] = Field(description="sha256 of each file of the merged model")
    dataset_fingerprint: str = Field(description="the version trained on")
    template_sha256: str = Field(description="of the chat template, the same before and after")
    eos_token_ids: list[int] = Field(description="tokens that end generation")
    packages: dict[str, str] = Field(description="versions")


def merge_run(
    record: RunRecord,
    workspace: Workspace,
    *,
    out: Path | None = None,
    on_progress: Progress | None = None,
) -> MergeCertificate:
    """Merge a run's adapter into its base, or copy its whole model, and prove the result.

    Args:
        record: of a run that succeeded.
        workspace: merged models go to ``models/<run id>`` unless ``out`` is given.
        out: the folder to make; must not exist.
        on_progress: called with the name of each stage.

    Returns:
        The certificate, as it lies in the folder.

    Raises:
        MergeRefused: nothing to merge, other files than were trained, or a failed verdict; then
            the certificate lies in the run's folder and the merged folder is gone.
        DiskError: no room.
    """
    tell = on_progress or (lambda _: None)
    target = (out or workspace.models / record.run_id).absolute()
    run_dir = workspace.runs.absolute() / record.run_id
    _check_inputs(record, run_dir, target)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with room_checked(target.parent):
            tell("merge")
            _write_merged(record.plan, run_dir, part)
            tell("compare")
            split = _compared_on(record)
            rendered = run_dir / record.plan.splits[split].file
            comparison = _compared(record.plan, run_dir, part, rendered)
            certificate = _certificate(record, part, comparison, split)
            place = part if certificate.verdict == "pass" else run_dir
            write_json(place / CERTIFICATE, certificate.model_dump(mode="json"))
        if certificate.verdict == "fail":
            raise MergeRefused(
                f"{record.run_id}: {certificate.reason}",
                f"nothing was kept but {run_dir / CERTIFICATE}; see its figures",
            )
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return certificate


def read_certificate(model: Path) -> MergeCertificate:
    """The certificate in a merged model's folder.

    Raises:
        MergeRefused: none, or one that does not parse.
    """
    file = model / CERTIFICATE
    try:
        return MergeCertificate.model_validate(read_json(file))
    except (FileNotFoundError, ValueError):
        raise MergeRefused(
            f"{model}: holds no readable {CERTIFICATE}", "merge the run again"
        ) from None


def _check_inputs(record: RunRecord, run_dir: Path, target: Path) -> None:
    from train.load import load_tokenizer, weights_sha256
    from train.render import template_sha256

    run_id = record.run_id
    if record.state != "succeeded":
        raise MergeRefused(
            f"{run_id}: the run is {record.state}", f"go on with it: --resume {run_id}"
        )
    if target.exists():
        raise MergeRefused(f"{target}: exists", "name another folder, or remove it first")
    for name, digest in record.artefacts.items():
        file = run_dir / name
        if not file.is_file() or sha256_file(file) != digest:
            raise MergeRefused(f"{file}: is not what the run made", "train again")
    for counts in record.plan.splits.values():
        file = run_dir / counts.file
        if not file.is_file() or sha256_file(file) != counts.sha256:
            raise MergeRefused(f"{file}: is not what the run used", "train again")
    base = record.plan.base
    if weights_sha256(base.path) != base.weights:
        raise MergeRefused(
            f"{base.path}: is not the base model that {run_id} was trained on",
            "put its files back, or fetch the revision that run.json names",
        )
    if template_sha256(load_tokenizer(str(base.path))) != record.template_sha256:
        raise MergeRefused(
            f"{base.path}: has another chat template than {run_id} was trained with",
            "put the template back; the one that trained must be the one that serves",
        )


def _write_merged(plan: TrainPlan, run_dir: Path, part: Path) -> None:
    from peft import PeftModel

    from train.load import load_model

    base, trained = plan.base.path, run_dir / delivered_name(plan.method)
    if plan.method == "full":
        # what was trained is the model already
        shutil.copytree(trained, part)
    else:
        # in fp32, whatever it was trained in: rounding belongs at the end, if anywhere
        adapted = PeftModel.from_pretrained(load_model(str(base)), trained)
        adapted.merge_and_unload().save_pretrained(part)
    for pattern in _TOKENIZER_FILES:
        for file in base.glob(pattern):
            shutil.copyfile(file, part / file.name)


def _compared_on(record: RunRecord) -> str:
    return next(name for name in _HELD_OUT if _rows_of(record, name))


def _rows_of(record: RunRecord, split: str) -> int:
    counts = record.plan.splits.get(split)
    return counts.rows if counts else 0


def _compared(plan: TrainPlan, run_dir: Path, merged: Path, rendered: Path) -> Comparison:
    from train.launchers.local import environment

    with tempfile.TemporaryDirectory() as folder:
        answer, asked = Path(folder) / "answer.json", Path(folder) / "request.json"
        request = Request(
            base=plan.base.path,
            adapter=run_dir / delivered_name(plan.method),
            whole=plan.method == "full",
            merged=merged,
            rendered=rendered,
            answer=answer,
        )
        write_json(asked, request.model_dump(mode="json"))
        done = subprocess.run(
            [sys.executable, "-m", "train.certify", str(asked)],
            env=environment(),
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
            raise MergeRefused(
                f"the comparison ended with status {done.returncode}: {last}",
                "if memory ran out, merge on a machine with more of it",
            )
        return Comparison.model_validate(read_json(answer))


def _certificate(
    record: RunRecord, part: Path, comparison: Comparison, split: str
) -> MergeCertificate:
    from train.device import packages

    passed, reason = judge(comparison, whole=record.plan.method == "full")
    generation = read_json(part / "generation_config.json")
    eos = generation.get("eos_token_id")
    return MergeCertificate(
        run_id=record.run_id,
        created_at=datetime.now(UTC),
        verdict="pass" if passed else "fail",
        reason=reason,
        compared_on=split,
        comparison=comparison,
        base=record.plan.base.model,
        base_revision=record.plan.base.revision,
        base_weights=record.plan.base.weights,
        adapter=record.artefacts,
        files={file.name: sha256_file(file) for file in sorted(part.iterdir())},
        dataset_fingerprint=record.dataset_fingerprint,
        template_sha256=record.template_sha256,
        eos_token_ids=eos if isinstance(eos, list) else [eos] if eos is not None else [],
        packages=packages(),
    )


def judge(comparison: Comparison, *, whole: bool = False) -> tuple[bool, str]:
    """Whether a merge may be used, and why.

    The comparison has power only where the adapter does something: against an adapter without
    effect, a merge that lost it would look perfect.

    Args:
        comparison: of the merged model, read from the disk, with what was trained.
        whole: whether all weights were trained: then it is a copy, and the effect the training's.
    """
    what, cause = ("copy", "the training") if whole else ("merge", "the adapter")
    if not comparison.adapter_effect > 0:
        if whole:
            return False, "the training changed nothing: its rate was too low for these weights"
        return False, "the adapter changes nothing: its layers were not found, or it never learned"
    if not comparison.max_abs * _ERROR_TIMES <= comparison.adapter_effect:
        return False, (
            f"the {what} is off by {comparison.max_abs:.3g}, too much beside {cause}'s "
            f"effect of {comparison.adapter_effect:.3g}"
        )
    return True, (
        f"the {what} is off by {comparison.max_abs:.3g}, at most a hundredth of {cause}'s "
        f"effect of {comparison.adapter_effect:.3g}"
    )

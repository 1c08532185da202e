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
from typing import Literal, NamedTuple

from ingest.files import read_json, sha256_file, write_json
from ingest.workspace import Workspace
from train.adapter import delivered_name
from train.certificate import (
    CERTIFICATE,
    Comparison,
    Dtype,
    Judgement,
    MergeCertificate,
    MergeRefused,
    judge,
    judge_cast,
    read_certificate,
)
from train.certify import Request
from train.checkpoints import room_checked
from train.merge_base import Rounding, require_rounding
from train.merge_shards import Shards
from train.merge_weights import cast_weights, merge_weights
from train.plan import TrainPlan
from train.record import RunRecord

__all__ = ["CERTIFICATE", "Comparison", "MergeCertificate", "MergeRefused", "judge", "merge_run",
           "read_certificate"]  # fmt: skip

_HELD_OUT = ("validation", "test", "train")  # in order of preference
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template*", "added_tokens.json",
                    "vocab*", "merges.txt", "generation_config.json")  # fmt: skip

Progress = Callable[[str], None]
Onto = Literal["trained", "original"]
"""The base's weights as the adapter saw them, rounded if they were, or as they were before."""


class _Recipe(NamedTuple):
    """How a run is merged: the rounding of its base, if any, and the type that is stored."""

    rounding: Rounding | None
    dtype: Dtype


def merge_run(
    record: RunRecord,
    workspace: Workspace,
    *,
    out: Path | None = None,
    dtype: Dtype | Literal["base"] = "base",
    onto: Onto = "trained",
    on_progress: Progress | None = None,
) -> MergeCertificate:
    """Merge a run's adapter into its base, or copy its whole model, and prove the result.

    Args:
        record: of a run that succeeded.
        workspace: merged models go to ``models/<run id>`` unless ``out`` is given.
        out: the folder to make; must not exist.
        dtype: of the stored weights, cast once after the merge in fp32; ``base``: as the base's. A
            whole model is copied as it was trained.
        onto: of an adapter trained on quantised weights: onto what these stand for, or onto the
            weights as they were before.
        on_progress: called with the name of each stage.

    Returns:
        The certificate, as it lies in the folder.

    Raises:
        MergeRefused: nothing to merge, other files than were trained, or a failed verdict; then
            the certificate lies in the run's folder and the merged folder is gone.
        ShardError: the base's weight files are damaged.
        DiskError: no room.
    """
    tell = on_progress or (lambda _: None)
    target = (out or workspace.models / record.run_id).absolute()
    run_dir = workspace.runs.absolute() / record.run_id
    _check_inputs(record, run_dir, target)
    recipe = _recipe(record.plan, run_dir, dtype, onto)
    part = target.with_name(f".{target.name}.part")
    exact = part.with_name(f".{target.name}.fp32") if _is_cast(record.plan, recipe) else part
    for folder in (part, exact):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        with room_checked(target.parent):
            tell("merge")
            how = _write_merged(record.plan, run_dir, exact, recipe)
            if exact != part:
                part.mkdir()
                cast_weights(exact, part, recipe.dtype)
                _copy_texts(exact, part)
            tell("compare")
            split = _compared_on(record)
            rendered = run_dir / record.plan.splits[split].file
            # the arithmetic first; what the cast did is judged apart
            folders = [exact] if exact == part else [exact, part]
            found = _compared(record.plan, run_dir, folders, rendered, recipe.rounding)
            certificate = _certificate(record, part, found, split, how, recipe)
            place = part if certificate.verdict == "pass" else run_dir
            write_json(place / CERTIFICATE, certificate.model_dump(mode="json"))
        if certificate.verdict == "fail":
            raise MergeRefused(
                f"{record.run_id}: {certificate.reason}",
                f"nothing was kept but {run_dir / CERTIFICATE}; see its figures",
            )
        part.rename(target)
    finally:
        for folder in (part, exact):
            shutil.rmtree(folder, ignore_errors=True)
    return certificate


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


def _recipe(plan: TrainPlan, run_dir: Path, dtype: Dtype | Literal["base"], onto: Onto) -> _Recipe:
    stored = Shards(run_dir / delivered_name("full") if plan.method == "full" else plan.base.path)
    own = stored.dtype()
    if plan.method == "full" and dtype not in ("base", own):
        raise MergeRefused(
            f"{plan.run_id}: all weights were trained, and in {own}: they are copied as they are",
            "leave --dtype out",
        )
    rounding = None
    if plan.method == "lora" and plan.quantization and onto == "trained":
        rounding = Rounding(quantization=plan.quantization, precision=plan.precision)
        require_rounding(rounding)
    return _Recipe(rounding, own if dtype == "base" else dtype)


def _is_cast(plan: TrainPlan, recipe: _Recipe) -> bool:
    return plan.method == "lora" and recipe.dtype != "fp32"


def _write_merged(plan: TrainPlan, run_dir: Path, part: Path, recipe: _Recipe) -> str:
    base, trained = plan.base.path, run_dir / delivered_name(plan.method)
    if plan.method == "full":
        # what was trained is the model already
        shutil.copytree(trained, part)
        how = "all weights were trained: a copy"
    else:
        part.mkdir(parents=True)
        # in fp32, whatever it was trained in: rounding belongs at the end, if anywhere
        done = merge_weights(base, trained, part, rounding=recipe.rounding)
        how = f"adapter in fp32, {done}, onto {_onto(plan, recipe)}"
    _copy_texts(base, part)
    return how


def _onto(plan: TrainPlan, recipe: _Recipe) -> str:
    if recipe.rounding is not None:
        return f"the {recipe.rounding.quantization} weights it was trained on, dequantised"
    if plan.quantization is not None:
        return f"the original weights, though trained on {plan.quantization}"
    return "the base's weights"


def _copy_texts(source: Path, part: Path) -> None:
    """Put the tokenizer, its template and the generation config beside the weights."""
    from transformers import AutoConfig, GenerationConfig

    for pattern in _TOKENIZER_FILES:
        for file in source.glob(pattern):
            shutil.copyfile(file, part / file.name)
    if not (part / "generation_config.json").is_file():
        # what the tokens that end an answer are is told by config.json alone
        config = AutoConfig.from_pretrained(part, local_files_only=True, trust_remote_code=False)
        GenerationConfig.from_model_config(config).save_pretrained(part)


def _compared_on(record: RunRecord) -> str:
    return next(name for name in _HELD_OUT if _rows_of(record, name))


def _rows_of(record: RunRecord, split: str) -> int:
    counts = record.plan.splits.get(split)
    return counts.rows if counts else 0


def _compared(
    plan: TrainPlan, run_dir: Path, merged: list[Path], rendered: Path, rounding: Rounding | None
) -> list[Comparison]:
    from train.launchers.local import environment

    with tempfile.TemporaryDirectory() as folder:
        answer, asked = Path(folder) / "answer.json", Path(folder) / "request.json"
        request = Request(
            base=plan.base.path,
            adapter=run_dir / delivered_name(plan.method),
            whole=plan.method == "full",
            rounding=rounding,
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
        return [Comparison.model_validate(one) for one in read_json(answer)]


def _judged(comparisons: list[Comparison], recipe: _Recipe, *, whole: bool) -> Judgement:
    exact, *cast = comparisons
    judgement = judge(exact, whole=whole)
    if not judgement.passed or not cast:
        return judgement
    after = judge_cast(cast[0], recipe.dtype)
    return Judgement(
        after.passed, f"{judgement.reason}; {after.reason}" if after.passed else after.reason
    )


def _certificate(
    record: RunRecord,
    part: Path,
    comparisons: list[Comparison],
    split: str,
    how: str,
    recipe: _Recipe,
) -> MergeCertificate:
    from train.device import packages

    judgement = _judged(comparisons, recipe, whole=record.plan.method == "full")
    generation = read_json(part / "generation_config.json")
    eos = generation.get("eos_token_id")
    return MergeCertificate(
        run_id=record.run_id,
        created_at=datetime.now(UTC),
        format=2,
        verdict="pass" if judgement.passed else "fail",
        reason=judgement.reason,
        recipe=how,
        dtype=recipe.dtype,
        compared_on=split,
        comparison=comparisons[0],
        cast=comparisons[1] if len(comparisons) > 1 else None,
        base=record.plan.base.model,
        base_revision=record.plan.base.revision,
        base_weights=record.plan.base.weights,
        adapter=record.artefacts,
        files={file.name: sha256_file(file) for file in sorted(part.iterdir())},
        dataset_fingerprint=record.dataset_fingerprint,
        template_sha256=record.template_sha256,
        eos_token_ids=eos if isinstance(eos, list) else [eos] if eos is not None else [],
        stop_tokens=record.plan.base.stop_tokens,
        generation=generation,
        packages=packages(),
    )

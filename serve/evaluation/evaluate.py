"""Judges a tuned model against its base on conversations that neither was trained on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from dataset.manifest import DatasetVersion
from ingest.workspace import Workspace
from serve.engine.base import Provenance
from serve.engine.embedded import context_length, read_provenance
from serve.evaluation import nll, statistics
from serve.evaluation.judge import Judge, ModelRef, Progress
from serve.evaluation.report import (
    Answer,
    ConversationScore,
    EvalReport,
    EvaluationError,
    Lengths,
    Sample,
    Score,
    sealed,
    write_report,
)
from serve.evaluation.samples import ANSWER_TOKENS, Endpoint, Question, choose
from train.sequences import sequence_lengths

if TYPE_CHECKING:
    from train.plan import TrainPlan

# without a run to say how long its rows were
_MAX_LENGTH = 4096


def evaluate(
    model: Path,
    version: DatasetVersion,
    *,
    workspace: Workspace,
    base: Path | str | None = None,
    split: str | None = None,
    base_url: str | None = None,
    api_key: SecretStr | None = None,
    seed: int = 0,
    answer_tokens: int = ANSWER_TOKENS,
    on_progress: Progress | None = None,
) -> EvalReport:
    """Score both models on a held-out split, ask both some of its questions, write the report.

    Both models are rendered with the tuned model's tokenizer and template, so they are scored on
    the same tokens, those that training counts. One model is in memory at a time.

    Args:
        model: folder of the tuned, merged model.
        version: whose held-out split is used.
        workspace: where runs are looked up and the report is written.
        base: folder or Hub id to compare with; None = the one in the merge certificate.
        split: None = ``test``, or ``validation`` where there is no test split.
        base_url: endpoint that serves the models under their folders' names; None = they are
            served here, on a free loopback port, while they are asked.
        api_key: of that endpoint.
        seed: of the resampling and the choice of questions.
        answer_tokens: length that answers may have.
        on_progress: see :data:`Progress`.

    Returns:
        The report, written to ``evals/<id>/report.json``.

    Raises:
        EvaluationError: no base, nothing to score, or tokenizers that differ.
        UserError: a model or split that cannot be read.
    """
    from train.load import load_tokenizer

    certificate = read_provenance(model)
    plan = _plan(certificate, workspace)
    reference = _base(model, base, certificate, plan)
    held_out = _split(version, split)
    tokenizer = load_tokenizer(str(model))
    base_tokenizer = load_tokenizer(reference.place, reference.revision)
    if base_tokenizer.get_vocab() != tokenizer.get_vocab():
        raise EvaluationError(
            f"{reference.name}: its tokenizer is not the one of {model.name}",
            "nats per token compare only between models with the same tokenizer",
        )
    context = _context(model, tokenizer)
    encoded, skipped = nll.encode(
        version.rows(held_out),
        tokenizer,
        max_length=min(context, plan.max_length if plan else _MAX_LENGTH),
        train_on=plan.train_on if plan else "assistant",
    )
    if not encoded:
        raise EvaluationError(
            f"{version.ref}, split {held_out}: no conversation with an answer to score",
            "build a version with a larger held-out split",
        )
    questions = choose(version.rows(held_out), _fits(tokenizer, context - answer_tokens), seed=seed)
    judge = Judge(tokenizer, encoded, questions, seed, answer_tokens, on_progress)
    judged = {
        role: judge.here(role, ref, ask=base_url is None)
        for role, ref in (("base", reference), ("model", ModelRef(str(model), None, model.name)))
    }
    if base_url is not None:
        names = {"base": [reference.name, Path(reference.name).name], "model": [model.name]}
        with Endpoint(base_url, api_key) as endpoint:
            judged = judge.elsewhere(endpoint, judged, names)
    report = sealed(
        EvalReport(
            eval_id="",
            model=model.name,
            base=reference.name,
            run=certificate.run if certificate else None,
            dataset=version.name,
            dataset_fingerprint=version.fingerprint,
            trained_on=certificate.dataset_fingerprint if certificate else None,
            split=held_out,
            seed=seed,
            scores=_scores(judged["base"].scores, judged["model"].scores, seed),
            conversations=_table(encoded, judged["base"].scores, judged["model"].scores),
            skipped=skipped,
            lengths=_lengths(held_out, encoded, certificate, workspace),
            samples=_samples(questions, judged["base"].answers, judged["model"].answers),
            created_at=datetime.now(UTC),
        )
    )
    write_report(report, workspace)
    return report


def _base(
    model: Path,
    asked: Path | str | None,
    certificate: Provenance | None,
    plan: "TrainPlan | None",
) -> ModelRef:
    if asked is not None:
        return ModelRef(str(asked), None, str(asked))
    if certificate is None:
        raise EvaluationError(
            f"{model}: no merge certificate names its base model",
            "name the model to compare with: --base",
        )
    name = certificate.base_model
    # the folder that was trained from, should the name be relative to another directory
    if plan is not None and plan.base.path.is_dir():
        return ModelRef(str(plan.base.path), None, name)
    return ModelRef(name, certificate.base_revision, name)


def _split(version: DatasetVersion, asked: str | None) -> str:
    if asked is not None:
        return asked
    for split in ("test", "validation"):
        counts = version.splits.get(split)
        if counts is not None and counts.conversations:
            return split
    raise EvaluationError(
        f"{version.ref}: has no held-out conversations",
        "build a version with a test or validation split",
    )


def _plan(certificate: Provenance | None, workspace: Workspace) -> "TrainPlan | None":
    """The plan of the run that made the model, if it is in this workspace."""
    from train.record import RECORD, read_record

    if certificate is None:
        return None
    folder = workspace.runs / certificate.run
    return read_record(folder).plan if (folder / RECORD).is_file() else None


def _context(model: Path, tokenizer: Any) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model, trust_remote_code=False, local_files_only=True)
    return context_length(config, tokenizer)


def _fits(tokenizer: Any, room: int) -> Callable[[Question], bool]:
    from train.render import RenderError, prompt

    def fits(question: Question) -> bool:
        try:
            ids = prompt(question.messages, tokenizer, tools=question.tools)
        except RenderError:
            return False
        return len(ids) <= room

    return fits


def _scores(
    base: Sequence[nll.ConversationNll], tuned: Sequence[nll.ConversationNll], seed: int
) -> dict[str, Score]:
    found = statistics.paired(
        [one.nats for one in base],
        [one.nats for one in tuned],
        [one.tokens for one in tuned],
        seed=seed,
    )
    return {
        "nll": Score.of(found.tuned),
        "nll_base": Score.of(found.base),
        "nll_delta": Score.of(found.delta),
        "perplexity_ratio": Score.of(found.perplexity_ratio),
        "share_improved": Score.of(found.share_improved),
    }


def _table(
    encoded: Sequence[nll.Encoded],
    base: Sequence[nll.ConversationNll],
    tuned: Sequence[nll.ConversationNll],
) -> list[ConversationScore]:
    return [
        ConversationScore(
            id=one.id,
            tokens=len(one.ids),
            scored=one.scored,
            base=before.nats / before.tokens,
            model=after.nats / after.tokens,
        )
        for one, before, after in zip(encoded, base, tuned, strict=True)
    ]


def _lengths(
    split: str,
    encoded: Sequence[nll.Encoded],
    certificate: Provenance | None,
    workspace: Workspace,
) -> dict[str, Lengths]:
    """Of the held-out split, and of the rows trained on where their run is in this workspace."""
    lengths = {split: Lengths.of([len(one.ids) for one in encoded])}
    if certificate is not None:
        file = workspace.runs / certificate.run / "rendered" / "train.parquet"
        if file.is_file():
            lengths = {"train": Lengths.of(sequence_lengths(file))} | lengths
    return lengths


def _samples(
    questions: Sequence[Question], base: Sequence[Answer] | None, tuned: Sequence[Answer] | None
) -> list[Sample]:
    return [
        Sample(
            id=question.id,
            prompt=question.shown,
            reference=question.reference,
            base=base[place] if base else None,
            model=answer,
        )
        for place, (question, answer) in enumerate(zip(questions, tuned or (), strict=True))
    ]

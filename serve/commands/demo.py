"""``turnmill demo``: the whole path on the sample exports, by the code that each command runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.markup import escape

from dataset.manifest import DatasetSpec, DatasetVersion, SplitSpec
from ingest.errors import UserError
from ingest.importers.base import ImportOptions
from ingest.load import ImportReport
from ingest.workspace import Workspace
from serve import terminal
from serve.commands import datasets, evaluations, exports, masks, runs, serving
from serve.commands.evaluations import Evaluation
from serve.commands.run_display import progress

ASSISTANT = "Wendel Mill"
"""The participant of the sample's WhatsApp chat who is the assistant."""
_FILES = {
    "chatgpt/conversations.json": (),
    "whatsapp/WhatsApp Chat with Wendel Mill.txt": (ASSISTANT,),
    "openai/messages.jsonl": (),
}
_SPEC = DatasetSpec(name="demo", split=SplitSpec(validation=0.06, test=0.12))
_PRETRAIN_STEPS = 260
_EPOCHS = 3.0


def samples_folder() -> Path:
    """Where the sample exports lie: beside the packages in a checkout, inside them in a wheel.

    Raises:
        UserError: neither is there.
    """
    import ingest

    package = Path(ingest.__file__).parent
    for folder in (package.parent / "sample_data", package / "_sample_data"):
        if (folder / "chatgpt").is_dir():
            return folder
    raise UserError("the sample exports are not installed", "name them with --samples FOLDER")


def run_demo(
    workspace: Workspace, *, base_model: str | None = None, samples: Path | None = None
) -> dict[str, Any]:
    """Import, build, mask, base, train, merge, serve, evaluate, report.

    Args:
        workspace: where everything is written; an earlier demo there is gone on with.
        base_model: Hub id or folder in place of the embedded base.
        samples: folder with the three sample exports.

    Returns:
        ``{dataset, run, model, eval, report, ...}``.
    """
    started = perf_counter()
    with _step(1, "Import three exports"):
        _import(samples or samples_folder(), workspace)
    with _step(2, "Build a dataset version"):
        version = _build(workspace)
    with _step(3, "Base model"):
        base = base_model or str(_base(version, workspace))
    with _step(4, "The loss mask of one conversation"):
        _mask(version, base, workspace)
    with _step(5, "Train a LoRA adapter"):
        record = _train(version, base, workspace)
    with _step(6, "Merge, reload in a fresh process, compare"):
        merged = runs.merge(record.run_id, workspace, None)
        _tell_merge(merged["certificate"])
    model = Path(merged["model"])
    with contextlib.ExitStack() as server:
        with _step(7, "Serve, and ask through the openai client"):
            served = {model.name: model, **_served_base(base)}
            url = server.enter_context(serving.server_process(served, workspace))
            _ask(url, model.name)
        with _step(8, "Evaluate on held-out conversations"):
            result = evaluations.evaluate(
                model.name, workspace, on=version.ref, base=base, base_url=url
            )
    with _step(9, "Report"):
        _tell_scores(result)
    terminal.note(f"\n[bold]done[/] in {perf_counter() - started:.0f} s")
    return {
        "dataset": version.ref,
        "run": record.run_id,
        "model": str(model),
        "eval": result.report.eval_id,
        "report": str(result.page),
        "certificate": merged["certificate"],
        "scores": {name: score.model_dump() for name, score in result.report.scores.items()},
        "seconds": perf_counter() - started,
    }


@contextlib.contextmanager
def _step(number: int, title: str) -> Iterator[None]:
    terminal.note(f"\n[bold cyan]{number}[/] [bold]{title}[/]")
    started = perf_counter()
    yield
    terminal.note(f"  [dim]{perf_counter() - started:.1f} s[/]")


def _served_base(base: str) -> dict[str, Path]:
    """The base beside the tuned model, where it is a folder; a Hub id is not served."""
    folder = Path(base)
    return {folder.name: folder} if folder.is_dir() else {}


def _say(text: str) -> None:
    terminal.note(f"  {text}")


def _import(samples: Path, workspace: Workspace) -> None:
    total = ImportReport()
    for name, assistants in _FILES.items():
        report = exports.run_import(
            [samples / name], workspace, "auto", ImportOptions(as_assistant=assistants)
        )
        _say(
            f"{report.sources[0].importer:<9} {report.read:>4} read  {report.stored:>4} stored  "
            f"{report.unchanged:>4} unchanged  {report.rejected:>2} rejected"
        )
        total.add(report)
    _say(f"{total.read} conversations, {total.messages} messages, roles intact")


def _build(workspace: Workspace) -> DatasetVersion:
    from dataset.build import build
    from ingest.store import open_store

    with open_store(workspace.store) as store:
        version = build(store, _SPEC, workspace)
    for step in version.steps:
        reasons = ", ".join(f"{n} {reason}" for reason, n in step.dropped.items())
        _say(
            f"{step.name:<14} {step.rows_in} in, {step.kept} kept"
            + (f" ({reasons})" if reasons else "")
        )
    counts = ", ".join(
        f"{each.conversations} {name}" for name, each in datasets.in_order(version).items()
    )
    _say(f"[cyan]{version.name}@{version.fingerprint[:12]}[/] sealed: {counts}")
    return version


def _base(version: DatasetVersion, workspace: Workspace) -> Path:
    """The embedded base: read the training conversations' plain text, never the held-out ones."""
    from train.base_model import make_base_model

    folder = workspace.models / f"demo-base-{version.fingerprint[:8]}"
    if folder.is_dir():
        _say(f"{folder.name} is there already")
        return folder
    texts = [
        "\n".join(message["content"] for message in row["messages"] if message["content"])
        for row in version.rows("train")
    ]
    with terminal.counting("pre-training the embedded base") as count:
        make_base_model(
            texts, folder, steps=_PRETRAIN_STEPS, on_progress=lambda step, _of, _loss: count(step)
        )
    _say(f"{folder.name}: a small Llama, pre-trained {_PRETRAIN_STEPS} steps on plain text")
    return folder


def _mask(version: DatasetVersion, base: str, workspace: Workspace) -> None:
    masks.show(masks.views(version.ref, base, workspace, 1), console=terminal.err)


def _train(version: DatasetVersion, base: str, workspace: Workspace) -> Any:
    from train.record import list_runs
    from train.run import start_run
    from train.spec import TrainSpec

    spec = TrainSpec(
        dataset=version.ref,
        base_model=base,
        learning_rate=2e-3,
        epochs=_EPOCHS,
        micro_batch=4,
        grad_accumulation=1,
        max_length=512,
    )
    stopped = [
        record.run_id
        for record in list_runs(workspace)
        if record.state == "interrupted"
        and record.dataset_fingerprint == version.fingerprint
        and record.plan.base.model == base
    ]
    if stopped:
        _say(f"going on with {stopped[-1]}")
    with progress() as on_event:
        record = start_run(
            spec, workspace, resume=stopped[-1] if stopped else None, on_event=on_event
        )
    runs.finished(record)
    _say(f"run {record.run_id}: {record.plan.steps} steps, "
         f"{record.plan.trained_tokens:,} of {record.plan.tokens:,} tokens trained")  # fmt: skip
    return record


def _tell_merge(proof: dict[str, Any]) -> None:
    _say(f"adapter effect {proof['adapter_effect']:.3g}, merge error {proof['max_abs']:.2g}: "
         f"[green]{proof['verdict']}[/]")  # fmt: skip


def _ask(url: str, model: str) -> None:
    from openai import OpenAI

    question = "Who is Pippa?"
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": question}]
        whole = client.chat.completions.create(
            model=model, messages=messages, max_tokens=64, temperature=0
        )
        stream = client.chat.completions.create(
            model=model, messages=messages, max_tokens=64, temperature=0, stream=True
        )
        streamed = "".join(
            chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices
        )
    answer = whole.choices[0].message.content or ""
    _say(f"[cyan]{question}[/]")
    _say(f"[green]{escape(answer)}[/]")
    _say(f"streamed: {'the same' if streamed == answer else 'DIFFERENT'}")


def _tell_scores(result: Evaluation) -> None:
    scores = result.report.scores
    before, after, delta = scores["nll_base"], scores["nll"], scores["nll_delta"]
    terminal.table(
        "Held-out assistant tokens, nats per token",
        ("", "mean", "95 % interval", "conversations"),
        [
            ("base", f"{before.mean:.3f}", _interval(before), before.n),
            ("tuned", f"{after.mean:.3f}", _interval(after), after.n),
            ("difference", f"{delta.mean:+.3f}", _interval(delta), delta.n),
        ],
        right=(1, 3),
        console=terminal.err,
    )
    _say(f"report  [bold]{result.page}[/]")


def _interval(score: Any) -> str:
    return "" if score.low is None else f"{score.low:+.3f} .. {score.high:+.3f}"

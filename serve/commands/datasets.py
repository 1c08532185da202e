"""What the commands around dataset versions do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from dataset.build import build
from dataset.manifest import (
    SPLITS,
    DatasetVersion,
    SplitCounts,
    SplitReport,
    StepReport,
    list_versions,
    load_spec,
)
from dataset.preview import Change, Preview, preview
from ingest.store import open_store
from ingest.workspace import Workspace
from serve import terminal
from serve.announce import announce
from serve.commands.forgetting import note_rebuilt
from train.hooks.event import sealed


def run_build(spec: Path, workspace: Workspace, workers: int = 1) -> DatasetVersion:
    """Seal the version that a spec file asks for."""
    asked = load_spec(spec)
    with open_store(workspace.create().store) as store, terminal.staged("building") as stage:
        version = build(store, asked, workspace, workers=workers, on_progress=stage)
    note_rebuilt(version, workspace)
    announce(lambda: sealed(version, workspace), workspace)
    return version


def run_preview(spec: Path, workspace: Workspace) -> Preview:
    """What a build of a spec file would do."""
    asked = load_spec(spec)
    with open_store(workspace.create().store) as store, terminal.staged("trying") as stage:
        return preview(store, asked, workspace, on_progress=stage)


def preview_as_json(found: Preview) -> dict[str, Any]:
    """A preview in the shape of ``turnmill build --dry-run --json``: ids, but no text."""
    return {
        "name": found.spec.name,
        "by_hand": found.by_hand.model_dump(by_alias=True) if found.by_hand is not None else None,
        "splits": found.splits,
        "split_report": found.split_report.model_dump(by_alias=True),
        "steps": [
            {
                **step.report.model_dump(by_alias=True),
                "examples": {
                    "dropped": [{"id": each.id, "reason": each.reason} for each in step.drops],
                    "changed": [
                        {"id": each.id, "message": each.message, "field": each.field}
                        for each in step.changes
                    ],
                },
            }
            for step in found.steps
        ],
    }


def show_preview(found: Preview) -> None:
    """Print what a build would do, with the text of some examples."""
    by_hand = [found.by_hand] if found.by_hand is not None else []
    _show_steps([*by_hand, *(step.report for step in found.steps)])
    for step in found.steps:
        if step.drops:
            rows = [(each.id, each.reason, each.text) for each in step.drops]
            terminal.table(f"{step.report.name} would drop", ("id", "reason", "begins"), rows)
        if step.changes:
            changes = [(each.id, _where(each), each.before, each.after) for each in step.changes]
            headings = ("id", "message", "before", "after")
            terminal.table(f"{step.report.name} would change", headings, changes)
    splits = [(name, found.splits[name]) for name in SPLITS if name in found.splits]
    terminal.table("Splits", ("split", "conversations"), splits, right=(1,))
    _show_split_report(found.split_report)
    terminal.note("nothing was sealed; run it again without --dry-run")


def _where(change: Change) -> str:
    return change.field if change.message is None else f"{change.message} {change.field}"


def _show_steps(reports: Sequence[StepReport]) -> None:
    rows = [
        (step.name, step.rows_in, step.kept, _reasons(step.dropped), step.changed or "",
         _reasons(step.changes))
        for step in reports
    ]  # fmt: skip
    headings = ("step", "in", "kept", "dropped", "changed", "what")
    terminal.table("Steps", headings, rows, right=(1, 2, 4))


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())


def _show_split_report(report: SplitReport) -> None:
    """Say what splitting left out, and which groups lie in two splits."""
    if report.dropped:
        terminal.note(f"left out by the split: {_reasons(report.dropped)}")
    for kind, count in report.groups.items():
        if count.asked:
            terminal.note(f"{kind}: {count.groups:,} groups, none of them in two splits")
        elif count.in_two_splits:
            terminal.note(
                f"{kind}: {count.in_two_splits:,} of {count.groups:,} groups are in two splits; "
                f'\\[split] group_by = \\["{kind}"] keeps them together'
            )


def as_json(version: DatasetVersion) -> dict[str, Any]:
    """A version in the shape of ``turnmill build --json``."""
    return {
        "name": version.name,
        "fingerprint": version.fingerprint,
        "path": str(version.path),
        "created_at": version.created_at.isoformat(),
        "parent": version.parent,
        "splits": {name: counts.model_dump() for name, counts in in_order(version).items()},
        "split_report": (
            version.split_report.model_dump(by_alias=True) if version.split_report else None
        ),
        "steps": [step.model_dump(by_alias=True) for step in version.steps],
        "seconds": version.seconds,
    }


def in_order(version: DatasetVersion) -> dict[str, SplitCounts]:
    """The version's splits, training first."""
    return {name: version.splits[name] for name in SPLITS if name in version.splits}


def show_version(version: DatasetVersion) -> None:
    """Print what a build sealed."""
    terminal.out.print(
        f"[bold]{version.name}[/]@[cyan]{version.fingerprint[:12]}[/] [dim]{version.path}[/]",
        soft_wrap=True,
    )
    _show_steps(version.steps)
    splits = [
        (name, counts.conversations, counts.messages, counts.assistant_messages)
        for name, counts in in_order(version).items()
    ]
    headings = ("split", "conversations", "messages", "of the assistant")
    terminal.table("Splits", headings, splits, right=(1, 2, 3))
    left = [
        f"{count:,} {name.removeprefix('left: ')}"
        for step in version.steps
        if step.name == "redact"
        for name, count in step.facts.items()
    ]
    if left:
        terminal.note(f"redaction left {', '.join(left)}; see where with 'turnmill redact-check'")
    if version.split_report is not None:
        _show_split_report(version.split_report)


def versions(workspace: Workspace) -> list[DatasetVersion]:
    """Every sealed version, oldest first."""
    return list_versions(workspace)


def show_versions(found: list[DatasetVersion]) -> None:
    """Print the versions."""
    rows = [
        (version.name, version.fingerprint[:12], version.created_at.strftime("%Y-%m-%d %H:%M"),
         sum(counts.conversations for counts in version.splits.values()),
         (version.parent or "")[:12])
        for version in found
    ]  # fmt: skip
    headings = ("name", "fingerprint", "sealed (UTC)", "conversations", "parent")
    terminal.table("Versions", headings, rows, right=(3,))


def show_lineage(chain: list[dict[str, Any]]) -> None:
    """Print a chain of hashes, one link a line."""
    for link in chain:
        rest = {key: value for key, value in link.items() if key not in ("kind", "id")}
        detail = ", ".join(f"{key} {value}" for key, value in rest.items() if value)
        terminal.out.print(
            f"[bold]{link['kind']:<12}[/] [cyan]{escape(str(link['id']))}[/] "
            f"[dim]{escape(detail)}[/]",
            soft_wrap=True,
        )

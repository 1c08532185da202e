"""What ``turnmill forget`` and ``turnmill versions --tainted`` do."""

import sys
from datetime import UTC, datetime
from typing import Any

from dataset.forget import Ask, ForgetReport, forget
from dataset.manifest import DatasetVersion
from dataset.taint import Standing, taint_of, tainted_versions
from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from serve.lineage import made_of
from serve.terminal import safe


def run(ask: Ask, workspace: Workspace, *, dry_run: bool, yes: bool) -> ForgetReport:
    """Erase; a person at a terminal is asked first."""

    def erase(*, dry: bool) -> ForgetReport:
        return forget(
            ask,
            workspace,
            made_of=lambda versions: made_of(versions, workspace),
            now=datetime.now(UTC),
            dry_run=dry,
        )

    if dry_run or yes or not (sys.stdin.isatty() and terminal.err.is_terminal):
        return erase(dry=dry_run)
    show(foreseen := erase(dry=True), workspace)
    question = f"Erase {len(foreseen.ids):,} conversations for good? \\[y/N] "
    if terminal.err.input(question).strip().casefold() not in ("y", "yes"):
        raise UserError("nothing was erased", "answer y, or pass --yes")
    return erase(dry=False)


def as_json(report: ForgetReport) -> dict[str, Any]:
    """An erasure in the shape of ``turnmill forget --json``."""
    return {
        "conversations": len(report.ids),
        "messages": report.messages,
        "ids": report.ids,
        "copies": [
            {"sha256": each.sha256, "outcome": each.outcome, "reason": each.reason}
            for each in report.copies
        ],
        "people": report.people,
        "decisions": report.decisions,
        "ledger_rows": report.ledger_rows,
        "versions": [version.model_dump() for version in report.versions],
        "repositories": report.repositories,
        "runs": report.runs,
        "models": report.models,
        "evaluations": report.evaluations,
        "dry_run": report.dry_run,
    }


def show(report: ForgetReport, workspace: Workspace) -> None:
    """Print what was erased, and what still holds it."""
    rewritten = [each for each in report.copies if each.outcome == "rewritten"]
    deleted = [each for each in report.copies if each.outcome == "deleted"]
    facts = {
        "conversations": f"{len(report.ids):,}",
        "messages": f"{report.messages:,}",
        "kept copies": f"{len(rewritten):,} rewritten, {len(deleted):,} deleted",
    }
    if not report.dry_run:
        facts |= {
            "people": f"{report.people:,} entries",
            "decisions": f"{report.decisions:,} entries",
            "ledgers": f"{report.ledger_rows:,} rows",
        }
    terminal.facts("Would be erased" if report.dry_run else "Erased", facts)
    for each in deleted:
        terminal.note(f"[dim]copy {each.sha256[:12]}: deleted, {safe(each.reason)}[/]")
    if not report.versions:
        return
    terminal.out.print("[bold yellow]Still held[/] by what is not touched here:")
    for version in report.versions:
        folder = workspace.datasets / version.name / version.fingerprint
        terminal.out.print(
            f"  version [cyan]{safe(version.name)}@{version.fingerprint[:12]}[/]: "
            f"{version.conversations:,} conversations [dim]{safe(folder)}[/]",
            soft_wrap=True,
        )
    for kind, names in (
        ("repository", report.repositories),
        ("run", report.runs),
        ("model", report.models),
        ("evaluation", report.evaluations),
    ):
        for name in names:
            terminal.out.print(f"  {kind} [cyan]{safe(name)}[/]", soft_wrap=True)
    terminal.note("build those versions again, then delete them and what was made of them")


def tainted(workspace: Workspace) -> list[Standing]:
    """The tainted versions on disk of which no later one was built."""
    return [each for each in tainted_versions(workspace) if each.rebuilt is None]


def tainted_json(found: list[Standing]) -> list[dict[str, Any]]:
    """Tainted versions in the shape of ``turnmill versions --tainted --json``."""
    return [
        {
            **each.taint.model_dump(),
            "path": str(each.version.path),
            "since": each.since.isoformat(),
        }
        for each in found
    ]


def show_tainted(found: list[Standing]) -> None:
    """Print the tainted versions."""
    rows = [
        (
            f"{each.version.name}@{each.version.fingerprint[:12]}",
            each.taint.conversations,
            each.since.strftime("%Y-%m-%d"),
            ", ".join((*each.taint.repositories, *each.taint.runs, *each.taint.models)),
        )
        for each in found
    ]
    headings = ("version", "erased conversations", "since", "and what came of it")
    terminal.table(f"Tainted versions ({len(rows)})", headings, rows, right=(1,))


def warn_if_tainted(version: DatasetVersion, workspace: Workspace) -> None:
    """Say on stderr that a version holds erased conversations, if it does."""
    if (taint := taint_of(version, workspace)) is not None:
        terminal.note(f"[yellow]note:[/] {safe(taint)}; build it again and use the new version")


def note_rebuilt(version: DatasetVersion, workspace: Workspace) -> None:
    """Say on stderr which tainted versions a new one replaces: they still lie there."""
    for each in tainted_versions(workspace):
        if each.rebuilt is not None and each.rebuilt.fingerprint == version.fingerprint:
            terminal.note(
                f"[yellow]note:[/] {each.taint.conversations:,} erased conversations are still in "
                f"the version that this one replaces; delete {safe(each.version.path)}"
            )

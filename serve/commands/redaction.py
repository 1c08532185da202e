"""What ``turnmill redact-check`` does."""

from typing import Any

from dataset.manifest import DatasetVersion, load_version
from dataset.redact.check import CheckReport, check_version, told
from ingest.workspace import Workspace
from serve import terminal

_SHOWN = 50


def check(ref: str, workspace: Workspace) -> tuple[DatasetVersion, CheckReport]:
    """Look through a sealed version, whose files are verified first."""
    version = load_version(ref, workspace)
    version.verify()
    return version, check_version(version, workspace)


def as_json(version: DatasetVersion, report: CheckReport) -> dict[str, Any]:
    """A report in the shape of ``turnmill redact-check --json``: places, no values."""
    return {
        "version": version.ref,
        "clean": report.clean,
        "conversations": report.conversations,
        "unknown": report.unknown,
        "by_kind": report.by_kind,
        "left": [each._asdict() for each in report.left],
    }


def show(version: DatasetVersion, report: CheckReport) -> None:
    """Print where something is left."""
    rows = [
        (each.kind, each.conversation, "" if each.position is None else each.position, each.field)
        for each in report.left[:_SHOWN]
    ]
    if rows:
        headings = ("kind", "conversation", "message", "field")
        terminal.table("Left", headings, rows, right=(2,))
    if len(report.left) > len(rows):
        terminal.note(f"and {len(report.left) - len(rows):,} more; see all with --json")
    if report.unknown:
        terminal.note(
            f"{report.unknown:,} conversations are not in the store: their people's names are not "
            "known and were not looked for"
        )
    found = f"left: {told(report.by_kind)}" if report.left else "nothing is left"
    terminal.note(f"{version.name}@{version.fingerprint[:12]}, {report.conversations:,} "
                  f"conversations: {found}")  # fmt: skip

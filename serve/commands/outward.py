"""What ``turnmill export`` does: a version in the shape that another tool reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset.export.losses import LOSSES
from dataset.export.write import DatasetExport, export_version
from dataset.manifest import load_version
from ingest.workspace import Workspace
from serve import terminal
from serve.commands.forgetting import warn_if_tainted
from serve.terminal import safe


def run_export(
    ref: str,
    workspace: Workspace,
    format_name: str,
    out: Path,
    *,
    lossy: Sequence[str] = (),
    base_model: str | None = None,
) -> DatasetExport:
    """Write a version in an outward format."""
    version = load_version(ref, workspace)
    warn_if_tainted(version, workspace)
    return export_version(version, format_name, out, lossy=lossy, base_model=base_model)


def as_json(done: DatasetExport) -> dict[str, Any]:
    """An export in the shape of ``turnmill export --json``."""
    return done.model_dump()


def show(done: DatasetExport, out: Path) -> None:
    """Print what was written and what was not."""
    terminal.out.print(f"[bold]{safe(done.version)}[/] [dim]{safe(out)}[/]", soft_wrap=True)
    rows = [
        (name, split.rows, split.exported, sum(split.refused.values()))
        for name, split in done.splits.items()
    ]
    terminal.table("Splits", ("split", "rows", "exported", "refused"), rows, right=(1, 2, 3))
    files = [(file.path, f"{file.bytes:,}", file.sha256[:12]) for file in done.files]
    terminal.table("Files", ("file", "bytes", "sha256"), files, right=(1,))
    by_name = {loss.name: loss for loss in LOSSES}
    by_reason = {loss.reason: loss for loss in LOSSES}
    for reason, count in done.refused.items():
        loss = by_reason.get(reason)
        mend = f" (--lossy {loss.name}: {loss.effect})" if loss else ""
        terminal.note(f"[yellow]refused:[/] {count:,} {safe(reason + mend)}")
    for name, count in done.lost.items():
        terminal.note(f"[yellow]lost:[/] {safe(by_name[name].effect)}, in {count:,} conversations")
    for label, count in done.left_out.items():
        terminal.note(f"[dim]left out:[/] {safe(label)}, in {count:,} conversations")
    for place in done.to_set:
        terminal.note(f"[yellow]to set:[/] {safe(place)}")

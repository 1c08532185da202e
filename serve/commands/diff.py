"""What ``turnmill diff`` does: two versions side by side, on the terminal, as JSON or as a page."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from dataset.diff import VersionDiff, diff_versions
from dataset.diff_rows import HASH, MessageChange, RowChange
from dataset.diff_words import diff_words
from dataset.manifest import StepReport, load_version
from ingest.workspace import Workspace
from serve import terminal
from serve.terminal import safe

SHOWN = 20
"""Changed conversations that the terminal shows unless told otherwise."""

_IDS_SHOWN = 20
_LONGEST = 600
"""Characters of an unchanged piece, or of a whole message, that the terminal shows."""

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def run(before: str, after: str, workspace: Workspace) -> VersionDiff:
    """Compare two versions."""
    return diff_versions(load_version(before, workspace), load_version(after, workspace))


def head_json(diff: VersionDiff) -> dict[str, Any]:
    """All but the changed conversations, in the shape of ``turnmill diff --json``."""
    return {
        "before": diff.before.ref,
        "after": diff.after.ref,
        "unchanged": diff.unchanged,
        "added": [held._asdict() for held in diff.added],
        "removed": [held._asdict() for held in diff.removed],
        "moved": [moved._asdict() for moved in diff.moved],
        "rules": [rule._asdict() for rule in diff.rules],
        "steps": [
            {"name": step.name, "before": _step(step.before), "after": _step(step.after)}
            for step in diff.steps
        ],
    }


def _step(report: StepReport | None) -> dict[str, Any] | None:
    return None if report is None else report.model_dump(by_alias=True)


def row_json(change: RowChange) -> dict[str, Any]:
    """One changed conversation, in the shape of ``turnmill diff --json``."""
    return {
        "id": change.id,
        "split": dict(zip(("before", "after"), change.split, strict=True)),
        "fields": {
            name: {"before": before, "after": after}
            for name, (before, after) in change.fields.items()
        },
        "messages": [
            {**each._asdict(), "role": _role(each), "fields": list(each.fields)}
            for each in change.messages
        ],
        "redaction": change.redaction,
    }


def print_as_json(diff: VersionDiff, limit: int | None) -> None:
    """Print the one JSON document; changed conversations are written as they are read."""
    head = msgspec.json.format(msgspec.json.encode(head_json(diff)), indent=2).decode()
    write = sys.stdout.write
    write(head.removesuffix("\n}") + ',\n  "changed": [')
    for number, change in enumerate(islice(diff.changed(), limit)):
        write((",\n    " if number else "\n    ") + msgspec.json.encode(row_json(change)).decode())
    write("\n  ]\n}\n")
    sys.stdout.flush()


def write_page(diff: VersionDiff, file: Path, limit: int | None) -> None:
    """Write the comparison as one page that needs nothing else."""
    from ingest.files import write_whole
    from serve.web import diff_page

    shown = diff_page.SHOWN if limit is None else limit
    with write_whole(file) as out:
        for piece in diff_page.pieces(diff, shown):
            out.write(piece.encode("utf-8", "replace"))


def show(diff: VersionDiff, limit: int | None) -> None:
    """Print the comparison."""
    terminal.facts(
        f"{diff.before.ref[:30]} -> {diff.after.ref[:30]}",
        {
            "added": f"{len(diff.added):,}",
            "removed": f"{len(diff.removed):,}",
            "changed": f"{diff.changed_count:,}",
            "moved": f"{len(diff.moved):,} to another split",
            "unchanged": f"{diff.unchanged:,}",
        },
    )
    if diff.rules:
        rows = [(rule.rule, _said(rule.before), _said(rule.after)) for rule in diff.rules]
        terminal.table("Rules", ("rule", "before", "now"), rows)
    if diff.steps:
        rows = [(step.name, _did(step.before), _did(step.after)) for step in diff.steps]
        terminal.table("Steps", ("step", "before", "now"), rows)
    for sign, colour, ids in (
        ("+", "green", [f"{held.id} ({held.split})" for held in diff.added]),
        ("-", "red", [f"{held.id} ({held.split})" for held in diff.removed]),
        (">", "cyan", [f"{move.id} ({move.before} -> {move.after})" for move in diff.moved]),
    ):
        for line in ids[:_IDS_SHOWN]:
            terminal.out.print(f"[{colour}]{sign}[/] {safe(line)}", soft_wrap=True)
        if len(ids) > _IDS_SHOWN:
            terminal.out.print(f"  [dim]and {len(ids) - _IDS_SHOWN:,} more[/]")
    shown = SHOWN if limit is None else limit
    for change in islice(diff.changed(), shown):
        _show_row(change)
    if diff.changed_count > shown:
        more = diff.changed_count - shown
        terminal.note(f"{more:,} more conversations changed: raise --limit, or use --html FILE")


def _show_row(change: RowChange) -> None:
    redaction = ", ".join(f"{kind} {count:+}" for kind, count in change.redaction.items())
    terminal.out.print(
        f"[yellow]~[/] [bold]{safe(change.id)}[/] [dim]{change.split[1]}"
        + (f"; placeholders: {safe(redaction)}" if redaction else "")
        + "[/]",
        soft_wrap=True,
    )
    for name, (before, after) in change.fields.items():
        if name == HASH:  # follows from the messages
            continue
        terminal.out.print(
            f"    [dim]{safe(name)}:[/] {safe(_said(before))} -> {safe(_said(after))}",
            soft_wrap=True,
        )
    for message in change.messages:
        _show_message(message)


def _show_message(change: MessageChange) -> None:
    sign, colour = _SIGNS[change.op]
    at = change.after_at if change.after_at is not None else change.before_at
    column = "" if change.column == "messages" else f"{change.column} "
    about = " (redaction)" if change.redaction_only else ""
    terminal.out.print(f"    [{colour}]{sign} {column}{at} {safe(_role(change))}[/][dim]{about}[/]")
    if change.before is None or change.after is None:
        message = change.before or change.after or {}
        terminal.out.print(f"      [{colour}]{safe(_short(message['content']))}[/]", soft_wrap=True)
        return
    for name in change.fields:
        before, after = change.before.get(name), change.after.get(name)
        if isinstance(before, str) and isinstance(after, str):
            label = "" if name == "content" else f"[dim]{safe(name)}:[/] "
            terminal.out.print(f"      {label}{''.join(_marked(before, after))}", soft_wrap=True)
        else:
            terminal.out.print(
                f"      [dim]{safe(name)}:[/] {safe(_said(before))} -> {safe(_said(after))}",
                soft_wrap=True,
            )


def _marked(before: str, after: str) -> Iterator[str]:
    # without colours, in a file or a pipe, the signs that GNU wdiff puts
    signs = ("", "", "", "") if terminal.out.is_terminal else ("\\[-", "-]", "{+", "+}")
    for part in diff_words(before, after):
        if part.kind == "removed":
            yield f"[red strike]{signs[0]}{safe(part.text)}{signs[1]}[/]"
        elif part.kind == "added":
            yield f"[green bold]{signs[2]}{safe(part.text)}{signs[3]}[/]"
        elif len(part.text) > _LONGEST:
            half = _LONGEST // 2
            yield f"{safe(part.text[:half])}[dim] ... [/]{safe(part.text[-half:])}"
        else:
            yield safe(part.text)


def _role(change: MessageChange) -> str:
    message = change.after or change.before or {}
    return str(message["role"])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _said(value: Any) -> str:
    if value is None:
        return "-"
    return _short(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _did(report: StepReport | None) -> str:
    if report is None:
        return "-"
    reasons = "".join(f", {count:,} {reason}" for reason, count in report.dropped.items())
    changed = f", {report.changed:,} changed" if report.changed else ""
    return f"{report.rows_in:,} in, {report.kept:,} kept{changed}{reasons}"

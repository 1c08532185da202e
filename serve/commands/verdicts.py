"""What ``turnmill check-template`` does: is a chat template trainable, and why not."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.errors import UserError
from serve import terminal
from train.load import load_tokenizer
from train.verdict import Verdict, check_template


def check(tokenizer_ref: str, template: Path | None) -> Verdict:
    """Try a tokenizer's template, or another one with its tokens.

    Args:
        tokenizer_ref: a folder or Hub id.
        template: a file with Jinja in the place of the tokenizer's own template.

    Raises:
        UserError: the tokenizer or the file cannot be read.
    """
    if template is None:
        return check_template(load_tokenizer(tokenizer_ref))
    try:
        source = template.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{template}: cannot be read", "name a file with a Jinja template"
        ) from error
    tokenizer = load_tokenizer(tokenizer_ref, with_template=False)
    tokenizer.chat_template = source
    return check_template(tokenizer)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict in the shape of ``turnmill check-template --json``."""
    return asdict(verdict)


def show(verdict: Verdict) -> None:
    """Print the verdict, why, and what became of each probe."""
    style = "bold green" if verdict.verdict == "exact" else "bold red"
    terminal.out.print(f"[{style}]{verdict.verdict}[/]")
    for reason in verdict.reasons:
        terminal.out.print(f"  {terminal.safe(reason)}", soft_wrap=True)
    counts = Counter(probe.verdict for probe in verdict.probes)
    terminal.facts(
        "",
        {
            "method": verdict.method,
            "stop tokens": " ".join(verdict.stop_tokens) or "none",
            "template": verdict.template_sha256,
            "probes": ", ".join(f"{count} {name}" for name, count in counts.items()),
        },
    )
    for warning in verdict.warnings:
        terminal.out.print(f"[yellow]note:[/] {terminal.safe(warning)}", soft_wrap=True)
    terminal.table(
        "",
        ["probe", "verdict", "why"],
        [[probe.name, probe.verdict, probe.reason] for probe in verdict.probes],
    )

"""What ``turnmill steps`` does: which steps a spec may name, and their options."""

from typing import Any

from rich.markup import escape

from dataset.steps.base import options_of
from dataset.steps.registry import steps
from serve import terminal


def listed() -> list[dict[str, Any]]:
    """Every step in the shape of ``turnmill steps --json``."""
    return [
        {
            "name": name,
            "title": kind.title,
            "parallel": kind.parallel,
            "options": [
                {
                    "name": option,
                    "required": field.is_required(),
                    "default": None if field.is_required() else _plain(field.default),
                    "description": field.description,
                }
                for option, field in options_of(kind).model_fields.items()
            ],
        }
        for name, kind in steps().items()
    ]


def show(found: list[dict[str, Any]]) -> None:
    """Print the steps and their options."""
    for step in found:
        terminal.out.print(f"[bold]{step['name']}[/]  {terminal.safe(step['title'])}")
        for option in step["options"]:
            default = "required" if option["required"] else f"default {option['default']!r}"
            terminal.out.print(
                f"    [cyan]{option['name']}[/]  {terminal.safe(option['description'])} "
                f"[dim]({escape(default)})[/]"
            )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)

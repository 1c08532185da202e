"""YAML and TOML of plain values, so that no library is needed to write either."""

from collections.abc import Mapping
from typing import Any

from dataset.export.config_text import number, quoted


def yaml_text(values: Mapping[str, Any], *, head: str = "") -> str:
    """A YAML document.

    Args:
        values: scalars, lists and mappings; text of several lines becomes a block.
        head: comment above it, without the marks.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return comment + "".join(f"{line}\n" for line in _mapping(values, ""))


def _mapping(values: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, str) and "\n" in value:
            lines.append(f"{indent}{key}: |")
            lines += [f"{indent}  {line}" if line else "" for line in value.splitlines()]
        elif isinstance(value, Mapping) and value:
            lines.append(f"{indent}{key}:")
            lines += _mapping(value, indent + "  ")
        elif isinstance(value, list) and value:
            lines.append(f"{indent}{key}:")
            lines += [f"{indent}  - {scalar(one)}" for one in value]
        else:
            lines.append(f"{indent}{key}: {scalar(value)}")
    return lines


def scalar(value: Any) -> str:
    """A value on one line, as both YAML and TOML read it (None: YAML only)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{quoted(key)}: {scalar(one)}" for key, one in value.items())
        return f"{{{inside}}}"
    return quoted(str(value))


def toml_text(values: Mapping[str, Any], *, head: str = "") -> str:
    """A TOML document of one level of tables; what is None is left out."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    parts = [comment + _pairs(plain)]
    for key, value in values.items():
        if isinstance(value, Mapping):
            parts.append(f"[{key}]\n{_pairs(value)}")
    return "\n".join(parts)


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(
        f"{key} = {scalar(value)}\n" for key, value in values.items() if value is not None
    )

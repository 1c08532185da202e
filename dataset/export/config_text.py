"""Pieces of the trainers' YAML files."""

import orjson

UNSET = "SET-ME"
"""What a config says where only the user can know: no model and no template is called so."""


def quoted(text: str) -> str:
    """Text as a YAML scalar: JSON's form of it, which YAML reads."""
    return orjson.dumps(text).decode()


def number(value: float) -> str:
    """A number as YAML 1.1 reads it: an exponent needs a dot before it and a sign."""
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else text


def flag(value: bool) -> str:
    """True or false."""
    return "true" if value else "false"


def listed(values: tuple[str, ...]) -> str:
    """A list on one line."""
    return f"[{', '.join(map(quoted, values))}]"


def model_line(key: str, base_model: str | None) -> str:
    """The line that names the base model; one that says so where it is not set."""
    comment = "" if base_model else "  # MUST BE SET: a Hub id or a folder"
    return f"{key}: {quoted(base_model or UNSET)}{comment}"

"""Pieces of the trainers' YAML files."""

import orjson

UNSET = "SET-ME"
"""What a config says where only the user can know: no model and no template is called so."""


def quoted(text: str) -> str:
    """Text as a YAML scalar: JSON's form of it, which YAML reads."""
    return orjson.dumps(text).decode()


def model_line(key: str, base_model: str | None) -> str:
    """The line that names the base model; one that says so where it is not set."""
    comment = "" if base_model else "  # MUST BE SET: a Hub id or a folder"
    return f"{key}: {quoted(base_model or UNSET)}{comment}"

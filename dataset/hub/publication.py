"""What of a version is published: its data, a manifest without names, a card, Croissant metadata.

Never published: paths of this machine, names of source files or of people that the spec selects
by, patterns, a redaction ledger. A field of the manifest is published only if it is named here, a
text of the spec only if it can say nothing about people or messages.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dataset.card import render_card
from dataset.croissant import croissant
from dataset.manifest import MANIFEST, DatasetVersion

WITHHELD = "withheld"
"""Stands in a published manifest where the local one has a name or a text."""

_FIELDS = frozenset(
    {"format", "kind", "name", "fingerprint", "created_at", "seconds", "spec", "splits",
     "split_report", "steps", "sources", "files", "parent", "curation", "code_version"}
)  # fmt: skip
# of a spec's where and of steps' options: texts that say nothing about people or messages
_PLAIN = frozenset({"importers", "since", "until", "locales", "languages", "kinds"})
_WORDS = frozenset({"longest", "newest", "oldest", "first", "last"})


@dataclass(frozen=True)
class Item:
    """One file of a publication.

    Attributes:
        path: in the repository.
        source: the file, or its content.
        size: bytes.
        sha256: hex, of the bytes.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str

    def git_oid(self) -> str:
        """What git calls these bytes as a plain file: sha1 of ``blob <size>`` and the content."""
        data = self.source if isinstance(self.source, bytes) else self.source.read_bytes()
        # git's own name for the content, nothing is secured by it
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def publication(version: DatasetVersion, *, repo: str, samples: int = 0) -> list[Item]:
    """Every file that a repository holds of a version, the data first.

    Args:
        version: sealed and verified.
        repo: where it goes, ORG/NAME.
        samples: conversations that the card shows.
    """
    items = [
        Item(path, version.path / path, info.bytes, info.sha256)
        for path, info in sorted(version.files.items())
    ]
    texts = {
        MANIFEST: manifest_bytes(version),
        "croissant.json": _json(croissant(version, repo)),
        "README.md": render_card(version, repo, samples=samples).encode(),
    }
    return items + [
        Item(path, data, len(data), hashlib.sha256(data).hexdigest())
        for path, data in texts.items()
    ]


def manifest_bytes(version: DatasetVersion) -> bytes:
    """The manifest as it is published."""
    manifest = version.model_dump(mode="json", by_alias=True, include=set(_FIELDS))
    manifest["spec"] = _spec(manifest["spec"])
    return _json(manifest)


def _spec(spec: dict[str, Any]) -> dict[str, Any]:
    plain = ["name", "kind", "split", "seed"]
    open_ = {key: spec[key] for key in plain if key in spec}
    steps = [step if isinstance(step, str) else _step(**step) for step in spec["steps"]]
    where = {key: _open(key, value) for key, value in spec["where"].items()}
    rest = {key: _open(key, value) for key, value in spec.items() if key not in open_}
    return {**rest, **open_, "where": where, "steps": steps}


def _step(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, **{key: _open(key, value) for key, value in options.items()}}


def _open(key: str, value: Any) -> Any:
    """The value if it says nothing about people or messages; else as many words that say so."""
    if value is None or isinstance(value, bool | int | float) or key in _PLAIN:
        return value
    if isinstance(value, list):
        return [_open(key, each) for each in value]
    # of a table the keys may be names too
    return value if isinstance(value, str) and value in _WORDS else WITHHELD


def _json(value: Any) -> bytes:
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, option=options)


def stale(earlier: dict[str, Any], items: list[Item]) -> list[str]:
    """Files that an earlier version's manifest names and this version does not have."""
    ours = {item.path for item in items}
    return sorted(path for path in earlier.get("files", {}) if path not in ours)

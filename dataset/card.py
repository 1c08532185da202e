"""The dataset card: README.md of a published version, made from its manifest alone.

It holds counts, steps and hashes; no names and no text of a conversation, unless samples are asked
for. The front matter's ``configs`` is what ``datasets.load_dataset`` finds the splits by.
"""

import json
import re
from typing import Any

from dataset.manifest import SPLITS, DatasetVersion
from dataset.preference import PAIRING, SIDES

_SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6),
          ("1M<n<10M", 10**7), ("10M<n<100M", 10**8))  # fmt: skip


def render_card(version: DatasetVersion, repo: str, *, samples: int = 0) -> str:
    """The card.

    Args:
        version: sealed.
        repo: where it is published, ORG/NAME.
        samples: conversations of the first split to show; 0 shows none.

    Returns:
        Markdown with YAML front matter.
    """
    parts = [_front_matter(version), _head(version, repo), _splits(version), _steps(version),
             _lineage(version)]  # fmt: skip
    if samples:
        parts.append(_samples(version, samples))
    return "\n".join(parts)


def split_files(version: DatasetVersion) -> dict[str, list[str]]:
    """The data files of each split, splits and files in order."""
    found: dict[str, list[str]] = {}
    for name in SPLITS:
        pattern = re.compile(rf"data/{name}-\d+(-of-\d+)?\.parquet")
        if files := sorted(path for path in version.files if pattern.fullmatch(path)):
            found[name] = files
    return found


def _is_pairs(version: DatasetVersion) -> bool:
    return version.spec.kind == "preference"


def _front_matter(version: DatasetVersion) -> str:
    rows = sum(counts.conversations for counts in version.splits.values())
    size = next((name for name, limit in _SIZES if rows < limit), "n>100M")
    lines = [
        "license: unknown",
        f"pretty_name: {json.dumps(version.name)}",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- conversational",
        "- turnmill",
        *(["- preference"] if _is_pairs(version) else []),
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    for split, files in split_files(version).items():
        lines += [f"  - split: {split}", "    path:"]
        # files by name, not by pattern: one that an accident left behind is never read
        lines += [f"    - {file}" for file in files]
    return "\n".join(["---", *lines, "---", ""])


def _head(version: DatasetVersion, repo: str) -> str:
    call = f'load_dataset("{repo}", revision="{version.fingerprint}")'
    rows = "Conversations, one a row"
    if _is_pairs(version):
        rows = "Preference pairs, one a row (`prompt`, `chosen`, `rejected`)"
    return f"""# {version.name}

{rows}, sealed as version `{version.fingerprint}` on \
{version.created_at:%Y-%m-%d} by turnmill {version.code_version}.

Licence: unknown. The conversations belong to those who wrote them; the repository is private unless
its owner decided otherwise.

```python
from datasets import load_dataset

dataset = {call}
```

The fingerprint is a hash over the rows and their splits. `manifest.json` names each file's size and
sha256, `turnmill pull {repo} --revision {version.fingerprint}` checks them.
"""


def _table(headings: list[str], rows: list[list[Any]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    cells = (" | ".join(str(cell).replace("|", r"\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in cells) + "\n"


def _splits(version: DatasetVersion) -> str:
    rows = [
        [name, f"{counts.conversations:,}", f"{counts.messages:,}",
         f"{counts.assistant_messages:,}"]
        for name in SPLITS if (counts := version.splits.get(name)) is not None
    ]  # fmt: skip
    return "## Splits\n\n" + _table(
        ["split", "pairs" if _is_pairs(version) else "conversations", "messages",
         "of the assistant"],
        rows,
    )  # fmt: skip


def _steps(version: DatasetVersion) -> str:
    if not version.steps:
        return "## Steps\n\nNone.\n"
    rows = [[step.name, f"{step.rows_in:,}", f"{step.kept:,}", f"{step.rows_in - step.kept:,}",
             f"{step.changed:,}"] for step in version.steps]  # fmt: skip
    note = f"`{PAIRING}` counts conversations, what follows it counts pairs.\n\n"
    return (
        "## Steps\n\n"
        + (note if _is_pairs(version) else "")
        + _table(["step", "in", "kept", "dropped", "changed"], rows)
    )


def _lineage(version: DatasetVersion) -> str:
    parent = f"`{version.parent}`" if version.parent else "none"
    sources = "\n".join(f"- `{source}`" for source in version.sources)
    return (
        f"## Lineage\n\nVersion before: {parent}. Exports that the rows come from, by sha256:\n\n"
        f"{sources or '- none'}\n"
    )


def _samples(version: DatasetVersion, count: int) -> str:
    split = next(iter(split_files(version)))
    rows = [row for row, _ in zip(version.rows(split), range(count), strict=False)]
    shown = [_pair(row) if _is_pairs(version) else _said(row["messages"]) for row in rows]
    # indented, not fenced: a message may hold a fence
    text = "\n\n".join(json.dumps(each, ensure_ascii=False, indent=2) for each in shown)
    return "## Samples\n\n" + "\n".join(f"    {line}" for line in text.splitlines()) + "\n"


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    return {side: _said(row[side]) for side in SIDES}


def _said(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of messages is shown."""
    return [
        {key: each[key] for key in ("role", "content", "tool_calls") if each[key] is not None}
        for each in messages
    ]

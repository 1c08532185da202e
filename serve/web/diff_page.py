"""The page of ``turnmill diff --html``: one file, no script, nothing fetched, foreign text escaped.

It is made in pieces as conversations are read, so its size does not matter to the memory.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice
from typing import Any

import msgspec

from dataset.diff import VersionDiff
from dataset.diff_rows import HASH, MessageChange, RowChange
from dataset.diff_words import diff_words
from dataset.manifest import StepReport
from serve.web.frame import page_head

SHOWN = 500
"""Changed conversations on a page unless told otherwise."""

_IDS_SHOWN = 1000
_OPEN = 20
"""Changed conversations that are unfolded when the page opens."""

_LONG = 1200
"""Characters from which an unchanged stretch is folded to its ends."""

_STYLE = """
:root { --paper: #fbfaf8; --card: #fff; --ink: #1d1f23; --soft: #5c626c; --line: #dddad3;
  --add: #0b6e5f; --add-bg: #ddf0ea; --gone: #b3382c; --gone-bg: #fae3df; --warm: #8a6a2f;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif;
  --mono: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171a; --card: #1d2024; --ink: #e7e5e0;
  --soft: #a2a6ad; --line: #363a40; --add: #57c4b0; --add-bg: #17392f; --gone: #ef8578;
  --gone-bg: #43221e; --warm: #d3ad68; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 var(--sans); }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0 0 .4rem; font: 600 clamp(1.5rem, 4vw, 2.1rem)/1.25 var(--serif); }
h2 { margin: 2.6rem 0 .6rem; font: 600 1.35rem/1.25 var(--serif); }
code { font: .86em/1.5 var(--mono); overflow-wrap: anywhere; }
.soft, figcaption { color: var(--soft); }
.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem;
  margin: 1.6rem 0 0; padding: 0; list-style: none; }
.counts li { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .7rem .9rem; }
.counts b { display: block; font: 600 1.5rem/1.2 var(--serif); font-variant-numeric: tabular-nums; }
.counts .add b, .op-added { color: var(--add); }
.counts .gone b, .op-removed { color: var(--gone); }
.counts .change b, .op-changed { color: var(--warm); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .42rem .8rem .42rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 500; } tbody th { font-weight: 500; min-width: 10rem; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  margin: 0 0 .9rem; }
summary { cursor: pointer; padding: .6rem .9rem; overflow-wrap: anywhere; }
details > div, details > ul { padding: .2rem .9rem .8rem; margin: 0; }
details > ul { list-style: none; columns: 20rem; font-size: .9rem; }
.message { border-top: 1px solid var(--line); padding: .7rem 0 .2rem; }
.who { font-size: .82rem; font-weight: 600; }
.text { margin: .15rem 0 .4rem; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; }
ins { color: var(--add); background: var(--add-bg); text-decoration: none; border-radius: 3px; }
del { color: var(--gone); background: var(--gone-bg); border-radius: 3px; }
.whole ins, .whole del { background: none; text-decoration: none; }
.tag { border: 1px solid var(--line); border-radius: 99px; padding: 0 .5rem; font-size: .78rem;
  color: var(--soft); font-weight: 400; }
"""


def pieces(diff: VersionDiff, limit: int) -> Iterator[str]:
    """The page.

    Args:
        diff: two versions.
        limit: changed conversations to show at the most.
    """
    yield _head(diff)
    if diff.rules:
        yield _table(
            "Rules that changed",
            ("rule", "before", "now"),
            [(rule.rule, _said(rule.before), _said(rule.after)) for rule in diff.rules],
        )
    if diff.steps:
        yield _table(
            "What the steps did",
            ("step", "before", "now"),
            [(step.name, _did(step.before), _did(step.after)) for step in diff.steps],
        )
    yield _ids("Added", [f"{held.id} ({held.split})" for held in diff.added])
    yield _ids("Removed", [f"{held.id} ({held.split})" for held in diff.removed])
    yield _ids("In another split", [f"{m.id} ({m.before} to {m.after})" for m in diff.moved])
    if diff.changed_count:
        yield "<h2>Changed conversations</h2>\n"
        for number, change in enumerate(islice(diff.changed(), limit)):
            yield from _row(change, is_open=number < _OPEN)
        if diff.changed_count > limit:
            yield f'<p class="soft">and {diff.changed_count - limit:,} more</p>\n'
    yield "</main>\n</body>\n</html>\n"


def _head(diff: VersionDiff) -> str:
    counts = (
        ("add", len(diff.added), "added"),
        ("gone", len(diff.removed), "removed"),
        ("change", diff.changed_count, "changed"),
        ("", len(diff.moved), "in another split"),
        ("", diff.unchanged, "unchanged"),
    )
    cards = "".join(f'<li class="{kind}"><b>{n:,}</b>{name}</li>' for kind, n, name in counts)
    names = [escape(version.name) for version in (diff.before, diff.after)]
    title = names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"
    return f"""{page_head(f"{title}: what changed", _STYLE)}<main>
<h1>What changed in {title}</h1>
<p class="soft">from <code>{escape(diff.before.ref)}</code><br>to
<code>{escape(diff.after.ref)}</code></p>
<ul class="counts">{cards}</ul>
"""


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(
        f"<tr><th>{escape(row[0])}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f"<h2>{escape(title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table>\n"
    )


def _ids(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in lines[:_IDS_SHOWN])
    if len(lines) > _IDS_SHOWN:
        items += f"<li>and {len(lines) - _IDS_SHOWN:,} more</li>"
    is_open = " open" if len(lines) <= _OPEN else ""
    return (
        f"<h2>{escape(title)}</h2>\n<details{is_open}><summary>{len(lines):,} "
        f"conversations</summary><ul>{items}</ul></details>\n"
    )


def _row(change: RowChange, *, is_open: bool) -> Iterator[str]:
    marks = [change.split[1], *(f"{kind} {n:+}" for kind, n in change.redaction.items())]
    tags = " ".join(f'<span class="tag">{escape(mark)}</span>' for mark in marks)
    opened = " open" if is_open else ""
    yield f"<details{opened}><summary><code>{escape(change.id)}</code> {tags}</summary>\n<div>\n"
    for name, (before, after) in change.fields.items():
        if name == HASH:  # follows from the messages
            continue
        yield f'<div class="message"><span class="who">{escape(name)}</span>'
        yield f'<p class="text">{_change_of(before, after)}</p></div>\n'
    for message in change.messages:
        yield from _message(message)
    yield "</div></details>\n"


def _message(change: MessageChange) -> Iterator[str]:
    message = change.after or change.before or {}
    at = change.after_at if change.after_at is not None else change.before_at
    column = "" if change.column == "messages" else f"{change.column} "
    redacted = ' <span class="tag">redaction</span>' if change.redaction_only else ""
    yield (
        f'<div class="message"><span class="who op-{change.op}">{escape(column)}{at} '
        f"{escape(str(message['role']))}, {change.op}</span>{redacted}"
    )
    if change.before is None or change.after is None:
        mark = "ins" if change.before is None else "del"
        yield f'<p class="text whole"><{mark}>{escape(message["content"] or "")}</{mark}></p>'
    else:
        for name in change.fields:
            label = "" if name == "content" else f'<span class="soft">{escape(name)}: </span>'
            text = _change_of(change.before.get(name), change.after.get(name))
            yield f'<p class="text">{label}{text}</p>'
    yield "</div>\n"


def _change_of(before: Any, after: Any) -> str:
    if not (isinstance(before, str) and isinstance(after, str)):
        return f"<del>{escape(_said(before))}</del> <ins>{escape(_said(after))}</ins>"
    marks = {"added": "ins", "removed": "del"}
    found = []
    for part in diff_words(before, after):
        text = escape(part.text)
        if part.kind == "same":
            half = _LONG // 2
            if len(part.text) > _LONG:
                text = f"{escape(part.text[:half])} [...] {escape(part.text[-half:])}"
            found.append(text)
        else:
            found.append(f"<{marks[part.kind]}>{text}</{marks[part.kind]}>")
    return "".join(found)


def _said(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _did(report: StepReport | None) -> str:
    if report is None:
        return "-"
    parts = [f"{report.rows_in:,} in", f"{report.kept:,} kept"]
    if report.changed:
        parts.append(f"{report.changed:,} changed")
    parts += [f"{count:,} {reason}" for reason, count in report.dropped.items()]
    return ", ".join(parts)

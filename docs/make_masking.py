"""Writes the tables of docs/masking.md: every method on every template and class of conversation.

    python docs/make_masking.py [--workers 2] [--keep FILE] [--from FILE]

Takes minutes, so ``make docs`` leaves it out; ``tests/test_masking_page.py`` holds the page's marks
and totals. ``--keep`` writes the single verdicts as JSON, ``--from`` makes the tables of such a
file without measuring anew.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
FOLDERS = [str(HERE.parent / name) for name in ("", "tests", "benchmarks")]

OURS = "turnmill"
METHODS = {
    OURS: "turnmill",
    "stock": "stock",
    "trl": "TRL",
    "dummy diff": "diff, dummy",
    "prefix diff": "diff, prefix",
    "prefix diff, checked": "diff, prefix, checked",
}
VERDICTS = ("exact", "convention", "refused", "wrong")
# faults that touch neither a message's words nor a stop token: the template's own text around them
_AROUND = frozenset({"header", "scaffold", "tail", "runs"})
_FAULT = re.compile(r"(?:^|; )([a-z]+) x\d+")


class Verdict(NamedTuple):
    """One method on one conversation under one template.

    Attributes:
        verdict: one of :data:`VERDICTS`.
        detail: the reason of a refusal, or the kinds of faults.
        marked: whether the template holds ``{% generation %}`` marks.
        stopless: whether its text holds no token that ends every turn.
    """

    template: str
    klass: str
    method: str
    verdict: str
    detail: str
    vocabulary: str
    marked: bool
    stopless: bool


def measured(workers: int) -> list[Verdict]:
    """Every method on every pair."""
    sys.path[:0] = FOLDERS
    from mask_templates import all_templates

    tasks = list(enumerate(all_templates()))
    # fresh processes: tokenizers' threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found: list[Verdict] = []
        for done, part in enumerate(pool.map(_of_template, tasks), start=1):
            found += part
            if done % 20 == 0:
                print(f"{done} of {len(tasks)} templates", file=sys.stderr)
    return found


def _of_template(task: tuple[int, str]) -> list[Verdict]:
    sys.path[:0] = [one for one in FOLDERS if one not in sys.path]
    import transformers
    from mask_conversations import conversations
    from mask_survey import survey
    from mask_templates import all_templates
    from mask_vocabularies import KINDS

    transformers.logging.set_verbosity_error()
    n, name = task
    source = all_templates()[name]
    # vocabularies take turns over templates as they do in one survey of all
    kinds = tuple(KINDS[(n + m) % len(KINDS)] for m in range(len(KINDS)))
    cells = survey(_methods(), {name: source}, conversations(), kinds=kinds)
    marked = re.search(r"\{%-?\s*generation\s*-?%\}", source.text) is not None
    return [
        Verdict(one.template, one.klass, one.method, *_weighed(one.verdict, one.detail),
                one.vocabulary, marked, source.stopless)
        for one in cells
    ]  # fmt: skip


def _methods() -> dict[str, Callable[..., tuple[list[int], list[int]]]]:
    import mask_peers
    from mask_survey import Refused

    from train.render import render

    def ours(messages: Any, tools: Any, tokenizer: Any) -> tuple[list[int], list[int]]:
        done = render(messages, tokenizer, tools=tools)
        return done.ids, done.loss_mask

    def peer(method: mask_peers.Method) -> Callable[..., tuple[list[int], list[int]]]:
        def judged(messages: Any, tools: Any, tokenizer: Any) -> tuple[list[int], list[int]]:
            try:
                return method(messages, tools, tokenizer)
            except mask_peers.Refused as error:
                raise Refused(str(error)) from error

        return judged

    return {OURS: ours, **{name: peer(each) for name, each in mask_peers.METHODS.items()}}


def _weighed(verdict: str, detail: str) -> tuple[str, str]:
    kinds = _FAULT.findall(detail) if verdict in ("wrong", "convention") else []
    if verdict == "wrong" and set(kinds) <= _AROUND:
        verdict = "convention"
    return verdict, ", ".join(kinds) if kinds else detail


def tables(found: Sequence[Verdict]) -> dict[str, str]:
    """The generated parts of the page by the name of their marks."""
    return {
        "totals": _ground(found) + _totals(found) + _notes(found),
        "faults": _faults([one for one in found if not one.stopless]),
        "classes": _by([one for one in found if not one.stopless], "klass"),
        "refusals": _refusals([one for one in found if not one.stopless]),
        "templates": _by(found, "template"),
    }


def _ground(found: Sequence[Verdict]) -> str:
    templates = {one.template for one in found}
    own = sum(name.startswith("own/") for name in templates)
    pairs = len(found) // len(METHODS)
    versions = ", ".join(f"{one} {version(one)}" for one in ("transformers", "tokenizers", "trl"))
    return (
        f"{len(templates)} templates ({len(templates) - own} read from installed packages, {own} "
        f"written here), {len({one.klass for one in found})} classes of conversation, "
        f"{pairs:,} pairs that a template can render, "
        f"{len({one.vocabulary for one in found})} kinds of vocabulary by turns. {versions}.\n\n"
    )


def _totals(found: Sequence[Verdict]) -> str:
    sound = [one for one in found if not one.stopless]
    groups = {
        "all": sound,
        "without control tokens in content": [one for one in sound if not _injected(one)],
        "templates of installed packages": [o for o in sound if not o.template.startswith("own/")],
        "no stop token: to be refused": [one for one in found if one.stopless],
    }
    lines = []
    for group, inside in groups.items():
        for method, shown in METHODS.items() if inside else ():
            counts = Counter(one.verdict for one in inside if one.method == method)
            whole = sum(counts.values())
            figures = (f"{counts[each]:,} ({counts[each] / whole:.1%})" for each in VERDICTS)
            lines.append([group, shown, f"{whole:,}", *figures])
    return _table(["pairs", "method", "", *VERDICTS], lines)


def _injected(one: Verdict) -> bool:
    return one.klass.startswith("injected")


def _notes(found: Sequence[Verdict]) -> str:
    wrong = [one for one in found if one.verdict == "wrong"]
    empty = sum(one.method == "stock" and not one.marked for one in wrong)
    other = sum(one.method == "trl" and "text" in one.detail for one in wrong)
    return (
        f"\nStock: in {empty:,} of its wrong pairs the template has no `{{% generation %}}`, and "
        f"the mask is all zero. TRL: in {other:,} of its wrong pairs the patched copy writes "
        "another text than the template that will be served.\n"
    )


def _faults(found: Sequence[Verdict]) -> str:
    kinds = ("text", "control", "missed", "leak", "stop", "header", "scaffold", "tail")
    lines = []
    for method, shown in METHODS.items():
        of_method = [one for one in found if one.method == method]
        faulty = [one for one in of_method if one.verdict in ("wrong", "convention")]
        lines.append(
            [shown, *(f"{sum(k in f.detail.split(', ') for f in faulty):,}" for k in kinds)]
        )
    return _table(["pairs with", *kinds], lines)


def _by(found: Sequence[Verdict], field: str) -> str:
    counts: dict[str, dict[str, Counter[str]]] = {}
    for one in found:
        of_method = counts.setdefault(str(getattr(one, field)), {})
        of_method.setdefault(one.method, Counter())[one.verdict] += 1
    lines = [
        [name, *(" ".join(str(by[method][each]) for each in VERDICTS) for method in METHODS)]
        for name, by in counts.items()
    ]
    return _table([{"klass": "class"}.get(field, field), *METHODS.values()], lines)


def _refusals(found: Sequence[Verdict]) -> str:
    reasons = Counter(
        re.sub(r"\d+", "N", one.detail)
        for one in found
        if one.method == OURS and one.verdict == "refused"
    )
    return _table(
        ["reason", "pairs"], [[_cell(reason), str(n)] for reason, n in reasons.most_common()]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _table(head: list[str], lines: Iterable[list[str]]) -> str:
    rows = [head, ["---", *(["--:"] * (len(head) - 1))], *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_tables(page: str, parts: dict[str, str]) -> str:
    """The page with its generated parts current."""
    for name, text in parts.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, rest = page.split(start)
        page = before + start + text + end + rest.split(end)[1]
    return page


def main() -> None:
    """Measure, or take what was measured, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write the single verdicts there")
    parser.add_argument("--from", dest="kept", type=Path, help="a file that --keep wrote")
    asked = parser.parse_args()
    if asked.kept:
        found = [Verdict(*one) for one in json.loads(asked.kept.read_text("utf-8"))]
    else:
        found = measured(asked.workers)
    if asked.keep:
        asked.keep.write_text(json.dumps(found), "utf-8")
    file = HERE / "masking.md"
    file.write_text(with_tables(file.read_text("utf-8"), tables(found)), "utf-8")


if __name__ == "__main__":
    main()

"""Precision and recall of the detectors on the labelled corpus, by kind and by locale.

    python benchmarks/bench_redact_quality.py [--documents 6000] [--write] [--show KIND]

A value is found when every character of it is covered by spans of its kind (of an address: its
beginning, up to the house number or what follows). A span is right when it covers part of a value
of its kind. A key in an address of the web may be called a secret or a credential; both are right.
``--write`` puts the tables into docs/redaction.md.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from redact_corpus import Document, Label, documents, held_out

from dataset.redact.detect import find
from dataset.redact.span import Span

PAGE = Path(__file__).parent.parent / "docs" / "redaction.md"
SECRETS = frozenset({"secret", "password", "url_credentials", "private_key"})
ADDRESS_COVERED = 0.6
"""Share of an address's characters; the town's name after an odd code may be left."""


class Tally(NamedTuple):
    """Counts by a key: values, values found, spans, right spans."""

    values: Counter[str]
    found: Counter[str]
    spans: Counter[str]
    right: Counter[str]

    def recall(self, key: str) -> float:
        return self.found[key] / self.values[key] if self.values[key] else 1.0

    def precision(self, key: str) -> float:
        return self.right[key] / self.spans[key] if self.spans[key] else 1.0


def tally() -> Tally:
    return Tally(Counter(), Counter(), Counter(), Counter())


def alike(one: str, other: str) -> bool:
    """Whether two kinds count as the same."""
    return one == other or (one in SECRETS and other in SECRETS)


def is_found(label: Label, spans: Iterable[Span]) -> bool:
    """Whether a value is covered."""
    covered = sum(
        max(0, min(span.end, label.end) - max(span.start, label.start))
        for span in spans
        if alike(span.kind, label.kind)
    )
    share = ADDRESS_COVERED if label.kind == "address" else 1.0
    return covered >= share * (label.end - label.start)


def is_right(span: Span, labels: Iterable[Label]) -> bool:
    """Whether a span covers part of a value of its kind."""
    return any(
        alike(span.kind, label.kind) and span.start < label.end and label.start < span.end
        for label in labels
    )


def measure(corpus: Iterable[Document], show: str = "") -> dict[str, Tally]:
    """Tallies by kind, by what a value is more exactly, by locale and by shape of the text."""
    by = {key: tally() for key in ("kind", "what", "locale", "shape")}
    for document in corpus:
        spans = find(document.text, None, (document.locale,))
        for label in document.labels:
            hit = is_found(label, spans)
            if show in (label.kind, label.what) and not hit:
                line = document.text[max(0, label.start - 30) : label.end + 20]
                print(f"missed {document.locale} {label.what}: {line!r}")
            for key, name in _names(document, label.kind, label.what):
                by[key].values[name] += 1
                by[key].found[name] += hit
        for span in spans:
            right = is_right(span, document.labels)
            if show in (span.kind, "wrong") and not right:
                line = document.text[max(0, span.start - 30) : span.end + 20]
                what = document.text[span.start : span.end]
                print(f"wrong {document.locale} {span.kind}: {what!r} in {line!r}")
            for key, name in _names(document, span.kind, span.kind):
                by[key].spans[name] += 1
                by[key].right[name] += right
    return by


def _names(document: Document, kind: str, what: str) -> list[tuple[str, str]]:
    pairs = [("kind", kind), ("locale", document.locale), ("shape", document.shape)]
    pairs += [(key, "all") for key in ("kind", "locale", "shape")]
    return [*pairs, ("what", what)]


def table(by: Tally, head: str) -> str:
    """A table in Markdown."""
    lines = [f"| {head} | values | recall | spans | precision |", "|---|---:|---:|---:|---:|"]
    for key in sorted(by.values.keys() | by.spans.keys(), key=lambda name: (name == "all", name)):
        precision = f"{by.precision(key):.3f}" if by.spans[key] else ""
        spans = str(by.spans[key] or "")
        recall = f"{by.recall(key):.3f}" if by.values[key] else ""
        lines.append(f"| {key} | {by.values[key]} | {recall} | {spans} | {precision} |")
    return "\n".join(lines)


def report(by: dict[str, Tally], held: Tally, n: int) -> str:
    """The generated part of the page."""
    exact = Tally(by["what"].values, by["what"].found, Counter(), Counter())
    return "\n\n".join(
        (
            f"{n} documents, {len(by['locale'].values) - 1} locales, each document with its own"
            " locale given.",
            table(by["kind"], "kind"),
            table(by["locale"], "locale"),
            table(by["shape"], "shape of the text"),
            f"Sentences that no rule was written with ({n // 4} documents of other values):",
            table(held, "kind"),
            "<details><summary>more exactly</summary>\n\n"
            + table(exact, "value")
            + "\n\n</details>",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=6000)
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/redaction.md"
    )
    parser.add_argument("--show", default="", help="print what is missed of a kind, or 'wrong'")
    parser.add_argument("--show-held-out", default="", help="the same of the held-out sentences")
    asked = parser.parse_args()
    by = measure(documents(asked.documents), asked.show)
    held = measure(held_out(asked.documents // 4), asked.show_held_out)["kind"]
    text = report(by, held, asked.documents)
    print(text)
    if asked.write:
        begin, end = "<!-- generated: begin -->\n", "<!-- generated: end -->"
        page = PAGE.read_text("utf-8")
        before, _, rest = page.partition(begin)
        PAGE.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}", "utf-8")


if __name__ == "__main__":
    main()

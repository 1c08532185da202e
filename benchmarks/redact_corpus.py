"""The labelled corpus on which the detectors are measured: invented, the same on every run.

python benchmarks/redact_corpus.py [--documents 6000] > corpus.jsonl
"""

import argparse
import json
import random
import string
from collections.abc import Iterator
from typing import NamedTuple

from redact_contexts import ANYWHERE, CHAT, CODE, HELD_OUT, JSON, LOGS, MORE, VALUES
from redact_values import LOCALES, Values

KINDS = {"phone_intl": "phone", "id": "national_id", "jwt": "secret"}
"""Slots whose kind has another name."""


class Label(NamedTuple):
    """A value in a text: [start, end), its kind, what it is more exactly."""

    start: int
    end: int
    kind: str
    what: str


class Document(NamedTuple):
    """A text and what stands in it; ``decoys`` are what must not be found."""

    text: str
    locale: str
    shape: str
    labels: list[Label]
    decoys: list[Label]


def documents(n: int, seed: int = 0) -> Iterator[Document]:
    """The first ``n`` documents, the locales in turn."""
    values = {locale: Values(locale, seed) for locale in LOCALES}
    draw = random.Random(seed)
    for place in range(n):
        locale = LOCALES[place % len(LOCALES)]
        yield _document(values[locale], draw)


def held_out(n: int, seed: int = 1) -> Iterator[Document]:
    """Documents of sentences that no rule was written with, of the locales that have some."""
    locales = [locale for locale in LOCALES if locale[:2] in HELD_OUT]
    values = {locale: Values(locale, seed) for locale in locales}
    draw = random.Random(seed)
    for place in range(n):
        one = values[locales[place % len(locales)]]
        templates = [draw.choice(HELD_OUT[one.locale[:2]]) for _ in range(draw.randint(1, 3))]
        yield _fill(one, templates, "held out", draw)


def _document(values: Values, draw: random.Random) -> Document:
    shape = draw.choices(("chat", "code", "json", "log", "mixed"), (55, 12, 10, 13, 10))[0]
    language = values.locale[:2]
    chat = CHAT[language] + MORE.get(language, [])
    lines = {
        "chat": lambda: draw.choice(chat),
        "code": lambda: draw.choice(CODE),
        "json": lambda: draw.choice(JSON),
        "log": lambda: draw.choice(LOGS),
        "mixed": lambda: draw.choice(ANYWHERE),
    }
    templates = [lines[shape]() for _ in range(draw.randint(1, 4))]
    if shape == "chat" and draw.random() < 0.25:
        templates.append(draw.choice(ANYWHERE))
    return _fill(values, templates, shape, draw)


def _fill(values: Values, templates: list[str], shape: str, draw: random.Random) -> Document:
    text, labels, decoys = "", [], []
    for template in templates:
        if text:
            text += "\n"
        if shape == "chat" and draw.random() < 0.5:
            text += values.fake.sentence() + " "
        for literal, slot, _, _ in string.Formatter().parse(template):
            text += literal
            if slot is None:
                continue
            value, what = values.draw(slot)
            if shape == "json":
                value = json.dumps(value, ensure_ascii=False)[1:-1]
            label = Label(len(text), len(text) + len(value), KINDS.get(slot, slot), what)
            text += value
            if slot in VALUES:
                labels.append(label)
            elif slot != "name":
                decoys.append(label)
    return Document(text, values.locale, shape, labels, decoys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=6000)
    for document in documents(parser.parse_args().documents):
        print(json.dumps(document._asdict(), ensure_ascii=False))


if __name__ == "__main__":
    main()

"""Speed of the whole redaction step: rows in, redacted rows and the ledger out.

    python benchmarks/bench_redact_step.py [--megabytes 16] [--workers 1 2] [--json FILE]

MB are UTF-8 bytes of messages' texts; CPU seconds are those of the step, its best of three rounds.
The references are the detectors alone and ``re.findall(r"\\w+")`` over the same messages, in the
same process. With ``--workers`` the same batches also go through that many processes; wall-clock
seconds hold the start of the processes and the rows' way there and back.

Made: the invented store of ``bench_build.py``; every message has its speaker's name, every fifth
conversation something to find. Ordinary: the chats of ``bench_redact.py``, ten messages of two of
a thousand people of four countries, one message in ten with a name. Long: the same with messages
eight times as long.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench_redact import LOCALES, ordinary
from made_store import Maker

from dataset.flow import Fold
from dataset.manifest import Where
from dataset.read import Source
from dataset.redact.detect import find
from dataset.steps.base import StepContext
from dataset.steps.redact import Redact
from ingest import columns
from ingest.message import Conversation, Message, Participant
from ingest.processes import in_order
from ingest.store import Store, open_store
from ingest.workspace import Workspace

TURNS = 10
ROUNDS = 3
OPTIONS = {"locales": ["en_US", "de_DE"]}


def made(megabytes: float) -> Iterator[Conversation]:
    """Conversations of the build benchmark."""
    yield from Maker().conversations(0, round(megabytes * 540))


def chats(megabytes: float, together: int = 1) -> Iterator[Conversation]:
    """Chats of two people; a message is ``together`` of the ordinary ones."""
    from faker import Faker

    draw = random.Random(2)
    fakers = [Faker(locale) for locale in LOCALES]
    for seed, faker in enumerate(fakers):
        faker.seed_instance(seed)
    known = [[faker.name() for _ in range(250)] for faker in fakers]
    texts = ordinary(megabytes)
    messages = [" ".join(texts[at : at + together]) for at in range(0, len(texts), together)]
    for number, start in enumerate(range(0, len(messages), TURNS)):
        people = draw.sample(known[number % len(known)], 2)
        said = [
            f"{text} {draw.choice(people).split()[0]}" if draw.random() < 0.1 else text
            for text in messages[start : start + TURNS]
        ]
        yield talk(number, people, said)


def talk(number: int, people: list[str], said: list[str]) -> Conversation:
    """A conversation in which two speak by turns."""
    return Conversation(
        id=f"made-{number:016}",
        importer="made",
        source_id=str(number),
        title=f"Talk {number}",
        messages=tuple(
            Message("assistant" if at % 2 else "user", text, name=people[at % 2])
            for at, text in enumerate(said)
        ),
        participants=tuple(Participant(name) for name in people),
    )


SHAPES: dict[str, Callable[[float], Iterable[Conversation]]] = {
    "made": made,
    "ordinary": chats,
    "long": lambda megabytes: chats(megabytes, 8),
}


def fill(store: Store, conversations: Iterable[Conversation]) -> None:
    """Put them into an empty store."""
    talks = list(conversations)
    ords = np.arange(1, len(talks) + 1)
    hashes = [each.content_hash for each in talks]
    with store.transaction():
        store.insert(
            columns.renumbered(columns.conversation_columns("made", talks, hashes), ords),
            columns.renumbered(columns.message_columns(talks), ords),
        )


def contents(frames: Iterable[pl.DataFrame]) -> list[str]:
    """The messages' texts."""
    messages = (frame["messages"].explode().struct.field("content") for frame in frames)
    return [text for series in messages for text in series.drop_nulls()]


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest of some rounds."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def speeds(step: Redact, frames: list[pl.DataFrame], texts: list[str]) -> dict[str, float]:
    """MB per CPU second of the step and of what it is compared with."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    word = re.compile(r"\w+")
    kinds, locales = frozenset(step.Options().kinds), tuple(OPTIONS["locales"])
    ways: dict[str, Callable[[], object]] = {
        "step": lambda: [step.apply(frame) for frame in frames],
        "detectors alone": lambda: [find(text, kinds, locales) for text in texts],
        "words": lambda: [word.findall(text) for text in texts],
    }
    return {"mb": round(size, 1)} | {way: round(size / best(do), 2) for way, do in ways.items()}


def by_workers(step: Redact, frames: list[pl.DataFrame], workers: int) -> dict[str, float]:
    """Seconds by the clock, and CPU seconds of the step in all processes."""
    begun, cpu = time.perf_counter(), 0.0
    for _, noted in in_order(Fold([step], digest=False), frames, workers):
        cpu += sum(each.seconds for each in noted)
    return {"wall_s": round(time.perf_counter() - begun, 2), "step_cpu_s": round(cpu, 2)}


def measure(shape: str, megabytes: float, workers: list[int]) -> dict[str, object]:
    """All figures of one shape of chats."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "home").create()
        with open_store(workspace.store) as store:
            fill(store, SHAPES[shape](megabytes))
            frames = list(Source(store, Where()).frames())
            step = Redact(Redact.Options.model_validate(OPTIONS), StepContext(store, workspace))
        texts = contents(frames)
        found: dict[str, object] = {
            "shape": shape,
            "messages": len(texts),
            "characters_a_message": round(sum(map(len, texts)) / len(texts)),
            "removals": sum(step.apply(frame).removed.height for frame in frames),
            **speeds(step, frames, texts),
        }
        split = [part for frame in frames for part in frame.iter_slices(256)]
        for each in workers:
            found[f"workers {each}"] = by_workers(step, split, each)
    return found


def main() -> None:
    """Measure each shape of chats; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=16)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    found = []
    for shape in asked.shapes:
        found.append(measure(shape, asked.megabytes, asked.workers))
        print(json.dumps(found[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

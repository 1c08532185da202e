"""Speed of the detectors against Presidio's pattern recognisers and scrubadub, in one run.

    python benchmarks/bench_redact.py [--megabytes 8] [--with PYTHON]

Every way reads the same messages in a process of its own, on one core; MB are UTF-8 bytes, seconds
are CPU seconds, each way's best of three. ``--with`` names the interpreter of an environment that
has presidio-analyzer or scrubadub; without it only ``re.findall(r"\\w+")`` is compared with.

Ordinary: chats of four languages, every third message with a time, date, price, version or number,
every twentieth with code, every fiftieth with something to find. Dense: the labelled corpus, where
nearly every line holds something.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LOCALES = ("en_US", "de_DE", "fr_FR", "es_ES")
REFERENCE = r're.findall(r"\w+")'


def ordinary(megabytes: float) -> list[str]:
    """Messages as chats hold them."""
    from redact_contexts import CHAT, CODE
    from redact_corpus import _fill
    from redact_values import Values

    draw = random.Random(1)
    values = [Values(locale, 1) for locale in LOCALES]
    sometimes = ("time", "date", "price", "version", "number", "ratio")
    texts: list[str] = []
    size = 0.0
    while size < megabytes * 1e6:
        one = draw.choice(values)
        sentences = one.fake.sentences(draw.choice((1, 1, 2, 2, 3, 5, 8, 14)))
        if draw.random() < 0.33:
            at = draw.randrange(len(sentences))
            sentences[at] = f"{sentences[at][:-1]} {one.draw(draw.choice(sometimes))[0]}."
        text = " ".join(sentences)
        if draw.random() < 0.05:
            text += "\n" + _fill(one, [draw.choice(CODE)], "code", draw).text
        if draw.random() < 0.02:
            text += "\n" + _fill(one, [draw.choice(CHAT[one.locale[:2]])], "chat", draw).text
        texts.append(text)
        size += len(text.encode())
    return texts


def dense(megabytes: float) -> list[str]:
    """Texts of the labelled corpus."""
    from redact_corpus import documents

    texts = [document.text for document in documents(2000)]
    size = sum(len(text.encode()) for text in texts)
    return texts * max(1, round(megabytes * 1e6 / size))


def find_all() -> Callable[[str], object]:
    """Ours, with two locales, as a user would."""
    from dataset.redact.detect import find

    return lambda text: find(text, None, ("en_US", "de_DE"))


def words() -> Callable[[str], object]:
    return re.compile(r"\w+").findall


def presidio() -> Callable[[str], object]:
    """Presidio's recognisers that need no language model, asked one after the other."""
    from presidio_analyzer import predefined_recognizers as known

    recognizers = [
        known.CreditCardRecognizer(),
        known.EmailRecognizer(),
        known.IbanRecognizer(),
        known.IpRecognizer(),
        known.PhoneRecognizer(supported_regions=("US", "DE")),
        known.UsSsnRecognizer(),
        known.UrlRecognizer(),
        known.CryptoRecognizer(),
    ]
    return lambda text: [one.analyze(text, one.supported_entities, None) for one in recognizers]


def scrubadub_all() -> Callable[[str], object]:
    """scrubadub's detectors that are on by default."""
    import scrubadub

    scrubber = scrubadub.Scrubber()
    return lambda text: list(scrubber.iter_filth(text))


OURS = {REFERENCE: words, "turnmill": find_all}
OTHERS = {"Presidio, patterns": presidio, "scrubadub": scrubadub_all}


def run(way: str, file: Path, megabytes: float) -> None:
    """One way, in this process; prints MB per CPU second."""
    sys.path.append(str(Path(__file__).parent.parent))
    find = {**OURS, **OTHERS}[way]()
    texts: list[str] = []
    size = 0
    for text in json.loads(file.read_text("utf-8")):
        if size >= megabytes * 1e6:
            break
        texts.append(text)
        size += len(text.encode())
    for text in texts[:200]:
        find(text)
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            find(text)
        best = min(best, time.process_time() - begun)
    print(size / 1e6 / best)


def speed(way: str, file: Path, megabytes: float, python: str) -> float | None:
    """MB per CPU second of one way; None when the environment lacks it."""
    command = [python, __file__, "--run", way, "--file", str(file), "--megabytes", str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{way}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--with", dest="python", default="", help="interpreter of the references")
    parser.add_argument("--run", default="", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run(asked.run, asked.file, asked.megabytes)
        return
    sys.path.append(str(Path(__file__).parent.parent))
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (("ordinary", ordinary), ("dense", dense)):
            file = Path(folder) / f"{name}.json"
            texts = make(asked.megabytes)
            file.write_text(json.dumps(texts), "utf-8")
            mean = sum(map(len, texts)) / len(texts)
            print(f"{name}: {len(texts)} messages, {mean:.0f} characters in the mean")
            # the others are slow: a slice of the same messages is enough
            small = asked.megabytes / 16
            ways = [(way, asked.megabytes, sys.executable) for way in OURS]
            ways += [(way, small, asked.python) for way in OTHERS if asked.python]
            speeds = {way: speed(way, file, size, python) for way, size, python in ways}
            ours = speeds["turnmill"]
            for way, mb in speeds.items():
                if mb and ours:
                    print(f"  {way:22} {mb:8.2f} MB per CPU s, turnmill is {ours / mb:6.2f} times")


if __name__ == "__main__":
    main()

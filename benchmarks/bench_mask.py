"""Speed of the loss mask: tokens a second, against bare tokenization of the same texts in one run.

    python benchmarks/bench_mask.py [--vocabulary FILE|DIR] [--tokens 300000] [--rounds 5]
        [--threads 0 1] [--json FILE] [--write]

The reference is the floor that any method pays: ``tokenizer(texts)`` on a list of texts that are
rendered already. Beside it: turnmill's batch, the library's mask with TRL's patched template one
example at a time (what TRL's trainer maps over a dataset, without the mapping), per-turn diffing
with a dummy, and diffing of prefixes. The template is Qwen 3's, from TRL's folder.

Methods take turns in every round; the diffing ones get the first conversations only, since they
are slow. A conversation's messages are drawn as ``mask_texts.LENGTHS`` says, from descriptions and
docstrings of installed packages. Without ``--vocabulary`` a byte-level BPE of 40,000 tokens is
trained on these. Threads are those of the tokenizer's batches (0: as many as cores), each in a
process of its own. Rates are by the clock; CPU seconds stand in the JSON. ``--write`` puts the
tables into docs/masking.md.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import mask_peers
from mask_texts import LENGTHS, chats, tokenizer_of

REFERENCE = "tokenizer(texts)"
DOCUMENT = Path(__file__).parent.parent / "docs" / "masking.md"
LENGTH = {2: 420, 6: 1150, 20: 3600}  # tokens of a conversation, about
SLOW_SHARE = {2: 4, 6: 8, 20: 16}  # the diffing methods get one conversation in so many
TARGETS = {"of bare tokenization": 0.7, "times TRL": 2.0, "times per-turn diffing at 20": 8.0}

Chat = list[dict[str, str]]
Chats = list[Chat]


class Way(NamedTuple):
    """A method over conversations; returns how many tokens it made."""

    name: str
    run: Callable[[Chats], int]
    slow: bool = False


def ways(tokenizer: Any, texts: dict[int, str]) -> list[Way]:
    """The methods, bare tokenization first; ``texts`` by the identity of a conversation."""
    from train.render import Conversation, Rendered, render_batch

    def bare(made: Chats) -> int:
        ready = [texts[id(one)] for one in made]
        return sum(map(len, tokenizer(ready, add_special_tokens=False)["input_ids"]))

    def turnmill(made: Chats) -> int:
        done = render_batch([Conversation(one) for one in made], tokenizer)
        assert all(isinstance(one, Rendered) and any(one.loss_mask) for one in done)
        return sum(len(one.ids) for one in done if isinstance(one, Rendered))

    def by_one(method: mask_peers.Method) -> Callable[[Chats], int]:
        return lambda made: sum(len(method(one, None, tokenizer)[0]) for one in made)

    return [
        Way(REFERENCE, bare),
        Way("turnmill, batch", turnmill),
        Way("TRL, patched template", by_one(mask_peers.trl)),
        Way("per-turn diffing", by_one(mask_peers.dummy_diff), slow=True),
        Way("prefix diffing", by_one(mask_peers.prefix_diff), slow=True),
    ]


def measure(tokenizer: Any, messages: int, tokens: int, rounds: int) -> dict[str, Any]:
    """All methods on conversations of one length, by turns."""
    from train.render import Conversation, Rendered, render_batch

    count = max(SLOW_SHARE[messages], tokens // LENGTH[messages])
    made = chats(tokenizer, count, messages)
    texts = {id(one): tokenizer.apply_chat_template(one, tokenize=False) for one in made}
    # speed of another result would be no figure
    ids = tokenizer([texts[id(one)] for one in made], add_special_tokens=False)["input_ids"]
    whole = render_batch([Conversation(one) for one in made], tokenizer)
    for one, done in zip(ids, whole, strict=True):
        assert isinstance(done, Rendered)
        assert done.ids == one
    methods = ways(tokenizer, texts)
    part = {
        way.name: made[: count // SLOW_SHARE[messages]] if way.slow else made for way in methods
    }
    counts = {way.name: way.run(part[way.name]) for way in methods}  # also warms
    wall: dict[str, list[float]] = {way.name: [] for way in methods}
    cpu: dict[str, list[float]] = {way.name: [] for way in methods}
    for _ in range(rounds):
        for way in methods:
            gc.collect()
            started, busy = perf_counter(), process_time()
            way.run(part[way.name])
            wall[way.name].append(perf_counter() - started)
            cpu[way.name].append(process_time() - busy)
    return {
        "messages": messages,
        "conversations": count,
        "tokens": counts[REFERENCE],
        "methods": {name: _speed(counts, wall, cpu, name) for name in wall},
    }


def _speed(
    counts: dict[str, int], wall: dict[str, list[float]], cpu: dict[str, list[float]], name: str
) -> dict[str, Any]:
    def ratio(seconds: dict[str, list[float]]) -> float:
        # by rounds, since what else runs on the machine changes between them
        pairs = zip(seconds[REFERENCE], seconds[name], strict=True)
        share = counts[name] / counts[REFERENCE]
        return statistics.median(share * base / own for base, own in pairs)

    return {
        "tokens": counts[name],
        "best": counts[name] / min(wall[name]),
        "median": counts[name] / statistics.median(wall[name]),
        "ratio": ratio(wall),
        "cpu_ratio": ratio(cpu),
        "wall_s": [round(one, 4) for one in wall[name]],
        "cpu_s": [round(one, 4) for one in cpu[name]],
    }


def child(asked: argparse.Namespace) -> None:
    """What the process of one number of threads does."""
    import transformers
    import trl

    transformers.logging.set_verbosity_error()
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    tokenizer = tokenizer_of(asked.vocabulary, template.read_text("utf-8"))
    sizes = [measure(tokenizer, n, asked.tokens, asked.rounds) for n in asked.messages]
    print(json.dumps({"vocabulary": len(tokenizer), "sizes": sizes}))


def in_process(threads: int) -> dict[str, Any]:
    """The figures with one number of threads."""
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "true"}
    if threads:
        environment["RAYON_NUM_THREADS"] = str(threads)
    command = [sys.executable, __file__, "--child", *sys.argv[1:]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"threads": threads or os.cpu_count(), **found}


def show(found: dict[str, Any]) -> None:
    """One table a number of threads."""
    print(f"\n{found['threads']} threads, vocabulary of {found['vocabulary']:,}")
    for size in found["sizes"]:
        reference = size["methods"][REFERENCE]
        print(
            f" {size['messages']} messages: {size['conversations']:,} conversations, "
            f"{size['tokens']:,} tokens"
        )
        for name, one in size["methods"].items():
            best = one["best"] / reference["best"]
            print(
                f"  {name:24} {one['best'] / 1e3:8.1f}k best {one['median'] / 1e3:8.1f}k median  "
                f"{best:6.3f} {one['ratio']:6.3f} {one['cpu_ratio']:6.3f} of the reference "
                "(best, median of rounds, its CPU)"
            )


def page(about: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The tables of the document."""
    said = ", ".join(f"{key} {value}" for key, value in about.items())
    lengths = ", ".join(f"{role} {m} (sigma {s})" for role, (m, s) in LENGTHS.items())
    parts = [
        f"{said}. Vocabulary of {results[0]['vocabulary']:,}; template of Qwen 3; tokens of a "
        f"message, lognormal medians: {lengths}. Thousand tokens a second, best of "
        f"{_rounds(results)} rounds in which the methods take turns; in brackets the ratio to the "
        "reference, of the bests and in the median of the rounds.\n"
    ]
    for found in results:
        sizes = found["sizes"]
        head = [f"threads: {found['threads']}", *(f"{one['messages']} messages" for one in sizes)]
        rows = [head, ["---", *["--:"] * len(sizes)]]
        rows += [[name, *(_figures(one, name) for one in sizes)] for name in sizes[0]["methods"]]
        parts.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(parts)


def _rounds(results: list[dict[str, Any]]) -> int:
    return len(results[0]["sizes"][0]["methods"][REFERENCE]["wall_s"])


def _figures(size: dict[str, Any], name: str) -> str:
    one, reference = size["methods"][name], size["methods"][REFERENCE]
    best = one["best"] / reference["best"]
    return f"{one['best'] / 1e3:,.0f} ({best:.3g}, {one['ratio']:.3g})"


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    import tokenizers
    import transformers
    import trl

    lines = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in lines.splitlines() if "model name" in line]
    return {
        "cpu": next(islice(names, 1), platform.processor()),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "tokenizers": tokenizers.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vocabulary", type=Path, help="*.tiktoken, or a tokenizer's folder")
    parser.add_argument("--tokens", type=int, default=300_000, help="a round of the fast methods")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, nargs="+", default=list(LENGTH), choices=LENGTH)
    parser.add_argument("--threads", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked)
        return
    about = machine()
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print("message lengths, lognormal (median tokens, sigma):", LENGTHS)
    results = []
    for threads in asked.threads:
        results.append(in_process(threads))
        show(results[-1])
    if asked.json:
        whole = {"machine": about, "lengths": LENGTHS, "targets": TARGETS, "results": results}
        asked.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    if asked.write:
        start, end = "<!-- speed -->\n", "<!-- /speed -->\n"
        before, rest = DOCUMENT.read_text("utf-8").split(start)
        text = before + start + page(about, results) + end + rest.split(end)[1]
        DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

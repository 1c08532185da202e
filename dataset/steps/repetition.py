"""Answers that repeat themselves or are made of symbols: what a stuck model writes.

The measures and limits are those of MassiveText (Rae et al. 2021, "Scaling Language Models",
table A1) without the rules for web pages; code blocks are left out, for code repeats lines.
"""

import re
from collections import Counter
from itertools import pairwise

import polars as pl
from pydantic import Field

from dataset.steps.base import StepContext, StepOptions, StepResult
from dataset.steps.edit import Action, act, trained_answers

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"\S+")
_SYMBOL = re.compile(r"#|…|\.\.\.")
# scripts that put no space between words, and so have no words here but letters
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")

_LINES = 0.30
_LINE_CHARACTERS = 0.20
_TOP_RUNS = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED_RUNS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_SYMBOLS = 0.10


class Repetition:
    """Judges answers that are long enough to be judged."""

    name = "repetition"
    title = "do not train answers that repeat themselves, or drop their conversations"
    parallel = True

    class Options(StepOptions):
        """What is done, and from which length on."""

        action: Action = Field(
            default="untrain", description="the answer is not trained, or its conversation goes"
        )
        min_words: int = Field(default=40, ge=10, description="shorter answers are left alone")
        scale: float = Field(
            default=1.0, gt=0, le=5, description="all limits times this; more is more lenient"
        )

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._action = options.action
        self._min_words = options.min_words
        self._scale = options.scale

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        long_enough = pl.col("content").str.len_bytes() >= 2 * self._min_words
        answers = trained_answers(frame).filter(long_enough)
        verdicts: dict[int, dict[int, str]] = {}
        for row, number, content in answers.select("row", "number", "content").iter_rows():
            reason = fault(content, self._min_words, self._scale)
            if reason is not None:
                verdicts.setdefault(row, {})[number] = reason
        return act(frame, self.name, verdicts, self._action)


def fault(text: str, min_words: int, scale: float = 1.0) -> str | None:
    """What is wrong with a text; None if nothing is, or if it has fewer words."""
    plain = _CODE.sub("\n", text)
    words = _words(plain)
    if len(words) < min_words:
        return None
    if len(_SYMBOL.findall(plain)) > _SYMBOLS * scale * len(words):
        return "mostly symbols"
    lines = [line for line in map(str.strip, plain.splitlines()) if line]
    again = _seen_before(lines)
    if len(again) > _LINES * scale * len(lines):
        return "repeated lines"
    if sum(map(len, again)) > _LINE_CHARACTERS * scale * sum(map(len, lines)):
        return "repeated lines"
    return _repeated_words(words, scale)


def _repeated_words(words: list[str], scale: float) -> str | None:
    total = sum(map(len, words))
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word))
    for size, limit in _TOP_RUNS.items():
        runs = Counter(zip(*(words[at:] for at in range(size)), strict=False))
        run, times = runs.most_common(1)[0]
        if times > 1 and sum(map(len, run)) * times > limit * scale * total:
            return "repeated words"
    for size, limit in _REPEATED_RUNS.items():
        if _covered(words, ends, size) > limit * scale * total:
            return "repeated words"
    return None


def _covered(words: list[str], ends: list[int], size: int) -> int:
    """Characters in runs of ``size`` words that were there before; overlaps count once."""
    seen: set[tuple[str, ...]] = set()
    covered = until = 0
    for at, run in enumerate(zip(*(words[at:] for at in range(size)), strict=False)):
        if run in seen:
            start = max(at, until)
            covered += ends[at + size] - ends[start]
            until = at + size
        seen.add(run)
    return covered


def _seen_before(lines: list[str]) -> list[str]:
    seen: set[str] = set()
    again = []
    for line in lines:
        if line in seen:
            again.append(line)
        seen.add(line)
    return again


def _words(text: str) -> list[str]:
    words: list[str] = []
    for word in _WORD.findall(text):
        cuts = [0, *(each for m in _UNSPACED.finditer(word) for each in m.span()), len(word)]
        words += [word[begin:end] for begin, end in pairwise(sorted(set(cuts)))]
    return words

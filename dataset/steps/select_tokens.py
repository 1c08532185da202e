"""Keeps conversations of some length in tokens."""

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from dataset.steps.base import StepContext, StepOptions, StepResult, keep
from dataset.steps.edit import flat
from ingest.errors import SpecError


class TokenLength:
    """Counts the tokens of what is said, thought and called.

    A chat template's own tokens, some four a message, are not among them: what a plan will cut is
    known only there.
    """

    name = "token-length"
    title = "drop conversations of too few or too many tokens"
    parallel = True

    class Options(StepOptions):
        """Whose tokens, and how many; bounds included."""

        tokenizer: Path = Field(description="a folder with tokenizer.json")
        at_least: int = Field(default=0, ge=0, description="tokens")
        at_most: int | None = Field(default=None, ge=1, description="tokens")

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`.

        Raises:
            SpecError: the folder has no tokenizer, or the library is not installed.
        """
        self._at_least = options.at_least
        self._at_most = options.at_most
        self._tokenizer = _load(options.tokenizer)

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        call = pl.element().struct
        calls = pl.concat_str([call.field("name"), call.field("arguments")], separator=" ")
        texts = (
            flat(frame)
            .select(
                "row",
                pl.concat_str(
                    ["reasoning", "content", pl.col("tool_calls").list.eval(calls).list.join("\n")],
                    separator="\n",
                    ignore_nulls=True,
                ).alias("text"),
            )
            .group_by("row", maintain_order=True)
            .agg(pl.col("text").str.join("\n"))
        )
        encoded = self._tokenizer.encode_batch_fast(
            texts["text"].to_list(), add_special_tokens=False
        )
        lengths = dict(zip(texts["row"], map(len, encoded), strict=True))
        reasons = [self._reason(lengths.get(row, 0)) for row in range(len(frame))]
        return keep(frame, self.name, pl.Series("reason", reasons, pl.String))

    def _reason(self, length: int) -> str | None:
        if length < self._at_least:
            return "fewer tokens than asked"
        if self._at_most is not None and length > self._at_most:
            return "more tokens than asked"
        return None


def _load(folder: Path) -> Any:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise SpecError(f"{file}: no such file", "name the folder of a model or its tokenizer")
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise SpecError(
            "step token-length needs the package tokenizers", "pip install 'turnmill[train]'"
        ) from None
    found = Tokenizer.from_file(str(file))
    found.no_truncation()
    found.no_padding()
    return found

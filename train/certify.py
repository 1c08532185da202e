"""``python -m train.certify request.json``: compares merged weights with base and adapter.

A process of its own, so that everything is read from the disk: what is proved is the artefact,
not an object that happens to be in memory. Writes ``{"rows": ..., "max_abs": ..., ...}`` to the
file that the request names.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ingest.files import read_json, write_json

ROWS = 16
POSITIONS = 512  # tokens of a row that are compared


class Request(BaseModel):
    """What to compare, and where the answer goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path = Field(description="folder of the base model")
    adapter: Path = Field(description="folder of the adapter, or of the whole trained model")
    whole: bool = Field(default=False, description="whether all weights were trained")
    merged: Path = Field(description="folder of the merged model")
    rendered: Path = Field(description="parquet file with rendered rows")
    answer: Path = Field(description="file to write")


class Comparison(BaseModel):
    """Logits of the merged model against base + adapter, over all compared positions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(description="rows compared")
    positions: int = Field(description="positions compared, each a whole row of logits")
    max_abs: float = Field(description="largest difference of a logit")
    relative_l2: float = Field(description="norm of the difference over the norm of the logits")
    kl: float = Field(description="mean KL divergence (nats) of merged from base + adapter")
    argmax_agree: float = Field(description="share of positions with the same most likely token")
    adapter_effect: float = Field(description="largest difference that the adapter makes to base")
    effect_to_error: float | None = Field(
        description="adapter_effect / max_abs; none when max_abs is zero"
    )


def compare(request: Request) -> Comparison:
    """Load all three from disk in fp32 and compare their logits."""
    import torch
    from peft import PeftModel

    from train.load import load_model
    from train.sequences import first_sequences

    rows = first_sequences(request.rendered, ROWS)
    base = load_model(str(request.base))
    if request.whole:
        adapted = load_model(str(request.adapter))
    else:
        adapted = PeftModel.from_pretrained(base, request.adapter).eval()
    merged = load_model(str(request.merged))
    tally = _Tally()
    with torch.inference_mode():
        for ids in rows:
            row = torch.tensor([ids[:POSITIONS]])
            want = adapted(input_ids=row).logits[0].double()
            got = merged(input_ids=row).logits[0].double()
            with contextlib.nullcontext() if request.whole else adapted.disable_adapter():
                # an adapter stands in the base model itself
                bare = base(input_ids=row).logits[0].double()
            tally.add(want, got, bare)
    return tally.comparison(len(rows))


class _Tally:
    def __init__(self) -> None:
        self.positions = self.agree = 0
        self.max_abs = self.effect = self.squares = self.norm = self.kl = 0.0

    def add(self, want: Any, got: Any, bare: Any) -> None:
        """Logits of one row, each (positions, vocabulary)."""
        import torch.nn.functional as F  # noqa: N812 - torch's own name for it

        error = got - want
        self.positions += len(want)
        self.max_abs = max(self.max_abs, error.abs().max().item())
        self.effect = max(self.effect, (want - bare).abs().max().item())
        self.squares += error.square().sum().item()
        self.norm += want.square().sum().item()
        self.agree += int((want.argmax(-1) == got.argmax(-1)).sum())
        log_p, log_q = F.log_softmax(want, -1), F.log_softmax(got, -1)
        self.kl += (log_p.exp() * (log_p - log_q)).sum().item()

    def comparison(self, rows: int) -> Comparison:
        return Comparison(
            rows=rows,
            positions=self.positions,
            max_abs=self.max_abs,
            relative_l2=(self.squares / self.norm) ** 0.5,
            kl=self.kl / self.positions,
            argmax_agree=self.agree / self.positions,
            adapter_effect=self.effect,
            effect_to_error=self.effect / self.max_abs if self.max_abs else None,
        )


def main(arguments: list[str]) -> int:
    """Answer the request named on the command line."""
    request = Request.model_validate(read_json(Path(arguments[0])))
    write_json(request.answer, compare(request).model_dump())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

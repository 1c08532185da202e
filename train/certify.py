"""``python -m train.certify request.json``: compares merged weights with base and adapter.

A process of its own, so that everything is read from the disk: what is proved is the artefact,
not an object that happens to be in memory. Writes ``[{"rows": ..., "max_abs": ..., ...}]``, one
for each merged folder, to the file that the request names.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ingest.files import read_json, write_json
from train.certificate import Comparison
from train.merge_base import Rounding, fit_vocabulary, round_layers

ROWS = 16
POSITIONS = 512  # tokens of a row that are compared


class Request(BaseModel):
    """What to compare, and where the answer goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path = Field(description="folder of the base model")
    adapter: Path = Field(description="folder of the adapter, or of the whole trained model")
    whole: bool = Field(default=False, description="whether all weights were trained")
    rounding: Rounding | None = Field(
        default=None, description="how the base's layers are rounded before the adapter is put on"
    )
    merged: list[Path] = Field(description="folders of the merged model, compared one by one")
    rendered: Path = Field(description="parquet file with rendered rows")
    answer: Path = Field(description="file to write")


def compare(request: Request) -> list[Comparison]:
    """Load what was trained from disk in fp32, then each merged model, and compare their logits.

    One merged model is in memory at a time.
    """
    from train.sequences import first_sequences

    rows = first_sequences(request.rendered, ROWS)
    return compared(rows, *trained_models(request), request.merged)


def trained_models(request: Request) -> tuple[Any, Any]:
    """The base and what was trained, in fp32; an adapter stands in the base model itself."""
    from peft import PeftModel

    from train.load import load_model

    base = load_model(str(request.base))
    if request.whole:
        return base, load_model(str(request.adapter))
    if request.rounding is not None:
        round_layers(base, request.rounding)
    fit_vocabulary(base, request.adapter)
    return base, PeftModel.from_pretrained(base, request.adapter).eval()


def compared(
    rows: list[list[int]], base: Any, trained: Any, merged: list[Path]
) -> list[Comparison]:
    """Compare each merged model with what was trained.

    Args:
        rows: token ids.
        base: the base model.
        trained: what was trained; an adapter stands in the base model itself.
        merged: folders, loaded one by one.
    """
    from train.load import load_model

    return [_compared(rows, base, trained, load_model(str(one))) for one in merged]


def _compared(rows: list[list[int]], base: Any, trained: Any, merged: Any) -> Comparison:
    import torch

    tally = _Tally()
    with torch.inference_mode():
        for ids in rows:
            row = torch.tensor([ids[:POSITIONS]])
            want = trained(input_ids=row).logits[0].double()
            got = merged(input_ids=row).logits[0].double()
            with _bare(trained):
                bare = base(input_ids=row).logits[0].double()
            tally.add(want, got, bare)
    return tally.comparison(len(rows))


def _bare(trained: Any) -> contextlib.AbstractContextManager[Any]:
    """Where the base answers as if nothing had been trained."""
    from peft import PeftModel

    return trained.disable_adapter() if isinstance(trained, PeftModel) else contextlib.nullcontext()


class _Tally:
    def __init__(self) -> None:
        self.positions = self.agree = self.clear = self.clear_agree = self.logits = 0
        self.max_abs = self.effect = self.squares = self.norm = self.kl = 0.0
        self.sum_abs = self.effect_kl = 0.0

    def add(self, want: Any, got: Any, bare: Any) -> None:
        """Logits of one row, each (positions, vocabulary)."""
        import torch.nn.functional as F  # noqa: N812 - torch's own name for it

        error = got - want
        self.positions += len(want)
        self.max_abs = max(self.max_abs, error.abs().max().item())
        self.effect = max(self.effect, (want - bare).abs().max().item())
        self.squares += error.square().sum().item()
        self.norm += want.square().sum().item()
        self.sum_abs += error.abs().sum().item()
        self.logits += error.numel()
        same = want.argmax(-1) == got.argmax(-1)
        top = want.topk(2).values
        # nearer than twice the error two tokens may change places without anything being wrong
        clear = top[:, 0] - top[:, 1] > 2 * error.abs().amax(-1)
        self.agree += int(same.sum())
        self.clear += int(clear.sum())
        self.clear_agree += int((same & clear).sum())
        log_p, log_q, log_b = (F.log_softmax(one, -1) for one in (want, got, bare))
        self.kl += (log_p.exp() * (log_p - log_q)).sum().item()
        self.effect_kl += (log_p.exp() * (log_p - log_b)).sum().item()

    def comparison(self, rows: int) -> Comparison:
        return Comparison(
            rows=rows,
            positions=self.positions,
            max_abs=self.max_abs,
            relative_l2=(self.squares / self.norm) ** 0.5,
            kl=self.kl / self.positions,
            argmax_agree=self.agree / self.positions,
            mean_abs=self.sum_abs / self.logits,
            clear_positions=self.clear,
            clear_agree=self.clear_agree / self.clear if self.clear else None,
            adapter_kl=self.effect_kl / self.positions,
            adapter_effect=self.effect,
            effect_to_error=self.effect / self.max_abs if self.max_abs else None,
        )


def main(arguments: list[str]) -> int:
    """Answer the request named on the command line."""
    request = Request.model_validate(read_json(Path(arguments[0])))
    write_json(request.answer, [one.model_dump() for one in compare(request)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A transformers model as the engine calls it: one row with its own cache, or many rows at once."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from serve.engine.slot_cache import SlotCache


class Forward:
    """Forward passes of one model; call it on one thread, in inference mode.

    Args:
        model: a causal language model of transformers or a PEFT model around one, in eval mode.
    """

    def __init__(self, model: Any) -> None:
        # asked of the type's name: peft is not needed for models without adapters
        adapted = type(model).__module__.startswith("peft.")
        # a LoRA lies in the layers themselves; PEFT's own forward would only hide the signature
        self._model = model.get_base_model() if adapted else model
        self._switch = model if adapted else None
        parameters = inspect.signature(self._model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self.takes_positions = "position_ids" in parameters
        self.adapters: tuple[str, ...] = tuple(model.peft_config) if adapted else ()
        self.active: str | None = str(model.active_adapter) if adapted else None

    @property
    def config(self) -> Any:
        """The model's."""
        return self._model.config

    @property
    def dtype(self) -> "torch.dtype":
        """Of the weights."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    @contextlib.contextmanager
    def adapted(self, adapter: str | None) -> Iterator[None]:
        """With ``adapter`` at work; None = the bare base, or a model that has none."""
        if self._switch is None:
            yield
        elif adapter is None:
            with self._switch.disable_adapter():
                yield
        else:
            if self._switch.active_adapter != adapter:
                self._switch.set_adapter(adapter)
            yield

    def one(self, ids: Sequence[int], cache: Any) -> "tuple[torch.Tensor, Any]":
        """Logits (V,) after the last of ``ids``, float32 on the CPU, and the cache, longer."""
        logits, cache = self._row(ids, cache, self._last_only)
        return logits[-1], cache

    def every(self, ids: Sequence[int], cache: Any) -> "tuple[torch.Tensor, Any]":
        """The same with the logits after each of ``ids``, shape (T, V)."""
        return self._row(ids, cache, {})

    def _row(
        self, ids: Sequence[int], cache: Any, options: dict[str, Any]
    ) -> "tuple[torch.Tensor, Any]":
        import torch

        out = self._model(
            input_ids=torch.tensor([ids], device=self._model.device),
            past_key_values=cache,
            use_cache=True,
            **options,
        )
        # drawn on the CPU: the same seed then draws the same on every device
        return out.logits[0].float().cpu(), out.past_key_values

    def rows(
        self, ids: Sequence[int], lengths: Sequence[int], cache: "SlotCache"
    ) -> "torch.Tensor":
        """One more token for each row of ``cache``: logits (B, V), float32 on the CPU.

        Args:
            ids: the rows' newest tokens, not yet in the cache.
            lengths: of the rows in the cache.
            cache: row i in slot i.
        """
        import torch

        device = self._model.device
        positions = torch.tensor(lengths, device=device)
        width = max(lengths) + 1
        cache.step(positions, width)
        seen = torch.arange(width, device=device) <= positions[:, None]
        # additive, which the fused and the plain attention both take
        mask = torch.zeros(seen.shape, dtype=self.dtype, device=device)
        mask.masked_fill_(~seen, torch.finfo(self.dtype).min)
        out = self._model(
            input_ids=torch.tensor(ids, device=device)[:, None],
            attention_mask=mask[:, None, None, :],
            position_ids=positions[:, None],
            past_key_values=cache,
            use_cache=True,
            **self._last_only,
        )
        return out.logits[:, -1].float().cpu()  # type: ignore[no-any-return]

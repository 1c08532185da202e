"""Several models on one copy of the weights: a base, and adapters of it.

Each is an engine by its own name; all share one worker. A forward pass serves the answers of one
adapter, so base and adapters take turns, token by token.
"""

from collections.abc import Sequence
from typing import Any

from serve.engine.base import (
    Constraint,
    Generation,
    Grammar,
    Provenance,
    RenderedChat,
    SamplingParams,
    TokenizerInfo,
    TokenScore,
)
from serve.engine.embedded import EmbeddedEngine


class AdapterEngine:
    """See ``Engine``: an embedded engine with one of its adapters at work, or with none.

    Closing one closes the engine for all.

    Args:
        engine: of a PEFT model.
        adapter: name of one of its adapters; None = the bare base.
        provenance: of this adapter's weights.
    """

    def __init__(
        self, engine: EmbeddedEngine, adapter: str | None, *, provenance: Provenance | None = None
    ) -> None:
        if adapter is not None and adapter not in engine.adapters:
            raise ValueError(f"no adapter {adapter!r}")
        self.context_length = engine.context_length
        self.vocabulary_size = engine.vocabulary_size
        self.created = engine.created
        self.provenance = provenance
        self._engine = engine
        self._adapter = adapter

    def prompt(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> list[int]:
        """See ``Engine``."""
        return self._engine.prompt(messages, tools)

    def render(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> RenderedChat:
        """See ``Engine``."""
        return self._engine.render(messages, tools)

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        return self._engine.decode(ids)

    def token_bytes(self, token_id: int) -> bytes:
        """See ``Engine``."""
        return self._engine.token_bytes(token_id)

    def tokenize(self, text: str, *, add_special: bool = False) -> list[int]:
        """See ``Engine``."""
        return self._engine.tokenize(text, add_special=add_special)

    def detokenize(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        return self._engine.detokenize(ids)

    def tokenizer_info(self) -> TokenizerInfo:
        """See ``Engine``."""
        return self._engine.tokenizer_info()

    def constraint(self, grammar: Grammar) -> Constraint:
        """See ``Engine``."""
        return self._engine.constraint(grammar)

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Generation:
        """See ``Engine``."""
        return self._engine.generate(prompt_ids, params, adapter=self._adapter)

    async def score(
        self, ids: Sequence[int], *, from_position: int = 1, top: int = 0
    ) -> list[TokenScore]:
        """See ``Engine``."""
        return await self._engine.score(
            ids, from_position=from_position, top=top, adapter=self._adapter
        )

    @property
    def active(self) -> int:
        """See ``Engine``; of all adapters together."""
        return self._engine.active

    @property
    def waiting(self) -> int:
        """See ``Engine``; of all adapters together."""
        return self._engine.waiting

    @property
    def healthy(self) -> bool:
        """See ``Engine``."""
        return self._engine.healthy

    def close(self) -> None:
        """See ``Engine``."""
        self._engine.close()

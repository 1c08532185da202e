"""The engine that runs a transformers model in this process.

One worker thread holds the model. Up to ``max_active`` requests are at work at once, each with a
KV cache of its own, and take turns: one token, or one chunk of the prompt, at a time. Others wait
in a bounded queue, first come first served; when it is full a request is refused. So a long
request delays a short one but never blocks it. Nothing is batched: a step serves one request.
"""

import inspect
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serve.engine.base import (
    EngineClosedError,
    FinishReason,
    GeneratedToken,
    Generation,
    PromptError,
    Provenance,
    QueueFullError,
    SamplingParams,
)
from serve.engine.sampling import Sampler
from serve.engine.token_bytes import TokenBytes

_PREFILL_CHUNK = 256
# for models without a table of positions
_DEFAULT_CONTEXT = 8192


class EmbeddedEngine:
    """See ``Engine``; the module says how requests share the model.

    Args:
        model: a causal language model of transformers, in eval mode.
        tokenizer: its fast tokenizer, with a chat template.
        provenance: from the model folder's certificate.
        created: unix time of the weights; None = now.
        max_active: requests that take turns.
        max_waiting: requests in the queue.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        provenance: Provenance | None = None,
        created: int | None = None,
        max_active: int = 4,
        max_waiting: int = 32,
    ) -> None:
        self.context_length = context_length(model.config, tokenizer)
        self.created = int(time.time()) if created is None else created
        self.provenance = provenance
        self.stop_ids = stop_ids(model, tokenizer)
        self.token_bytes = TokenBytes(tokenizer)
        self._model = model
        self._tokenizer = tokenizer
        # rendering keeps caches; decoding changes nothing and must not wait for a long render
        self._render_lock = threading.Lock()
        self._last_only = (
            {"logits_to_keep": 1}
            if "logits_to_keep" in inspect.signature(model.forward).parameters
            else {}
        )
        self._max_active = max_active
        self._max_waiting = max_waiting
        self._waiting: deque[_Job] = deque()
        self._active: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="turnmill-engine", daemon=True)
        self._worker.start()

    def prompt(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> list[int]:
        """See ``Engine``; rendered by the very code that rendered the training rows."""
        from train.render import RenderError, prompt

        with self._render_lock:
            try:
                return prompt(messages, self._tokenizer, tools=tools)
            except RenderError as error:
                raise PromptError(error.message, error.hint) from error

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Generation:
        """See ``Engine``."""
        generation = Generation()
        job = _Job(self, list(prompt_ids), params, generation)
        with self._wake:
            if not self.healthy:
                raise EngineClosedError
            if len(self._waiting) >= self._max_waiting:
                raise QueueFullError
            self._waiting.append(job)
            self._wake.notify()
        return generation

    @property
    def healthy(self) -> bool:
        """See ``Engine``."""
        return not self._closed and self._worker.is_alive()

    def close(self) -> None:
        """See ``Engine``; returns when the worker has ended."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._worker.join()

    def _work(self) -> None:
        import torch

        with torch.inference_mode():
            while self._admit():
                job = self._active.popleft()
                if job.step():
                    self._active.append(job)
        for job in (*self._active, *self._waiting):
            job.generation.fail(EngineClosedError())

    def _admit(self) -> bool:
        """Wait until there is work, then fill up the active requests; False = closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._waiting or self._active)
            while self._waiting and len(self._active) < self._max_active:
                self._active.append(self._waiting.popleft())
            return not self._closed

    def forward(self, ids: Sequence[int], cache: Any) -> tuple[Any, Any]:
        """One forward pass; logits (V,) of the last position, float32 on the CPU, and the cache."""
        import torch

        out = self._model(
            input_ids=torch.tensor([ids], device=self._model.device),
            past_key_values=cache,
            use_cache=True,
            **self._last_only,
        )
        # drawn on the CPU: the same seed then draws the same on every device
        return out.logits[0, -1].float().cpu(), out.past_key_values


class _Job:
    """A request at work."""

    def __init__(
        self,
        engine: EmbeddedEngine,
        prompt_ids: list[int],
        params: SamplingParams,
        generation: Generation,
    ) -> None:
        self.generation = generation
        self._engine = engine
        self._prompt_ids = prompt_ids
        self._params = params
        self._steps = self._tokens()

    def step(self) -> bool:
        """Do one turn's work; False when the request is done, cancelled or failed."""
        if self.generation.cancelled:
            return False
        try:
            token = next(self._steps)
        except Exception as error:
            # raised again where the answer is awaited; the other requests go on
            self.generation.fail(error)
            return False
        if token is None:
            return True
        self.generation.put(token)
        return token.finish_reason is None

    def _tokens(self) -> Iterator[GeneratedToken | None]:
        """New tokens, with None after each chunk of the prompt but the last."""
        params = self._params
        sampler = Sampler(params)
        cache: Any = None
        for start in range(0, len(self._prompt_ids), _PREFILL_CHUNK):
            chunk = self._prompt_ids[start : start + _PREFILL_CHUNK]
            logits, cache = self._engine.forward(chunk, cache)
            if start + _PREFILL_CHUNK < len(self._prompt_ids):
                yield None
        for count in range(1, params.max_tokens + 1):
            token_id = sampler.draw(logits)
            logprob, top = sampler.report(logits, token_id)
            if token_id in self._engine.stop_ids:
                yield GeneratedToken(token_id, "stop", logprob, top)
                return
            finish: FinishReason | None = "length" if count == params.max_tokens else None
            yield GeneratedToken(token_id, finish, logprob, top)
            logits, cache = self._engine.forward([token_id], cache)


def open_engine(folder: Path, **options: Any) -> EmbeddedEngine:
    """Load the model in ``folder`` onto the best device of this machine.

    Args:
        folder: a model folder (config, safetensors, tokenizer, template).
        **options: of :class:`EmbeddedEngine`.

    Raises:
        UserError: the folder does not hold a model that can be served.
    """
    from train.device import find_device
    from train.load import load_model, load_tokenizer

    path, device = str(folder), find_device()
    # processors without bfloat16 units compute it at half the speed of float32
    dtype = "bfloat16" if device.kind == "cuda" and device.bf16 else "float32"
    return EmbeddedEngine(
        load_model(path, dtype=dtype).to(device.kind),
        load_tokenizer(path),
        provenance=read_provenance(folder),
        created=int((folder / "config.json").stat().st_mtime),
        **options,
    )


def read_provenance(folder: Path) -> Provenance | None:
    """What the folder's merge certificate says; None if it has none.

    Raises:
        UserError: a certificate that does not parse.
    """
    from train.merge import CERTIFICATE, read_certificate

    if not (folder / CERTIFICATE).is_file():
        return None
    certificate = read_certificate(folder)
    return Provenance(
        base_model=certificate.base,
        run=certificate.run_id,
        dataset_fingerprint=certificate.dataset_fingerprint,
        verdict=certificate.verdict,
        base_revision=certificate.base_revision,
    )


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: all of the generation config's, and the tokenizer's own."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)


def context_length(config: Any, tokenizer: Any) -> int:
    """Positions that both the model and its tokenizer say they are good for."""
    text_config = config.get_text_config().to_dict()
    positions = int(text_config.get("max_position_embeddings") or _DEFAULT_CONTEXT)
    return min(positions, int(tokenizer.model_max_length))

"""The engine that runs a transformers model in this process.

One worker thread holds the model. Up to ``max_active`` requests are at work at once, others wait
in a bounded queue, first come first served; when it is full a request is refused. The worker goes
round: it reads at most a few hundred tokens of new prompts, then writes one token of every answer
in a single forward pass (``batch.py``). So a long prompt delays the others by one chunk at a time,
and an answer joins and leaves the batch between any two tokens. Models whose rows cannot be
decoded together write their answers in turn instead; which it is, is tried out when the engine is
made.
"""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.files import read_json
from serve.engine.base import (
    Constraint,
    EngineClosedError,
    Generation,
    Grammar,
    PromptError,
    Provenance,
    QueueFullError,
    RenderedChat,
    SamplingParams,
    TokenizerInfo,
    TokenScore,
)
from serve.engine.batch import DecodeBatch, batchable
from serve.engine.forward import Forward
from serve.engine.grammar import GrammarCompiler
from serve.engine.hardware import faster_dtype, max_cells, use_own_cores
from serve.engine.jobs import PREFILL_CHUNK, AnswerJob, Job, ScoreJob
from serve.engine.token_bytes import TokenBytes
from serve.engine.turns import render_turns

# for models without a table of positions
_DEFAULT_CONTEXT = 8192
# answers that are written in turn: more of them would only be slower each
_IN_TURN = 4

# the adapter that the model came with
ACTIVE = "\0active"

_log = logging.getLogger("turnmill.engine")


class EmbeddedEngine:
    """See ``Engine``; the module says how requests share the model.

    Args:
        model: a causal language model of transformers, in eval mode; or a PEFT model around one,
            whose active adapter then answers (``adapters.py`` serves the others and the base).
        tokenizer: its fast tokenizer, with a chat template.
        provenance: from the model folder's certificate.
        created: unix time of the weights; None = now.
        max_active: requests at work.
        max_waiting: requests in the queue.
        cache_tokens: that the caches hold at most, answers that are no more than one excepted;
            None = by this machine's memory.

    Attributes:
        batched: whether answers are decoded together.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        provenance: Provenance | None = None,
        created: int | None = None,
        max_active: int = 32,
        max_waiting: int = 64,
        cache_tokens: int | None = None,
    ) -> None:
        self.context_length = context_length(model.config, tokenizer)
        self.vocabulary_size = int(model.config.get_text_config().vocab_size)
        self.created = int(time.time()) if created is None else created
        self.provenance = provenance
        self.stop_ids = stop_ids(model, tokenizer)
        self.token_bytes = TokenBytes(tokenizer)
        self._tokenizer = tokenizer
        self._grammars = GrammarCompiler(tokenizer, self.stop_ids, self.vocabulary_size)
        # rendering keeps caches; decoding changes nothing and must not wait for a long render
        self._render_lock = threading.Lock()
        self._forward = Forward(model)
        self._layers = batchable(self._forward)
        self.batched = bool(self._layers)
        self._cells = cache_tokens or max_cells(model)
        self._max_active = max_active if self.batched else min(max_active, _IN_TURN)
        self._max_waiting = max_waiting
        self._order = itertools.count()
        self._waiting: deque[Job] = deque()
        self._reading: deque[Job] = deque()
        self._in_turn: list[AnswerJob] = []
        self._batches: dict[str | None, DecodeBatch] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="turnmill-engine", daemon=True)
        self._worker.start()
        _log.info("answers are decoded %s", "together" if self.batched else "in turn")

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the model's adapters."""
        return self._forward.adapters

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

    def render(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> RenderedChat:
        """See ``Engine``."""
        with self._render_lock:
            return render_turns(messages, self._tokenizer, tools)

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def tokenize(self, text: str, *, add_special: bool = False) -> list[int]:
        """See ``Engine``."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special)
        return ids

    def detokenize(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def tokenizer_info(self) -> TokenizerInfo:
        """See ``Engine``."""
        return TokenizerInfo(
            eos_token=self._tokenizer.eos_token,
            bos_token=self._tokenizer.bos_token,
            pad_token=self._tokenizer.pad_token,
            chat_template=self._tokenizer.chat_template,
        )

    def constraint(self, grammar: Grammar) -> Constraint:
        """See ``Engine``."""
        return self._grammars.compile(grammar)

    def generate(
        self, prompt_ids: Sequence[int], params: SamplingParams, *, adapter: str | None = ACTIVE
    ) -> Generation:
        """See ``Engine``.

        Args:
            prompt_ids: not empty.
            params: how tokens are drawn.
            adapter: that answers; None = the bare base.
        """
        generation = Generation()
        self._enqueue(
            AnswerJob(
                prompt_ids,
                params,
                generation,
                adapter=self._named(adapter),
                stop_ids=self.stop_ids,
            )
        )
        return generation

    async def score(
        self,
        ids: Sequence[int],
        *,
        from_position: int = 1,
        top: int = 0,
        adapter: str | None = ACTIVE,
    ) -> list[TokenScore]:
        """See ``Engine``; ``adapter`` as in :meth:`generate`."""
        job = ScoreJob(
            ids,
            from_position=from_position,
            top=top,
            adapter=self._named(adapter),
            size=self.vocabulary_size,
        )
        self._enqueue(job)
        try:
            return await job.result
        finally:
            job.cancelled = True

    @property
    def active(self) -> int:
        """See ``Engine``."""
        return len(self._reading) + len(self._writing())

    @property
    def waiting(self) -> int:
        """See ``Engine``."""
        return len(self._waiting)

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

    def _named(self, adapter: str | None) -> str | None:
        return self._forward.active if adapter == ACTIVE else adapter

    def _enqueue(self, job: Job) -> None:
        with self._wake:
            if not self.healthy:
                raise EngineClosedError
            if len(self._waiting) >= self._max_waiting:
                raise QueueFullError
            self._waiting.append(job)
            self._wake.notify()

    def _work(self) -> None:
        import torch

        try:
            with torch.inference_mode():
                while self._admit():
                    self._read()
                    self._write()
        finally:
            with self._wake:
                # so too when the worker dies of a bug of ours: nobody may wait for ever
                self._closed = True
                left = [*self._reading, *self._writing(), *self._waiting]
            for job in left:
                job.fail(EngineClosedError())

    def _admit(self) -> bool:
        """Wait until there is work, then fill up the active requests; False = closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._waiting or self.active)
            while self._waiting and (not self.active or self._has_room(self._waiting[0])):
                job = self._waiting.popleft()
                if not job.cancelled:
                    job.order = next(self._order)
                    self._reading.append(job)
            return not self._closed

    def _has_room(self, job: Job) -> bool:
        """Whether one more request may be at work, and the caches have memory for it."""
        active = [*self._reading, *self._writing()]
        longest = max(len(one.tokens) for one in (job, *active))
        return len(active) < self._max_active and (len(active) + 1) * longest <= self._cells

    def _writing(self) -> list[AnswerJob]:
        return [*self._in_turn, *(job for batch in self._batches.values() for job in batch.jobs)]

    def _read(self) -> None:
        """Prompts in turn, a chunk at a time, so far as one round allows."""
        left = PREFILL_CHUNK
        while self._reading and left > 0:
            job = self._reading.popleft()
            left -= job.next_size()
            if job.cancelled:
                continue
            try:
                with self._forward.adapted(job.adapter):
                    progress = job.advance(self._forward)
            except Exception as error:
                # raised again where the answer is awaited; the other requests go on
                job.fail(error)
                continue
            if progress == "more":
                self._reading.append(job)
            elif progress == "decode" and isinstance(job, AnswerJob):
                self._join(job)

    def _join(self, job: AnswerJob) -> None:
        if not self._layers:
            self._in_turn.append(job)
            return
        if job.adapter not in self._batches:
            self._batches[job.adapter] = DecodeBatch(
                self._forward,
                layers=self._layers,
                adapter=job.adapter,
                max_cells=self._cells // (len(self.adapters) + 1),
                give_way=self._wait_again,
            )
        self._batches[job.adapter].join(job)

    def _wait_again(self, job: AnswerJob) -> None:
        with self._wake:
            self._waiting.appendleft(job)

    def _write(self) -> None:
        """One token of every answer."""
        self._in_turn = [job for job in self._in_turn if self._alone(job)]
        for batch in self._batches.values():
            try:
                batch.step()
            except Exception as error:
                # the pass as a whole failed, for want of memory for instance; others go on
                batch.fail(error)

    def _alone(self, job: AnswerJob) -> bool:
        if job.cancelled:
            return False
        try:
            with self._forward.adapted(job.adapter):
                return job.decode(self._forward)
        except Exception as error:
            job.fail(error)
            return False


def open_engine(folder: Path, **options: Any) -> EmbeddedEngine:
    """Load the model in ``folder`` onto the best device of this machine.

    Args:
        folder: a model folder (config, safetensors, tokenizer, template).
        **options: of :class:`EmbeddedEngine`.

    Raises:
        UserError: the folder does not hold a model that can be served.
    """
    from train.device import find_device
    from train.load import load_model, load_tokenizer, resolve_base

    path, device = str(folder), find_device()
    resolve_base(path)
    if device.kind == "cuda":
        dtype = "bfloat16" if device.bf16 else "float32"
    else:
        use_own_cores()
        # what is stored in 32 bits is never rounded: it would answer otherwise than it was judged
        dtype = faster_dtype() if device.kind == "cpu" and _is_half(folder) else "float32"
    return EmbeddedEngine(
        load_model(path, dtype=dtype).to(device.kind),
        load_tokenizer(path),
        provenance=read_provenance(folder),
        created=int((folder / "config.json").stat().st_mtime),
        **options,
    )


def _is_half(folder: Path) -> bool:
    """Whether the weights are stored in 16 bits, by the model's config."""
    config = read_json(folder / "config.json")
    return (config.get("dtype") or config.get("torch_dtype")) in {"bfloat16", "float16"}


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

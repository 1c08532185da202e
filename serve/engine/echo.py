"""An engine without a model: it answers with the last message. For tests and for dry runs.

One token is one byte of UTF-8, so most of what can go wrong with text goes wrong here too.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.message import ROLES
from serve.engine.base import (
    AssistantTurn,
    EngineClosedError,
    GeneratedToken,
    Generation,
    Grammar,
    GrammarError,
    PromptError,
    Provenance,
    QueueFullError,
    RenderedChat,
    SamplingParams,
    TokenizerInfo,
    TokenScore,
)

if TYPE_CHECKING:
    import numpy as np

END = 256
_ROLE_IDS = {role: END + 1 + place for place, role in enumerate(sorted(ROLES))}
_NAMES = {END: "<end>"} | {token: f"<{role}>" for role, token in _ROLE_IDS.items()}
_IDS = {name: token for token, name in _NAMES.items()}
_SPECIAL = re.compile("|".join(map(re.escape, _IDS)))


@dataclass(frozen=True)
class EchoConstraint:
    """Holds nothing to anything: what is echoed is decided by who asks.

    Attributes:
        grammar: as asked for.
    """

    grammar: Grammar

    def start(self) -> "EchoConstraint":
        """See ``Constraint``."""
        return self

    def allowed(self) -> "np.ndarray[Any, Any]":
        """See ``ConstraintState``."""
        import numpy as np

        return np.ones(EchoEngine.vocabulary_size, dtype=bool)

    def accept(self, token_id: int) -> None:
        """See ``ConstraintState``."""


class EchoEngine:
    """Answers with the content of the last message, byte by byte; see ``Engine``.

    Args:
        context_length: prompt and answer together.
        capacity: requests at work at once; one more is refused.
        delay_s: pause before each token.
        provenance: as a model folder's certificate would say.
    """

    vocabulary_size = END + 1 + len(_ROLE_IDS)

    def __init__(
        self,
        *,
        context_length: int = 4096,
        capacity: int = 8,
        delay_s: float = 0.0,
        provenance: Provenance | None = None,
    ) -> None:
        self.context_length = context_length
        self.created = 0
        self.provenance = provenance
        self._capacity = capacity
        self._delay_s = delay_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def active(self) -> int:
        """Requests at work."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """None: what is not at work at once is refused."""
        return 0

    def prompt(
        self,
        messages: Sequence[dict[str, Any]],
        tools: list[dict[str, Any]] | None,  # noqa: ARG002 - part of the protocol
    ) -> list[int]:
        """One id for the role, the content's bytes, an end; then the assistant's role."""
        ids: list[int] = []
        for message in messages:
            if message["role"] not in _ROLE_IDS:
                raise PromptError(f"role {message['role']!r} has no token")
            ids += [_ROLE_IDS[message["role"]], *message["content"].encode(), END]
        return [*ids, _ROLE_IDS["assistant"]] if ids else []

    def render(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> RenderedChat:
        """See ``Engine``; a message's content and its end are trained."""
        ids: list[int] = []
        turns = []
        for index, message in enumerate(messages):
            start = len(ids) + 1
            ids += self.prompt([message], tools)[:-1]
            if message["role"] == "assistant":
                turns.append(AssistantTurn(index, list(range(start, len(ids)))))
        return RenderedChat(ids, turns)

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        return bytes(token for token in ids if token < END).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """See ``Engine``."""
        return _NAMES[token_id].encode() if token_id >= END else bytes([token_id])

    def tokenize(self, text: str, *, add_special: bool = False) -> list[int]:
        """See ``Engine``; a text gets an end after it, when asked for."""
        ids: list[int] = []
        place = 0
        for special in _SPECIAL.finditer(text):
            ids += [*text[place : special.start()].encode(), _IDS[special[0]]]
            place = special.end()
        return [*ids, *text[place:].encode(), *([END] if add_special else [])]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See ``Engine``."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def tokenizer_info(self) -> TokenizerInfo:
        """See ``Engine``."""
        return TokenizerInfo(eos_token=_NAMES[END])

    def constraint(self, grammar: Grammar) -> EchoConstraint:
        """See ``Engine``; only whether a schema is a JSON object is looked at."""
        if grammar.kind == "json_schema":
            try:
                schema = json.loads(grammar.text)
            except ValueError:
                raise GrammarError("the schema is not JSON") from None
            if not isinstance(schema, dict):
                raise GrammarError("the schema is not a JSON object")
        return EchoConstraint(grammar)

    async def score(
        self, ids: Sequence[int], *, from_position: int = 1, top: int = 0
    ) -> list[TokenScore]:
        """See ``Engine``; every token is certain."""
        if self._closed:
            raise EngineClosedError
        if len(self._tasks) >= self._capacity:
            raise QueueFullError
        return [TokenScore(one, 0.0, ((one, 0.0),) if top else ()) for one in ids[from_position:]]

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Generation:
        """See ``Engine``."""
        if self._closed:
            raise EngineClosedError
        if len(self._tasks) >= self._capacity:
            raise QueueFullError
        body = list(prompt_ids)[:-2]
        start = max((place for place, token in enumerate(body) if token > END), default=-1)
        generation = Generation()
        task = asyncio.create_task(self._answer(body[start + 1 :], params, generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return generation

    async def _answer(
        self, answer: list[int], params: SamplingParams, generation: Generation
    ) -> None:
        asked = params.top_logprobs is not None
        for count, token in enumerate([*answer, END], start=1):
            await asyncio.sleep(self._delay_s)
            if generation.cancelled:
                return
            ended = token == END
            last = ended or count == params.max_tokens
            generation.put(
                GeneratedToken(
                    token,
                    ("stop" if ended else "length") if last else None,
                    0.0 if asked else None,
                    ((token, 0.0),) if params.top_logprobs else (),
                )
            )
            if last:
                return

    @property
    def healthy(self) -> bool:
        """See ``Engine``."""
        return not self._closed

    def close(self) -> None:
        """See ``Engine``."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

"""Lets one model at a time be scored and asked."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from serve.api.run import RunningServer
from serve.engine.embedded import EmbeddedEngine
from serve.evaluation import nll
from serve.evaluation.report import Answer, EvaluationError
from serve.evaluation.samples import Endpoint, Question

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class ModelRef(NamedTuple):
    """A model to load: where it lies, and what it is called."""

    place: str
    revision: str | None
    name: str


class Judged(NamedTuple):
    """What one model showed: its scores, and its answers where it was asked."""

    scores: list[nll.ConversationNll]
    answers: list[Answer] | None


@dataclass(frozen=True)
class Judge:
    """Scores and asks models; what it holds is the same for each.

    Attributes:
        tokenizer: of the tuned model, used for both.
        encoded: conversations to score.
        questions: to ask.
        seed: of the answers.
        answer_tokens: length they may have.
        on_progress: see :data:`Progress`.
    """

    tokenizer: Any
    encoded: Sequence[nll.Encoded]
    questions: Sequence[Question]
    seed: int
    answer_tokens: int
    on_progress: Progress | None

    def _told(self, what: str) -> Callable[[int, int], None]:
        def tell(done: int, of: int) -> None:
            if self.on_progress:
                self.on_progress(what, done, of)

        return tell

    def here(self, role: str, ref: ModelRef, *, ask: bool) -> Judged:
        """Load one model, score it, ask it on a server of our own, let it go."""
        try:
            return self._here(role, ref, ask)
        finally:
            # the server's application holds itself in circles, and the model with it
            gc.collect()
            _give_back_cache()

    def _here(self, role: str, ref: ModelRef, ask: bool) -> Judged:
        from train.device import find_device
        from train.load import load_model

        model = load_model(ref.place, ref.revision, dtype="float32").to(find_device().kind)
        scores = nll.score(model, self.encoded, on_progress=self._told(f"score {role}"))
        if not ask:
            return Judged(scores, None)
        with (
            RunningServer({role: EmbeddedEngine(model, self.tokenizer)}) as server,
            Endpoint(server.url) as endpoint,
        ):
            return Judged(scores, self._ask(endpoint, role, role))

    def _ask(self, endpoint: Endpoint, role: str, name: str) -> list[Answer]:
        answers: list[Answer] = []
        told = self._told(f"ask {role}")
        for question in self.questions:
            answers.append(
                endpoint.answer(name, question, seed=self.seed, max_tokens=self.answer_tokens)
            )
            told(len(answers), len(self.questions))
        return answers

    def elsewhere(
        self, endpoint: Endpoint, judged: dict[str, Judged], names: dict[str, list[str]]
    ) -> dict[str, Judged]:
        """Ask the models of a running endpoint; the base only if it is served there.

        Args:
            endpoint: where they are served.
            judged: by role, with scores; ``model`` is the tuned one.
            names: under which each may be served.

        Raises:
            EvaluationError: the tuned model is not served.
        """
        served = endpoint.models()
        found = {
            role: next((name for name in known if name in served), None)
            for role, known in names.items()
        }
        if found["model"] is None:
            raise EvaluationError(
                f"the endpoint does not serve {names['model'][0]}; it serves {', '.join(served)}",
                f"start it with 'turnmill serve --model {names['model'][0]}'",
            )
        return {
            role: one._replace(answers=self._ask(endpoint, role, name) if name else None)
            for role, one in judged.items()
            for name in [found[role]]
        }


def _give_back_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()

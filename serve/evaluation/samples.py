"""Held-out prompts and what models answer to them, asked through an OpenAI-style endpoint."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from pydantic import SecretStr

from serve.evaluation.report import Answer, EvaluationError, SampleMessage

if TYPE_CHECKING:
    import openai

COUNT = 8
ANSWER_TOKENS = 200


@dataclass(frozen=True)
class Question:
    """A conversation without its last answer.

    Attributes:
        id: of the conversation.
        messages: in the shape of the chat completions API.
        tools: likewise, or None.
        reference: the last answer.
    """

    id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    reference: str

    @property
    def shown(self) -> list[SampleMessage]:
        """The prompt as a report shows it."""
        return [
            SampleMessage(role=message["role"], content=message["content"])
            for message in self.messages
        ]


def choose(
    rows: Iterable[dict[str, Any]],
    fits: Callable[[Question], bool],
    *,
    seed: int,
    count: int = COUNT,
) -> list[Question]:
    """Pick questions from held-out rows, in the rows' order.

    Args:
        rows: of a dataset version.
        fits: whether prompt and answer have room in the context.
        seed: of the choice.
        count: at most so many.
    """
    asked = [question for row in rows if (question := _question(row)) is not None]
    order = np.random.default_rng(seed).permutation(len(asked))
    chosen: list[int] = []
    for index in order.tolist():
        if len(chosen) == count:
            break
        if fits(asked[index]):
            chosen.append(index)
    return [asked[index] for index in sorted(chosen)]


def _question(row: dict[str, Any]) -> Question | None:
    """The row up to its last answer in words; None if nothing or nobody asks for one."""
    messages = row["messages"]
    answers = [
        place
        for place, message in enumerate(messages)
        if message["role"] == "assistant" and message["content"] and not message["tool_calls"]
    ]
    if not answers or not any(message["role"] == "user" for message in messages[: answers[-1]]):
        return None
    last = answers[-1]
    return Question(
        id=row["id"],
        messages=[_api_message(message) for message in messages[:last]],
        tools=orjson.loads(row["tools"]) if row.get("tools") else None,
        reference=messages[last]["content"],
    )


def _api_message(message: dict[str, Any]) -> dict[str, Any]:
    api: dict[str, Any] = {"role": message["role"], "content": message["content"] or ""}
    for key, name in (("name", "name"), ("reasoning", "reasoning_content"),
                      ("tool_call_id", "tool_call_id")):  # fmt: skip
        if message[key] is not None:
            api[name] = message[key]
    if message["tool_calls"]:
        api["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for call in message["tool_calls"]
        ]
    return api


class Endpoint:
    """An OpenAI-style endpoint, asked with the official client.

    Args:
        base_url: with or without ``/v1``.
        api_key: if it needs one.
    """

    def __init__(self, base_url: str, api_key: SecretStr | None = None) -> None:
        import openai

        root = base_url.rstrip("/").removesuffix("/v1")
        self._client = openai.OpenAI(
            base_url=f"{root}/v1",
            api_key=api_key.get_secret_value() if api_key else "none",
            # prompts are private: no proxy from the environment, no account headers
            http_client=openai.DefaultHttpxClient(trust_env=False),
            organization="",
            project="",
        )

    def __enter__(self) -> "Endpoint":
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def models(self) -> list[str]:
        """Names of the served models.

        Raises:
            EvaluationError: nothing answers there.
        """
        with _reaching(self._client):
            return [card.id for card in self._client.models.list()]

    def answer(self, model: str, question: Question, *, seed: int, max_tokens: int) -> Answer:
        """The greedy answer of one model; a refused prompt is an answer with an error.

        Raises:
            EvaluationError: the endpoint cannot be reached.
        """
        import openai

        body: dict[str, Any] = {"messages": question.messages}
        if question.tools:
            body["tools"] = question.tools
        with _reaching(self._client):
            try:
                completion = self._client.chat.completions.create(
                    model=model, temperature=0, seed=seed, max_tokens=max_tokens, **body
                )
            except openai.BadRequestError as error:
                return Answer(text="", finish_reason=None, error=error.code or "bad_request")
        choice = completion.choices[0]
        return Answer(text=choice.message.content or "", finish_reason=choice.finish_reason)


class _reaching:  # noqa: N801 - reads as a verb at the `with`
    """Turns a dead or hostile endpoint into an error that the user can mend."""

    def __init__(self, client: "openai.OpenAI") -> None:
        self._where = str(client.base_url)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        import openai

        if isinstance(error, openai.APIStatusError):
            raise EvaluationError(
                f"{self._where}: answered with status {error.status_code}",
                "check its log, the model's name and the API key",
            ) from None
        if isinstance(error, openai.APIConnectionError):
            raise EvaluationError(
                f"{self._where}: cannot be reached", "start it with 'turnmill serve'"
            ) from None

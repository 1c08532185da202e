"""The OpenAI response shapes that the server answers with, and its own."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from serve.engine.base import FinishReason


class Answer(BaseModel):
    """What all response bodies have in common."""

    model_config = ConfigDict(frozen=True)


class TopLogprob(Answer):
    """An alternative at one position."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of the answer under the model's raw distribution."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(Answer):
    """Log probabilities of an answer's tokens."""

    content: list[TokenLogprob]
    refusal: None = None


class CalledFunction(Answer):
    """What is called; the arguments are JSON text, as the model wrote them."""

    name: str
    arguments: str


class ToolCall(Answer):
    """A call that the model makes."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class AnswerMessage(Answer):
    """The answer; ``reasoning_content`` and ``tool_calls`` are there only if the model gave any."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


ChatFinish = FinishReason | Literal["tool_calls"]


class Choice(Answer):
    """One of the n answers."""

    index: int
    message: AnswerMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: ChatFinish


class Usage(Answer):
    """Tokens of the prompt (once) and of all answers (end tokens included)."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Answer):
    """Response of ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class FunctionDelta(Answer):
    """The next part of a call's arguments; the name comes with the first."""

    name: str | None = None
    arguments: str


class ToolCallDelta(Answer):
    """The news of one call; id, type and name come once."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class Delta(Answer):
    """What is new in a chunk; unset fields are not sent."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(Answer):
    """The news of one answer."""

    index: int
    delta: Delta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: ChatFinish | None = None


class ChatChunk(Answer):
    """One event of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ModelCard(Answer):
    """A served model; the fields after ``owned_by`` are ours, from its merge certificate."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "turnmill"
    context_length: int
    base_model: str | None = None
    run: str | None = None
    dataset_fingerprint: str | None = None
    merge_verdict: str | None = None


class ModelList(Answer):
    """Response of ``GET /v1/models``."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class ErrorBody(Answer):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(Answer):
    """Every answer with a status of 400 or more."""

    error: ErrorBody


class Health(Answer):
    """Response of ``GET /health``."""

    status: Literal["ok", "unavailable"]

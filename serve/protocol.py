"""The OpenAI request and response shapes that the server speaks.

Rule: a request field is either honoured or refused by name; none is dropped in silence.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ingest.message import Role
from serve.engine.base import FinishReason

MAX_CHOICES = 8
MAX_LOGPROBS = 20
MAX_STOPS = 16
MAX_DEPTH = 64


def _text(content: Any) -> Any:
    """Content parts joined to text; anything but text is refused."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        if kind != "text" or not isinstance(part.get("text"), str) or len(part) != 2:
            raise PydanticCustomError(
                "text_only",
                "only text content is supported, not a part of type {kind}",
                {"kind": repr(kind)},
            )
        texts.append(part["text"])
    return "".join(texts)


def _sound(body: Any) -> Any:
    """Refuse what JSON allows and tokenizers or templates break on."""
    stack = [(body, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise PydanticCustomError("depth", "the body is nested too deeply")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise PydanticCustomError(
                    "surrogate", "a text holds half of a surrogate pair"
                ) from None
        elif isinstance(value, dict):
            stack += ((inner, depth + 1) for pair in value.items() for inner in pair)
        elif isinstance(value, list):
            stack += ((inner, depth + 1) for inner in value)
    return body


def _list_of_stops(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


def _only_zero(value: float) -> float:
    if value != 0:
        raise PydanticCustomError("unsupported_value", "a value other than 0 is not supported")
    return value


Text = Annotated[str | None, BeforeValidator(_text)]
Neutral = Annotated[float, AfterValidator(_only_zero)]
Stop = Annotated[str, Field(min_length=1, max_length=1000)]


class _Request(BaseModel):
    # strict: "0.5" is no number and true is no integer; a client's slip should not be guessed at
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FunctionCall(_Request):
    """The function of a call that an earlier answer made."""

    name: str
    arguments: str = Field(description="JSON text")


class RequestToolCall(_Request):
    """A call that an earlier answer made."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(_Request):
    """One message of the prompt."""

    role: Role
    content: Text = None
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    tool_call_id: str | None = None
    refusal: None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ChatMessage":
        if self.content is None and not self.tool_calls:
            raise PydanticCustomError("no_content", "content is missing")
        return self


class FunctionDefinition(_Request):
    """What a tool is; handed to the chat template as it is."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Request):
    """A tool offered to the model."""

    type: Literal["function"]
    function: FunctionDefinition


class StreamOptions(_Request):
    """Only with ``stream``."""

    include_usage: bool = False


class ResponseFormat(_Request):
    """Only free text for now."""

    type: Literal["text"]


class ChatRequest(_Request):
    """Body of ``POST /v1/chat/completions``."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    stop: Annotated[
        list[Stop] | None, BeforeValidator(_list_of_stops), Field(max_length=MAX_STOPS)
    ] = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=0, description="not OpenAI's; 0 = all")
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: ResponseFormat | None = None
    # neutral values only: many clients send them unasked
    presence_penalty: Neutral | None = None
    frequency_penalty: Neutral | None = None
    user: str | None = Field(default=None, description="an opaque tag; neither used nor logged")

    @model_validator(mode="before")
    @classmethod
    def _body_is_sound(cls, body: Any) -> Any:
        return _sound(body)

    @model_validator(mode="after")
    def _fields_agree(self) -> "ChatRequest":
        if self.stream_options is not None and not self.stream:
            raise PydanticCustomError("stream_options", "stream_options needs stream = true")
        if self.top_logprobs is not None and not self.logprobs:
            raise PydanticCustomError("top_logprobs", "top_logprobs needs logprobs = true")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise PydanticCustomError(
                "max_tokens", "max_tokens and max_completion_tokens are one setting; send one"
            )
        return self


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class TopLogprob(_Response):
    """An alternative at one position."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of the answer under the model's raw distribution."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(_Response):
    """Log probabilities of an answer's tokens."""

    content: list[TokenLogprob]
    refusal: None = None


class AnswerMessage(_Response):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(_Response):
    """One of the n answers."""

    index: int
    message: AnswerMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason


class Usage(_Response):
    """Tokens of the prompt (once) and of all answers (end tokens included)."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(_Response):
    """Response of ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(_Response):
    """What is new in a chunk; unset fields are not sent."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(_Response):
    """The news of one answer."""

    index: int
    delta: Delta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: FinishReason | None = None


class ChatChunk(_Response):
    """One event of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ModelCard(_Response):
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


class ModelList(_Response):
    """Response of ``GET /v1/models``."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class ErrorBody(_Response):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(_Response):
    """Every answer with a status of 400 or more."""

    error: ErrorBody

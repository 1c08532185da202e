"""The OpenAI request shapes that the server understands.

Rule: a request field is either honoured or refused by name; none is dropped in silence.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ingest.message import Role

MAX_CHOICES = 8
MAX_LOGPROBS = 20
MAX_STOPS = 16
MAX_DEPTH = 64
MAX_BIASES = 1024
MAX_TOOLS = 128


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


def sound(body: Any) -> Any:
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


def _token_ids(biases: dict[str, float]) -> dict[str, float]:
    for token in biases:
        if not re.fullmatch(r"[0-9]{1,9}", token):
            raise PydanticCustomError("token_id", "a key is not a token id")
    return biases


_TEXT_PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    "required": ["type", "text"],
    "additionalProperties": False,
}
Text = Annotated[
    str | None,
    BeforeValidator(_text),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": _TEXT_PART}, {"type": "null"}]}
    ),
]
Stop = Annotated[str, Field(min_length=1, max_length=1000)]
_STOP = {"type": "string", "minLength": 1, "maxLength": 1000}
Stops = Annotated[
    Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None,
    BeforeValidator(_list_of_stops),
    WithJsonSchema(
        {"anyOf": [_STOP, {"type": "array", "items": _STOP, "maxItems": MAX_STOPS},
                   {"type": "null"}]}
    ),
]  # fmt: skip
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Biases = Annotated[
    dict[str, Bias],
    AfterValidator(_token_ids),
    Field(
        max_length=MAX_BIASES,
        description="added to the logits, by token id",
        json_schema_extra={"propertyNames": {"pattern": "^[0-9]{1,9}$"}},
    ),
]


class Request(BaseModel):
    """What all request bodies have in common: no field unknown, no value guessed at."""

    # strict: "0.5" is no number and true is no integer; a client's slip should not be guessed at
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Body(Request):
    """A whole body."""

    @model_validator(mode="before")
    @classmethod
    def _is_sound(cls, body: Any) -> Any:
        return sound(body)


class StreamOptions(Request):
    """Only with ``stream``."""

    include_usage: bool | None = None


class SamplingRequest(Body):
    """How tokens are drawn, and how the answer is sent; the same for chat and for completions."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    stop: Stops = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=0, lt=2**31, description="not OpenAI's; 0 = all")
    min_p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="not OpenAI's; least share of the likeliest token's probability",
    )
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    user: str | None = Field(default=None, description="an opaque tag; neither used nor logged")

    @model_validator(mode="after")
    def _streams_have_options(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise PydanticCustomError("stream_options", "stream_options needs stream = true")
        return self


class FunctionCall(Request):
    """The function of a call that an earlier answer made."""

    name: str
    arguments: str = Field(description="JSON text")


class RequestToolCall(Request):
    """A call that an earlier answer made."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Request):
    """One message of the prompt."""

    role: Role
    content: Text = None
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    tool_call_id: str | None = None
    refusal: None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise PydanticCustomError("no_content", "content is missing")
        return self


class FunctionDefinition(Request):
    """What a tool is; handed to the chat template as it is."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Request):
    """A tool offered to the model."""

    type: Literal["function"]
    function: FunctionDefinition


class JsonSchema(Request):
    """The schema that an answer keeps to."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    description: str | None = None
    definition: dict[str, Any] = Field(alias="schema")
    strict: bool | None = Field(default=None, description="the answer always keeps to the schema")


class TextFormat(Request):
    """Free text."""

    type: Literal["text"]


class JsonObjectFormat(Request):
    """A JSON object, whatever is in it."""

    type: Literal["json_object"]


class JsonSchemaFormat(Request):
    """JSON that a schema describes."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[
    TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")
]


class FunctionName(Request):
    """A function by its name."""

    name: str


class NamedToolChoice(Request):
    """The one tool that must be called."""

    type: Literal["function"]
    function: FunctionName


class ChatRequest(SamplingRequest):
    """Body of ``POST /v1/chat/completions``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "support", "messages": [{"role": "user", "content": "Hello"}],
                 "max_tokens": 16}
            ]
        }
    )  # fmt: skip

    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)
    tools: list[Tool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise PydanticCustomError("top_logprobs", "top_logprobs needs logprobs = true")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise PydanticCustomError(
                "max_tokens", "max_tokens and max_completion_tokens are one setting; send one"
            )
        if self.tool_choice not in (None, "none", "auto"):
            self._check_forced()
        return self

    def _check_forced(self) -> None:
        names = {tool.function.name for tool in self.tools or ()}
        chosen = self.tool_choice
        if not names or (isinstance(chosen, NamedToolChoice) and chosen.function.name not in names):
            raise PydanticCustomError("tool_choice", "tool_choice needs that tool among the tools")
        if self.response_format is not None and self.response_format.type != "text":
            raise PydanticCustomError(
                "tool_choice", "tool_choice that forces a call excludes response_format"
            )

"""Request and response shapes of the other routes: completions, tokens, scores."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from serve.api.objects import Answer, Usage
from serve.engine.base import FinishReason
from serve.protocol import Body, ChatMessage, SamplingRequest, Tool

MAX_PROMPTS = 64
MAX_LEGACY_LOGPROBS = 20

TokenId = Annotated[int, Field(ge=0, lt=2**31)]
_TEXT = {"type": "string", "minLength": 1}
_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}


def _list_of_prompts(prompt: Any) -> Any:
    """One prompt as a list of one: a text, or a list of token ids."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt and all(type(one) is int for one in prompt):
        return [prompt]
    if isinstance(prompt, list) and not (
        all(isinstance(one, str) for one in prompt) or all(isinstance(one, list) for one in prompt)
    ):
        raise PydanticCustomError(
            "prompt", "a prompt is a text, a list of texts, token ids, or lists of token ids"
        )
    return prompt


PromptText = Annotated[str, Field(min_length=1)]
PromptIds = Annotated[list[TokenId], Field(min_length=1)]
Prompts = Annotated[
    list[PromptText] | list[PromptIds],
    BeforeValidator(_list_of_prompts),
    Field(min_length=1, max_length=MAX_PROMPTS),
    WithJsonSchema(
        {
            "anyOf": [
                _TEXT,
                _IDS,
                {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_PROMPTS},
                {"type": "array", "items": _IDS, "minItems": 1, "maxItems": MAX_PROMPTS},
            ]
        }
    ),
]


class CompletionRequest(SamplingRequest):
    """Body of ``POST /v1/completions``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "support", "prompt": "Once upon a time", "max_tokens": 8},
                {"model": "support", "prompt": [[72, 105]], "max_tokens": 1,
                 "echo": True, "logprobs": 1},
            ]
        }
    )  # fmt: skip

    prompt: Prompts
    max_tokens: int | None = Field(
        default=None, ge=0, description="16 unless told; 0 only with echo"
    )
    echo: bool | None = Field(default=None, description="give the prompt back before the answer")
    logprobs: int | None = Field(default=None, ge=0, le=MAX_LEGACY_LOGPROBS)

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.max_tokens == 0 and not self.echo:
            raise PydanticCustomError("max_tokens", "max_tokens = 0 needs echo = true")
        if self.echo and self.stream:
            raise PydanticCustomError("echo", "echo excludes stream")
        return self


class LegacyLogprobs(Answer):
    r"""Log probabilities as the completions route has them; the lists are of one length.

    Attributes:
        tokens: texts of the tokens; what is no whole character is written ``bytes:\xNN``.
        token_logprobs: natural; null for the very first token of a prompt.
        top_logprobs: by token text, the token itself among them; null like the above.
        text_offset: where each token starts in the choice's text, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(Answer):
    """One continuation of one prompt; n of them for each, in the order of the prompts."""

    index: int
    text: str
    logprobs: LegacyLogprobs | None
    finish_reason: FinishReason | None


class Completion(Answer):
    """Response of ``POST /v1/completions``."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage


class CompletionChunk(Answer):
    """One event of a streamed completion."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class TokenizeRequest(Body):
    """Body of ``POST /tokenize``."""

    model: str | None = Field(default=None, description="needed where several are served")
    prompt: str
    add_special_tokens: bool | None = Field(default=None, description="true unless told")


class Tokens(Answer):
    """Response of ``POST /tokenize``."""

    tokens: list[int]
    count: int
    max_model_len: int


class DetokenizeRequest(Body):
    """Body of ``POST /detokenize``."""

    model: str | None = Field(default=None, description="needed where several are served")
    tokens: list[TokenId]


class DetokenizedText(Answer):
    """Response of ``POST /detokenize``: the text, special tokens by their names."""

    prompt: str


class TokenizerInfo(Answer):
    """Response of ``GET /tokenizer_info``."""

    eos_token: str | None
    bos_token: str | None = None
    pad_token: str | None = None
    chat_template: str | None = None
    vocab_size: int
    max_model_len: int


class ScoreRequest(Body):
    """Body of ``POST /v1/score``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "support", "messages": [
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hi, how can I help?"}]}
            ]
        }
    )  # fmt: skip

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    tools: list[Tool] | None = None
    user: str | None = Field(default=None, description="an opaque tag; neither used nor logged")


class MessageScore(Answer):
    """What the model makes of one assistant message.

    Attributes:
        index: of the message in the request.
        logprob: sum over its trained tokens, in nats.
        tokens: how many these are, the one that ends the turn among them.
    """

    index: int
    logprob: float
    tokens: int


class Score(Answer):
    """Response of ``POST /v1/score``.

    Attributes:
        messages: of each assistant message.
        logprob: sum over all of them, in nats.
        tokens: how many tokens that are.
        mean_nll: ``-logprob / tokens``.
    """

    id: str
    object: Literal["score"] = "score"
    created: int
    model: str
    messages: list[MessageScore]
    logprob: float
    tokens: int
    mean_nll: float
    usage: Usage

"""A request's fields as an engine takes them, and whether its prompt fits."""

from typing import Any

from dataset.rows import chat_message
from serve.api.errors import ApiError
from serve.engine.base import Constraint, Engine, SamplingParams
from serve.protocol import ChatMessage, SamplingRequest


def template_message(message: ChatMessage) -> dict[str, Any]:
    """The message as chat templates take it, made by the code that made the training rows."""
    calls = [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in message.tool_calls or ()
    ]
    return chat_message(
        {
            "role": message.role,
            "content": message.content,
            "name": message.name,
            "reasoning": message.reasoning_content,
            "tool_call_id": message.tool_call_id,
            "tool_calls": calls,
        }
    )


def check_prompt(engine: Engine, length: int, *, param: str, most: int, answer: int = 1) -> None:
    """Refuse a prompt that is empty or leaves no room for ``answer`` tokens.

    Args:
        engine: whose context it must fit.
        length: of the prompt, tokens.
        param: the field that an error names.
        most: the server's own bound.
        answer: tokens that must fit behind it.

    Raises:
        ApiError: 400.
    """
    if not length:
        raise ApiError(400, "the prompt is empty", param=param, code="empty_prompt")
    if length > most:
        raise ApiError(
            400,
            f"the prompt has {length} tokens; this server takes {most} in one request",
            param=param,
            code="context_length_exceeded",
        )
    if length + answer > engine.context_length:
        raise ApiError(
            400,
            f"the prompt has {length} tokens; the context holds {engine.context_length}, "
            "answer included",
            param=param,
            code="context_length_exceeded",
        )


def check_room(engine: Engine, prompt: int, asked: int | None, *, param: str) -> int:
    """How many tokens the answer may have.

    Args:
        engine: whose context prompt and answer share.
        prompt: its length.
        asked: what the request asks for; None = what there is room for.
        param: the field that asked.

    Raises:
        ApiError: more is asked for than there is room (400).
    """
    room = engine.context_length - prompt
    if asked is not None and asked > room:
        raise ApiError(
            400,
            f"{param} is {asked}, but after {prompt} prompt tokens the context of "
            f"{engine.context_length} has room for {room}",
            param=param,
            code="context_length_exceeded",
        )
    return room if asked is None else asked


def sampling(
    body: SamplingRequest,
    engine: Engine,
    *,
    max_tokens: int,
    top_logprobs: int | None,
    constraint: Constraint | None = None,
) -> list[SamplingParams]:
    """One set of parameters per answer; answer i has the seed plus i.

    Raises:
        ApiError: a bias for a token that the vocabulary does not have (400).
    """
    biases = {int(token): bias for token, bias in (body.logit_bias or {}).items()}
    if any(token >= engine.vocabulary_size for token in biases):
        raise ApiError(
            400,
            f"logit_bias names a token id beyond the vocabulary of {engine.vocabulary_size}",
            param="logit_bias",
            code="invalid_value",
        )
    return [
        SamplingParams(
            max_tokens=max_tokens,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            top_k=body.top_k or 0,
            min_p=body.min_p or 0.0,
            presence_penalty=body.presence_penalty or 0.0,
            frequency_penalty=body.frequency_penalty or 0.0,
            logit_bias=biases,
            constraint=constraint,
            seed=None if body.seed is None else body.seed + choice,
            top_logprobs=top_logprobs,
        )
        for choice in range(body.n or 1)
    ]

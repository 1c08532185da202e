"""The route of plain completions."""

import asyncio
import secrets

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serve.api.admission import check_prompt, check_room, sampling
from serve.api.completions import CompletionWork, Prompt, chunks, completion
from serve.api.errors import ApiError
from serve.api.responses import EventStream, whole
from serve.api.service import Served, Service, now
from serve.api.shapes import Completion, CompletionRequest
from serve.engine.base import Engine, SamplingParams

router = APIRouter(tags=["OpenAI"])

_DEFAULT_TOKENS = 16  # OpenAI's


@router.post("/completions", response_model=Completion)
async def completions(body: CompletionRequest, request: Request, service: Served) -> Response:
    """Continue one or more texts, at once or as server-sent events."""
    work = await _checked(body, service)
    if body.stream:
        with_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        events = chunks(work, work.admit(0), include_usage=with_usage)
        return EventStream(events, work.generations, service.limits.request_s)
    return await whole(request, completion(work), service.limits.request_s)


async def _checked(body: CompletionRequest, service: Service) -> CompletionWork:
    engine = service.find(body.model)
    prompts = await asyncio.to_thread(_prompts, body.prompt, engine)
    most = service.limits.prompt_tokens
    check_all = sum(len(one.ids) for one in prompts)
    if check_all > most:
        raise ApiError(
            400,
            f"the prompts have {check_all} tokens; this server takes {most} in one request",
            param="prompt",
            code="context_length_exceeded",
        )
    return CompletionWork(
        id=f"cmpl-{secrets.token_hex(12)}",
        created=now(),
        model=body.model,
        engine=engine,
        metrics=service.metrics,
        prompts=prompts,
        params=[_params(body, engine, one, most) for one in prompts],
        stops=body.stop or (),
        echo=bool(body.echo),
        logprobs=body.logprobs,
    )


def _prompts(given: list[str] | list[list[int]], engine: Engine) -> list[Prompt]:
    """Tokenize what is text.

    Raises:
        ApiError: an id that the vocabulary does not have (400).
    """
    prompts = []
    for one in given:
        if isinstance(one, str):
            prompts.append(Prompt(engine.tokenize(one, add_special=True), one, shown=False))
            continue
        check_ids(one, engine, "prompt")
        prompts.append(Prompt(one, engine.detokenize(one), shown=True))
    return prompts


def check_ids(ids: list[int], engine: Engine, param: str) -> None:
    """Refuse token ids that the vocabulary does not have.

    Raises:
        ApiError: 400.
    """
    if any(token >= engine.vocabulary_size for token in ids):
        raise ApiError(
            400,
            f"{param} has a token id beyond the vocabulary of {engine.vocabulary_size}",
            param=param,
            code="invalid_value",
        )


def _params(
    body: CompletionRequest, engine: Engine, prompt: Prompt, most: int
) -> list[SamplingParams]:
    asked = body.max_tokens
    length = len(prompt.ids)
    check_prompt(engine, length, param="prompt", most=most, answer=0 if asked == 0 else 1)
    room = check_room(engine, length, asked, param="max_tokens")
    if asked == 0:
        return []
    return sampling(
        body,
        engine,
        max_tokens=min(room, _DEFAULT_TOKENS) if asked is None else asked,
        top_logprobs=None if body.logprobs is None else max(body.logprobs, 1),
    )

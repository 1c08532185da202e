"""The OpenAI routes: chat completions, models, health."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dataset.rows import chat_message
from serve.api.chat import ChatAnswer, chunks, completion
from serve.api.errors import ApiError, from_exception
from serve.engine.base import Engine, Generation, SamplingParams
from serve.engine.completion import admit
from serve.protocol import (
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    ErrorResponse,
    ModelCard,
    ModelList,
)

router = APIRouter()

# the client is gone and will not see it; the number is the one nginx made customary
_CLIENT_CLOSED = 499


def _engines(request: Request) -> dict[str, Engine]:
    models: dict[str, Engine] = request.app.state.models
    return models


Engines = Annotated[dict[str, Engine], Depends(_engines)]


@router.get("/health")
async def health(engines: Engines) -> JSONResponse:
    """200 while every model takes requests, else 503."""
    healthy = all(engine.healthy for engine in engines.values())
    return JSONResponse(
        {"status": "ok" if healthy else "unavailable"}, status_code=200 if healthy else 503
    )


@router.get("/v1/models")
async def list_models(engines: Engines) -> ModelList:
    """The served models, with what their merge certificates say."""
    return ModelList(data=[_card(name, engine) for name, engine in engines.items()])


@router.get("/v1/models/{name:path}")
async def retrieve_model(name: str, engines: Engines) -> ModelCard:
    """One served model."""
    return _card(name, _find(engines, name))


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def chat_completions(body: ChatRequest, request: Request, engines: Engines) -> Response:
    """Answer a conversation, at once or as server-sent events."""
    engine = _find(engines, body.model)
    # templates and tokenizers are slow on long prompts: off the event loop
    prompt_ids = await asyncio.to_thread(_prompt, engine, body)
    params = _sampling(body, engine.context_length, len(prompt_ids))
    generations = admit(engine, prompt_ids, params)
    answer = ChatAnswer(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=int(time.time()),
        model=body.model,
        engine=engine,
        generations=generations,
        prompt_tokens=len(prompt_ids),
        stops=body.stop or (),
        logprobs=bool(body.logprobs),
    )
    if body.stream:
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        return _EventStream(chunks(answer, include_usage=with_usage), generations)
    return await _whole(request, answer)


async def _whole(request: Request, answer: ChatAnswer) -> Response:
    """The answer in one piece; if the client leaves before it is ready, the work is cancelled."""
    work = asyncio.create_task(completion(answer))
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return Response(status_code=_CLIENT_CLOSED)
        return JSONResponse((await work).model_dump())
    finally:
        for generation in answer.generations:
            generation.cancel()
        work.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _EventStream(StreamingResponse):
    """Server-sent events that cancel the generations when the client is gone."""

    def __init__(self, content: AsyncIterator[bytes], generations: Sequence[Generation]) -> None:
        super().__init__(
            _with_errors(content),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._generations = generations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for generation in self._generations:
                generation.cancel()


async def _with_errors(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """An error in the middle of a stream as an event: the status line is long gone."""
    try:
        async for event in content:
            yield event
    except Exception as error:
        body = ErrorResponse(error=from_exception(error).body)
        yield b"data: " + body.model_dump_json().encode() + b"\n\n"
        # the cause goes to the server's log; the client sees the connection end
        raise


def _find(engines: dict[str, Engine], name: str) -> Engine:
    if name not in engines:
        raise ApiError(
            404,
            f"The model {name[:200]!r} does not exist; served: {', '.join(engines)}",
            param="model",
            code="model_not_found",
        )
    return engines[name]


def _card(name: str, engine: Engine) -> ModelCard:
    source = engine.provenance
    return ModelCard(
        id=name,
        created=engine.created,
        context_length=engine.context_length,
        base_model=source.base_model if source else None,
        run=source.run if source else None,
        dataset_fingerprint=source.dataset_fingerprint if source else None,
        merge_verdict=source.verdict if source else None,
    )


def _prompt(engine: Engine, body: ChatRequest) -> list[int]:
    tools = [tool.model_dump(exclude_none=True) for tool in body.tools or ()]
    offered = tools if tools and body.tool_choice != "none" else None
    ids = engine.prompt([_template_message(message) for message in body.messages], offered)
    if not ids:
        raise ApiError(400, "the prompt is empty", param="messages", code="empty_prompt")
    return ids


def _template_message(message: ChatMessage) -> dict[str, Any]:
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


def _sampling(body: ChatRequest, context_length: int, prompt_length: int) -> list[SamplingParams]:
    """One set of parameters per answer; answer i has the seed plus i.

    Raises:
        ApiError: prompt and answer do not fit into the context.
    """
    room = context_length - prompt_length
    if room < 1:
        raise ApiError(
            400,
            f"the prompt has {prompt_length} tokens; the context holds {context_length}, "
            "answer included",
            param="messages",
            code="context_length_exceeded",
        )
    field = "max_tokens" if body.max_tokens is not None else "max_completion_tokens"
    asked = body.max_tokens or body.max_completion_tokens
    if asked is not None and asked > room:
        raise ApiError(
            400,
            f"{field} is {asked}, but after {prompt_length} prompt tokens the context of "
            f"{context_length} has room for {room}",
            param=field,
            code="context_length_exceeded",
        )
    return [
        SamplingParams(
            max_tokens=asked or room,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            top_k=body.top_k or 0,
            seed=None if body.seed is None else body.seed + choice,
            top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        )
        for choice in range(body.n or 1)
    ]

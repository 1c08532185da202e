"""The route of chat completions."""

import asyncio
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serve.api.admission import check_prompt, check_room, sampling, template_message
from serve.api.chat import ChatAnswer, chunks, completion
from serve.api.errors import ApiError
from serve.api.forced import answer_grammar
from serve.api.objects import ChatCompletion
from serve.api.responses import EventStream, whole
from serve.api.service import Served, Service, now
from serve.api.tool_format import AnswerFormat, shows_tools
from serve.engine.base import Constraint, Engine
from serve.engine.completion import admit
from serve.protocol import ChatRequest

router = APIRouter(tags=["OpenAI"])


@router.post("/chat/completions", response_model=ChatCompletion)
async def chat_completions(body: ChatRequest, request: Request, service: Served) -> Response:
    """Answer a conversation, at once or as server-sent events."""
    answer = await _admitted(body, service)
    if body.stream:
        with_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        events = chunks(answer, include_usage=with_usage)
        return EventStream(events, answer.generations, service.limits.request_s)
    try:
        return await whole(request, completion(answer), service.limits.request_s)
    finally:
        for generation in answer.generations:
            generation.cancel()


async def _admitted(body: ChatRequest, service: Service) -> ChatAnswer:
    engine = service.find(body.model)
    found = await service.format(body.model)
    tools = _offered(body)
    if tools:
        await asyncio.to_thread(_check_tools, body, engine, found)
    # templates and tokenizers are slow on long prompts: off the event loop
    messages = [template_message(message) for message in body.messages]
    prompt_ids = await asyncio.to_thread(engine.prompt, messages, tools)
    limit = service.limits.prompt_tokens
    check_prompt(engine, len(prompt_ids), param="messages", most=limit)
    field = "max_tokens" if body.max_tokens is not None else "max_completion_tokens"
    asked = body.max_tokens or body.max_completion_tokens
    params = sampling(
        body,
        engine,
        max_tokens=check_room(engine, len(prompt_ids), asked, param=field),
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        constraint=await asyncio.to_thread(_constraint, body, engine, found),
    )
    return ChatAnswer(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=now(),
        model=body.model,
        engine=engine,
        metrics=service.metrics,
        generations=admit(engine, prompt_ids, params),
        prompt_tokens=len(prompt_ids),
        stops=body.stop or (),
        logprobs=bool(body.logprobs),
        format=AnswerFormat(found.tools if tools else None, found.thoughts),
        names=[tool["function"]["name"] for tool in tools or ()],
        parallel=body.parallel_tool_calls is not False,
    )


def _offered(body: ChatRequest) -> list[dict[str, Any]] | None:
    """The tools that the model is told of."""
    tools = [tool.model_dump(exclude_none=True) for tool in body.tools or ()]
    return tools if tools and body.tool_choice != "none" else None


def _check_tools(body: ChatRequest, engine: Engine, found: AnswerFormat) -> None:
    """Refuse tools that the model would not see, or whose calls could not be read.

    Raises:
        ApiError: 400.
    """
    if body.response_format is not None and body.response_format.type != "text":
        raise ApiError(
            400,
            "response_format holds the whole answer to JSON, which leaves no room for tools",
            param="response_format",
            code="unsupported_value",
        )
    if found.tools is None or not shows_tools(engine):
        raise ApiError(
            400,
            f"tools are not supported by {body.model[:200]}: its chat template does not show "
            "them, or writes calls in a form that is not JSON",
            param="tools",
            code="unsupported_value",
        )


def _constraint(body: ChatRequest, engine: Engine, found: AnswerFormat) -> Constraint | None:
    grammar = answer_grammar(body, engine, found.tools)
    return None if grammar is None else engine.constraint(grammar)

"""The route of scores: how likely a model finds what the assistant said in a conversation."""

import asyncio
import math
import secrets
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serve.api.admission import check_prompt, template_message
from serve.api.errors import ApiError
from serve.api.objects import Usage
from serve.api.responses import whole
from serve.api.service import Served, now
from serve.api.shapes import MessageScore, Score, ScoreRequest
from serve.engine.base import Engine, RenderedChat

router = APIRouter(tags=["turnmill"])

# every assistant message costs a render of the whole conversation
MAX_SCORED = 256


@router.post("/score", response_model=Score)
async def score(body: ScoreRequest, request: Request, service: Served) -> Response:
    """Log likelihood of the assistant's tokens, with the very mask that training counts."""
    engine = service.find(body.model)
    said = sum(message.role == "assistant" for message in body.messages)
    if not 1 <= said <= MAX_SCORED:
        raise ApiError(
            400,
            f"the messages hold {said} of the assistant; 1 to {MAX_SCORED} can be scored",
            param="messages",
            code="invalid_value",
        )
    messages = [template_message(message) for message in body.messages]
    tools = [tool.model_dump(exclude_none=True) for tool in body.tools or ()]
    chat = await asyncio.to_thread(engine.render, messages, tools or None)
    most = service.limits.prompt_tokens
    check_prompt(engine, len(chat.ids), param="messages", most=most, answer=0)
    service.metrics.prompt_tokens.labels(body.model).inc(len(chat.ids))
    return await whole(request, _scored(engine, body.model, chat), service.limits.request_s)


async def _scored(engine: Engine, model: str, chat: RenderedChat) -> Score:
    places = [place for turn in chat.turns for place in turn.positions]
    if not places:
        raise ApiError(
            400, "the assistant's messages are empty", param="messages", code="invalid_value"
        )
    first = min(places)
    scores = await engine.score(chat.ids, from_position=first)
    logprobs = {first + at: one.logprob for at, one in enumerate(scores)}
    messages = [
        MessageScore(
            index=turn.message,
            logprob=_sum(logprobs, turn.positions),
            tokens=len(turn.positions),
        )
        for turn in chat.turns
    ]
    total = _sum(logprobs, places)
    return Score(
        id=f"score-{secrets.token_hex(12)}",
        object="score",
        created=now(),
        model=model,
        messages=messages,
        logprob=total,
        tokens=len(places),
        mean_nll=-total / len(places),
        usage=Usage(prompt_tokens=len(chat.ids), completion_tokens=0, total_tokens=len(chat.ids)),
    )


def _sum(logprobs: dict[int, Any], places: Sequence[int]) -> float:
    return math.fsum(logprobs[place] for place in places)

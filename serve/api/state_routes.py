"""Routes that tell of the server: health, metrics, models, tokenizer."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serve.api.completion_routes import check_ids
from serve.api.objects import Health, ModelCard, ModelList
from serve.api.service import Served
from serve.api.shapes import (
    DetokenizedText,
    DetokenizeRequest,
    TokenizeRequest,
    TokenizerInfo,
    Tokens,
)
from serve.engine.base import Engine

root = APIRouter(tags=["server"])
models = APIRouter(tags=["OpenAI"])


@root.get("/health", response_model=Health, responses={503: {"model": Health}})
async def health(service: Served) -> JSONResponse:
    """200 while every model takes requests, else 503."""
    healthy = all(engine.healthy for engine in service.models.values())
    body = Health(status="ok" if healthy else "unavailable")
    return JSONResponse(body.model_dump(), status_code=200 if healthy else 503)


@root.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: Served) -> Response:
    """Counts, times and load in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@models.get("/models")
async def list_models(service: Served) -> ModelList:
    """The served models, with what their merge certificates say."""
    return ModelList(data=[_card(name, engine) for name, engine in service.models.items()])


@models.get("/models/{name:path}")
async def retrieve_model(name: str, service: Served) -> ModelCard:
    """One served model."""
    return _card(name, service.find(name))


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


@root.post("/tokenize")
async def tokenize(body: TokenizeRequest, service: Served) -> Tokens:
    """Token ids of a text, in which the names of special tokens stand for them."""
    engine = service.only(body.model)
    ids = await asyncio.to_thread(
        engine.tokenize, body.prompt, add_special=body.add_special_tokens is not False
    )
    return Tokens(tokens=ids, count=len(ids), max_model_len=engine.context_length)


@root.post("/detokenize")
async def detokenize(body: DetokenizeRequest, service: Served) -> DetokenizedText:
    """Text of token ids."""
    engine = service.only(body.model)
    check_ids(body.tokens, engine, "tokens")
    return DetokenizedText(prompt=await asyncio.to_thread(engine.detokenize, body.tokens))


@root.get("/tokenizer_info")
async def tokenizer_info(service: Served, model: str | None = None) -> TokenizerInfo:
    """What a client needs to know to use the tokenizer from afar."""
    engine = service.only(model)
    info = engine.tokenizer_info()
    return TokenizerInfo(
        eos_token=info.eos_token,
        bos_token=info.bos_token,
        pad_token=info.pad_token,
        chat_template=info.chat_template,
        vocab_size=engine.vocabulary_size,
        max_model_len=engine.context_length,
    )

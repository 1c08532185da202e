"""LiteLLM's spend logs: rows of ``LiteLLM_SpendLogs`` or pages of its API.

Prompts are there only if the proxy was told to keep them. What is held is said in
:mod:`ingest.importers.calls`.
"""

from collections.abc import Iterator

from ingest.archive import Export
from ingest.importers.api_answers import answers, decoded, given
from ingest.importers.base import ImporterKind, ImportOptions, Item, Skip
from ingest.importers.calls import Call, Converted, read_calls
from ingest.importers.fields import name_of, object_of, stated, text_of
from ingest.importers.pages import Listed, Source, samples
from ingest.importers.training import first_record, tools_text
from ingest.shape import Peek, like
from ingest.times import from_any

_PAGES = ("data", "logs")


class LiteLLM:
    """The importer of LiteLLM's spend logs."""

    name = "litellm"
    title = "LiteLLM spend logs (JSON lines, JSON, parquet, API pages)"
    kind: ImporterKind = "assistant"
    needs = "a proxy with store_prompts_in_spend_logs: true; LiteLLM_SpendLogs as JSON"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when rows have a request's id, its start and what it cost."""
        if any(True for _ in like(export, _is_ours)):
            return 0.95
        return 0.95 if any(_is_row(first_record(member)) for member in export.members) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation that the calls make up."""
        members = export.members
        if len(members) > 1:
            ours = {member.name for member in like(export, _is_ours)}
            members = tuple(
                each for each in members if each.name in ours or _is_row(first_record(each))
            )
        return read_calls(self.name, members, _PAGES, _call, options)


def _is_ours(look: Peek) -> bool:
    return any(_is_row(found.value) for found in samples(look, _PAGES))


def _is_row(source: Source) -> bool:
    return {"request_id", "startTime"} <= source.keys() and bool(
        source.keys() & {"spend", "call_type"}
    )


def _call(found: Listed) -> Converted:
    source = found.value
    request = decoded(source.get("messages"))
    body = object_of(decoded(source.get("proxy_server_request")))
    asked = given(request)
    if not asked:  # some call types keep the request alone
        asked = given(body) if body.keys() & {"messages", "input", "contents", "prompt"} else []
    if not asked:
        return Skip(found.where, "prompts were not kept in the spend logs")
    failed = source.get("status") == "failure"
    response = None if failed else decoded(source.get("response"))
    tools = body.get("tools")
    call = Call(
        key=name_of(source.get("request_id")) or found.where,
        at=from_any(source.get("startTime")),
        given=asked,
        answers=answers(response, len(asked)),
        end=from_any(source.get("endTime")),
        tools=tools_text(tools) if isinstance(tools, str | list) else None,
        extra=stated({
            "model": text_of(source.get("model")),
            "cache_hit": source.get("cache_hit") in (True, "True", "true"),
        }),
        facts=stated({
            "session_id": text_of(source.get("session_id")),
            "request_tags": decoded(source.get("request_tags"), must=False),
        }),
    )  # fmt: skip
    return call, text_of(source.get("session_id"))

"""OpenAI's stored chat completions: pages or lines of completions, and of their messages.

The list of completions holds answers alone; what was asked comes from a second endpoint, whose
messages name their completion only in their ids (``<completion>-<index>``). Both wait on disk.
Only calls made with ``store: true`` are there at all.
"""

from collections.abc import Iterator

import msgspec

from ingest.archive import Export
from ingest.importers.api_answers import answers, given
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.calls import Call, Calls, Converted, put
from ingest.importers.fields import name_of, object_of, objects, stated, text_of
from ingest.importers.pages import Listed, Source, listed, samples
from ingest.importers.records import zoned
from ingest.importers.training import tools_text
from ingest.shape import Peek, holds, like
from ingest.spool import Spool
from ingest.times import from_any

_PAGES = ("data",)
_DIGITS = 9


class OpenAIStored:
    """The importer of OpenAI's stored completions."""

    name = "openai-stored"
    title = "OpenAI stored completions and their messages (API pages, JSON lines)"
    kind: ImporterKind = "assistant"
    needs = "GET /chat/completions and, for each, .../messages, saved as they come"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when records are chat completions with choices."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation that the completions make up."""
        parts = (_is_ours, _is_messages)
        members = export.members
        if len(members) > 1:
            members = tuple(like(export, lambda look: any(test(look) for test in parts)))
        with Spool() as asked, Spool() as got, Calls(self.name) as calls:
            for member in members:
                for found in listed(member, _PAGES):
                    fault = found if isinstance(found, Reject) else _collect(found, asked, got)
                    if fault is not None:
                        yield fault
            waiting = set(asked.chats())
            for raw in got.in_order("") if got.chats() else ():
                where, source = msgspec.json.decode(raw, type=tuple[str, Source])
                key = name_of(source.get("id"))
                if "messages" not in source and "input" not in source and key in waiting:
                    source["messages"] = [msgspec.json.decode(each) for each in asked.in_order(key)]
                item = put(calls, Listed(where, "", source), _call)
                if item is not None:
                    yield item
            for conversation in calls.conversations():
                yield zoned(conversation, options.tz)


def _is_ours(look: Peek) -> bool:
    return any(_is_completion(found.value) for found in samples(look, _PAGES))


def _is_completion(source: Source) -> bool:
    return source.get("object") == "chat.completion" and "choices" in source


def _is_messages(look: Peek) -> bool:
    return any(_completion_of(found.value) is not None for found in samples(look, _PAGES))


def _completion_of(message: Source) -> tuple[str, str] | None:
    """(completion, rank) of a message of the second endpoint; None for other records."""
    key = text_of(message.get("id")) or ""
    completion, dash, number = key.rpartition("-")
    if "role" not in message or not dash or not number.isdecimal():
        return None
    return completion, number.zfill(_DIGITS)


def _collect(found: Listed, asked: Spool, got: Spool) -> Item | None:
    source = found.value
    if _is_completion(source):
        key = name_of(source.get("id")) or found.where
        raw = msgspec.json.encode((found.where, {**source, "id": key}))
        if not got.add("", key, raw):
            return Skip(found.where, "the call comes twice")
        return None
    place = _completion_of(source)
    if place is None:
        return Reject(found.where, "neither a completion nor a message of one", "is this OpenAI's?")
    # a second copy of a page says nothing new
    asked.add(place[0], place[1], msgspec.json.encode(source), rank=place[1])
    return None


def _call(found: Listed) -> Converted:
    source = found.value
    request = source.get("messages", source.get("input"))
    asked = given([_bare(each) for each in request] if isinstance(request, list) else request)
    if not asked:
        return Skip(found.where, "the messages of the call are not in the export")
    at = from_any(source.get("created"))
    return Call(
        key=str(source["id"]),
        at=at,
        given=asked,
        answers=answers({"choices": source["choices"]}, len(asked)),
        tools=tools_text(source.get("tools")),
        extra=stated({"model": source.get("model"), "usage": source.get("usage")}),
        facts=stated({"metadata": object_of(source.get("metadata"))}),
    ), None


def _bare(message: object) -> object:
    """A message without what the endpoint adds: its parts say the content again."""
    if not isinstance(message, dict):
        return message
    bare = {key: each for key, each in message.items() if key not in ("object", "content_parts")}
    if not bare.get("content") and objects(message.get("content_parts")):
        bare["content"] = message["content_parts"]
    return bare

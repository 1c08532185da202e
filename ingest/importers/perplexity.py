"""Perplexity, which has no export of its own: the three shapes in which its threads are found.

* what a data request is answered with: ``{"conversations": [{context_title, entries}]}``;
* one thread as the service sends it and export tools save it: ``{"entries": [{query_str}]}``;
* one thread as another tool writes it: ``{"metadata", "conversations": [{query, answer}]}``.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.records import Record, certainty, ours, records, whole, zoned
from ingest.message import Attachment, Conversation, Message, conversation_id
from ingest.shape import peek
from ingest.times import from_iso

_INNER_LINK = re.compile(r"\[([^\[\]]*)\]\(pplx://[^()\[\]]*\)")


class _Entry(msgspec.Struct, gc=False):
    uuid: str | None = None
    backend_uuid: str | None = None
    query_str: str | None = None
    query: str | None = None
    answer: str | None = None
    blocks: list[Any] | None = None
    display_model: str | None = None
    user_selected_model: str | None = None
    model: str | None = None
    mode: str | None = None
    search_focus: str | None = None
    status: str | None = None
    query_status: str | None = None
    created_at: str | None = None
    timestamp: str | None = None
    entry_created_datetime: str | None = None
    entry_updated_datetime: str | None = None
    updated_datetime: str | None = None
    related_queries: list[Any] | None = None
    sources: Any = None
    attachments: list[Any] | None = None
    context_uuid: str | None = None
    thread_title: str | None = None
    thread_url_slug: str | None = None


class _Thread(msgspec.Struct, gc=False):
    entries: list[_Entry] | None = None
    conversations: list[_Entry] | None = None
    metadata: dict[str, Any] | None = None
    thread_metadata: dict[str, Any] | None = None
    context_uuid: str | None = None
    context_title: str | None = None
    collection_uuid: str | None = None
    created_at: str | None = None
    mode: str | None = None


class Perplexity:
    """The importer of Perplexity threads."""

    name = "perplexity"
    title = "Perplexity threads (answer to a data request, or saved by an export tool)"
    kind: ImporterKind = "assistant"
    needs = "a data request to Perplexity, or threads saved as JSON"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object has entries or conversations with Perplexity's own keys."""
        return certainty(export, ".json", lambda member: _shape(member) is not None)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation per thread."""
        for member in ours(export, ".json", lambda m: _shape(m) is not None, "Perplexity"):
            if isinstance(member, Skip):
                yield member
                continue
            for found in _threads(member):
                item = found if isinstance(found, Reject) else _conversation(found)
                yield zoned(item, options.tz)


def _threads(member: Member) -> Iterator[Record[_Thread] | Reject]:
    if _shape(member) == "request":
        yield from records(member, _Thread, path=("conversations",))
    else:
        yield whole(member, _Thread)


def _shape(member: Member) -> str | None:
    """``request``, ``thread`` or None; never a guess from general words alone."""
    look = peek(member)
    document = look.value
    if look.kind != "object" or not isinstance(document, dict):
        return None
    entry = _first(document.get("entries"))
    if "query_str" in entry and entry.keys() & {"blocks", "context_uuid", "backend_uuid"}:
        return "thread"
    thread = _first(document.get("conversations"))
    about = document.get("metadata")
    if "query" in thread and "answer" in thread and isinstance(about, dict):
        return "thread" if about.keys() & {"thread_id", "thread_title", "thread_url"} else None
    entry = _first(thread.get("entries"))
    has_context = bool(thread.keys() & {"context_title", "context_uuid"})
    return (
        "request"
        if has_context and "entries" in thread and (not entry or "query" in entry)
        else None
    )


def _first(values: Any) -> dict[str, Any]:
    return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}


def _conversation(found: Record[_Thread]) -> Item:
    thread = found.value
    about = thread.metadata or thread.thread_metadata or {}
    entries = thread.entries or thread.conversations or []
    entries = sorted(entries, key=lambda entry: _order(_at(entry)))
    messages: list[Message] = []
    for number, entry in enumerate(entries):
        messages += _messages(entry, number, messages[-1].source_id if messages else None)
    if not messages:
        return Skip(found.where, "no messages")
    first = entries[0]
    title = thread.context_title or _said(about, "thread_title", "title") or first.thread_title
    created = thread.created_at or _said(about, "thread_created_at", "created_at")
    at = from_iso(created) or messages[0].created_at
    ids = (thread.context_uuid, _said(about, "thread_id"), first.context_uuid,
           first.thread_url_slug, first.uuid)  # fmt: skip
    native = next((each for each in ids if each), None) or f"{title}|{created}"
    slug = first.thread_url_slug or _said(about, "thread_url")
    facts = {"collection_uuid": thread.collection_uuid, "mode": thread.mode,
             "thread_url_slug": slug}  # fmt: skip
    metadata: dict[str, Any] = {key: value for key, value in facts.items() if value}
    if found.odd:
        metadata["unreadable"] = list(found.odd)
    return Conversation(
        id=conversation_id("perplexity", native),
        importer="perplexity",
        source_id=native,
        title=title,
        created_at=at,
        messages=tuple(messages),
        metadata=metadata,
    )


def _said(about: dict[str, Any], *keys: str) -> str | None:
    return next((v for key in keys if isinstance(v := about.get(key), str) and v), None)


def _at(entry: _Entry) -> datetime | None:
    written = (entry.created_at, entry.timestamp, entry.entry_created_datetime,
               entry.entry_updated_datetime, entry.updated_datetime)  # fmt: skip
    return next((time for each in written if (time := from_iso(each))), None)


def _order(time: datetime | None) -> datetime:
    if time is None:
        return datetime.max.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _messages(entry: _Entry, number: int, parent: str | None) -> Iterator[Message]:
    key = entry.uuid or entry.backend_uuid or f"entry-{number}"
    at = _at(entry)
    query = entry.query_str or entry.query
    files = tuple(_file(each) for each in entry.attachments or ())
    asked = query is not None or bool(files)
    if asked:
        yield Message(
            "user",
            query or "",
            attachments=files,
            created_at=at,
            source_id=f"{key}-query",
            parent_id=parent,
        )
    answer, sources, unknown = _answer(entry)
    status = entry.query_status or entry.status
    facts = {
        "model": entry.display_model or entry.user_selected_model or entry.model,
        "mode": entry.mode,
        "search_focus": entry.search_focus,
        "related_queries": entry.related_queries,
        "sources": sources,
        "blocks": unknown,
    }
    extra: dict[str, Any] = {name: value for name, value in facts.items() if value}
    unfinished = bool(status and status.upper() not in ("COMPLETED", "SUCCESS"))
    if unfinished:
        extra["status"] = status
    if answer or unfinished:
        yield Message(
            "assistant",
            _INNER_LINK.sub(r"\1", answer),
            created_at=at,
            train=False if unfinished else None,
            source_id=key,
            parent_id=f"{key}-query" if asked else parent,
            extra=extra,
        )


def _answer(entry: _Entry) -> tuple[str, list[Any], list[Any]]:
    """Answer, sources, and the blocks that are neither."""
    text = entry.answer or ""
    sources = list(entry.sources) if isinstance(entry.sources, list) else []
    unknown: list[Any] = []
    for block in entry.blocks or ():
        usage = block.get("intended_usage") if isinstance(block, dict) else None
        markdown = block.get("markdown_block") if isinstance(block, dict) else None
        if isinstance(markdown, dict) and usage in ("ask_text", None):
            text = text or _markdown(markdown)
        elif usage in ("sources_answer_mode", "web_results"):
            sources = sources or [_source(each) for each in _results(block)]
        else:
            unknown.append(block)
    return text, [each for each in sources if each], unknown


def _markdown(block: dict[str, Any]) -> str:
    if isinstance(block.get("answer"), str) and block["answer"]:
        return str(block["answer"])
    chunks = block.get("chunks")
    return "".join(c for c in chunks if isinstance(c, str)) if isinstance(chunks, list) else ""


def _results(block: dict[str, Any]) -> list[Any]:
    for inner in block.values():
        if isinstance(inner, dict) and isinstance(inner.get("web_results"), list):
            return list(inner["web_results"])
    return []


def _source(result: Any) -> dict[str, Any]:
    if not isinstance(result, dict):
        return {}
    return {
        key: result[key] for key in ("name", "url", "snippet") if isinstance(result.get(key), str)
    }


def _file(value: Any) -> Attachment:
    uri = value.get("url") if isinstance(value, dict) else value
    return Attachment(uri=uri if isinstance(uri, str) else None)

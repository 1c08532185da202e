"""Grok's export: senders, two clocks, branches, pictures, files of the account."""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import Member, open_export
from ingest.errors import ExportError
from ingest.importers.base import Skip
from ingest.importers.grok import Grok
from ingest.message import Attachment, Conversation


def response(key: str, sender: str = "human", text: str = "Text", **more: Any) -> dict[str, Any]:
    return {"response": {"_id": key, "sender": sender, "message": text, **more}}


def export(*responses: Any, **facts: Any) -> dict[str, Any]:
    talk = {"conversation": {"id": "c", **facts}, "responses": list(responses)}
    return {"conversations": [talk]}


@pytest.fixture
def talk(tmp_path: Path):
    def talk_of(*responses: Any, **facts: Any) -> Conversation:
        path = tmp_path / "any.name"
        path.write_text(json.dumps(export(*responses, **facts)))
        return only(read(Grok(), path))

    return talk_of


def packed(path: Path, members: dict[str, Any]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, value in members.items():
            file.writestr(name, json.dumps(value))
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize(
    ("sender", "role", "extra"),
    [
        ("human", "user", {}),
        ("Human", "user", {}),
        ("assistant", "assistant", {}),
        ("ASSISTANT", "assistant", {}),
        ("grok-3", "assistant", {"sender": "grok-3"}),
    ],
)
def test_grk1_who_is_no_human_is_the_assistant(talk, sender, role, extra):
    (found,) = talk(response("a", sender)).messages
    assert (found.role, found.train, found.extra) == (role, None, extra)


def test_grk1_a_response_without_a_sender_is_not_trained(talk):
    assert talk(response("a", "")).messages[0].train is False


@pytest.mark.parametrize(
    "time",
    [
        {"$date": {"$numberLong": "1700000000500"}},
        {"$date": "2023-11-14T22:13:20.500Z"},
        1700000000500,
        "2023-11-14T22:13:20.5Z",
    ],
)
def test_grk2_both_clocks_are_read(talk, time):
    found = talk(response("a", create_time=time), create_time="2023-11-14T22:13:20Z")
    assert found.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found.messages[0].created_at == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)


def test_grk3_branches_hang_on_their_parent_and_the_newest_leaf_ends_the_path(talk):
    said = (
        response("a", create_time=1700000000000),
        response("b", "assistant", create_time=1700000002000, parent_response_id="a"),
        response("c", "assistant", create_time=1700000001000, parent_response_id="a"),
    )
    found = talk(*said)
    assert [(m.source_id, m.parent_id, m.on_path) for m in found.messages] == [
        ("a", None, True),
        ("b", "a", True),
        ("c", "a", False),
    ]
    chosen = talk(*said, leaf_response_id="c")
    assert [m.source_id for m in chosen.messages if m.on_path] == ["a", "c"]


def test_grk3_without_links_it_is_one_path(talk):
    found = talk(response("a"), response("b", "assistant"))
    assert [(m.parent_id, m.on_path) for m in found.messages] == [(None, True), (None, True)]


def test_grk4_an_empty_message_is_a_picture(talk):
    plain, named, stopped = talk(
        response("a", "assistant", ""),
        response("b", "assistant", "", generated_image_urls=["a.jpg"]),
        response("c", "assistant", "", partial=True),
    ).messages
    assert plain.attachments == (Attachment("image"),)
    assert named.attachments == (Attachment("image", uri="a.jpg"),)
    assert stopped.attachments == ()


def test_grk5_two_backend_files_are_an_error_that_names_them(tmp_path):
    one = export(response("a", text="canary"))
    path = packed(tmp_path / "a.zip", {"1/prod-grok-backend.json": one, "2/other.json": one})
    with pytest.raises(ExportError) as caught:
        read(Grok(), path)
    assert "1/prod-grok-backend.json" in str(caught.value)
    assert "2/other.json" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("as_zip", [True, False])
def test_grk6_files_of_the_account_are_never_opened(tmp_path, monkeypatch, as_zip):
    opened: list[str] = []
    real = Member.open
    monkeypatch.setattr(
        Member, "open", lambda self, **how: opened.append(self.base) or real(self, **how)
    )
    members = {
        "ttl/30d/export_data/0a/prod-grok-backend.json": export(response("a")),
        "ttl/30d/export_data/0a/prod-mc-auth-mgmt-api.json": export(response("canary")),
        "ttl/30d/export_data/0a/prod-mc-billing.json": export(response("canary")),
    }
    path = packed(tmp_path / "a.zip", members)
    if not as_zip:
        with zipfile.ZipFile(path) as file:
            path = tmp_path / "folder"
            file.extractall(path)
    assert Grok().sniff(open_export(path)) > 0.9
    assert only(read(Grok(), path)).source_id == "c"
    open_export(path).sha256()
    assert set(opened) == {"prod-grok-backend.json"}


def test_grk7_flat_responses_are_read(talk):
    found = talk({"sender": "human", "message": "q"}, {"sender": "ASSISTANT", "message": "a"})
    assert [(m.role, m.content, m.source_id) for m in found.messages] == [
        ("user", "q", "#0"),
        ("assistant", "a", "#1"),
    ]


def test_thinking_is_reasoning_and_steps_are_kept_raw(talk):
    steps = [{"text": ["x"], "tags": ["header"]}]
    traces = [{"agent": 1}]
    more = {"thinking_trace": "hm", "steps": steps, "agent_thinking_traces": traces, "model": "g"}
    (found,) = talk(response("a", "assistant", "Rye.", **more)).messages
    assert (found.content, found.reasoning) == ("Rye.", "hm")
    assert found.extra == {"model": "g", "steps": steps, "agent_thinking_traces": traces}


@pytest.mark.parametrize("more", [{"partial": True}, {"error": {"code": 1}}])
def test_gen17_broken_off_answers_are_not_trained(talk, more):
    assert talk(response("a", "assistant", **more)).messages[0].train is False


def test_a_conversation_without_responses_is_skipped(tmp_path):
    path = tmp_path / "a"
    path.write_text(json.dumps(export()))
    (item,) = read(Grok(), path)
    assert isinstance(item, Skip)
    assert item.reason == "no messages"


def test_a_link_for_sharing_is_not_kept(talk):
    found = talk({**response("a"), "share_link": "https://example.org/canary"})
    assert "canary" not in repr(found)


def test_ids_in_extended_json(talk):
    assert talk({"response": {"_id": {"$oid": "a"}, "sender": "human", "message": "x"}}).messages[
        0
    ].source_id == ("a")

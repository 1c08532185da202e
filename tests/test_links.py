"""Links to files lose what opens them, whichever importer makes the attachment (GEN14)."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.archive import open_export
from ingest.importers.base import ImportOptions
from ingest.links import without_secrets, without_secrets_in
from ingest.message import Attachment, Conversation
from ingest.registry import choose

HOST = "https://files.example.org/a.png"
JWT = "eyJhbGciOi.eyJzdWIiOi.c2ln"


@pytest.mark.parametrize(
    ("link", "bare"),
    [
        # tokens
        (f"{HOST}?token=canary", HOST),
        (f"{HOST}?size=2&access_token=canary", f"{HOST}?size=2"),
        (f"{HOST}?Access-Token=canary&size=2", f"{HOST}?size=2"),
        (f"{HOST}?api%5Fkey=canary", HOST),
        (f"{HOST}?t=xoxe-canary", HOST),
        (f"{HOST}?x={JWT}&w=2", f"{HOST}?w=2"),
        (f"{HOST}#access_token=canary&page=2", f"{HOST}#page=2"),
        ("https://shop.example.org/attachments/token/canary/?name=a.png",
         "https://shop.example.org/attachments/token/redacted/?name=a.png"),
        ("https://anna:canary@example.org/a.png", "https://example.org/a.png"),
        # signatures
        (f"{HOST}?X-Amz-Algorithm=A&X-Amz-Credential=canary&X-Amz-Date=1&X-Amz-Signature=canary"
         "&response-content-type=image%2Fpng", f"{HOST}?response-content-type=image%2Fpng"),
        (f"{HOST}?GoogleAccessId=canary&Expires=1&Signature=canary", HOST),
        (f"{HOST}?X-Goog-Signature=canary&X-Goog-Expires=1", HOST),
        (f"{HOST}?Expires=1&Signature=canary&Key-Pair-Id=canary", HOST),
        (f"{HOST}?Policy=canary&Key-Pair-Id=canary&v=3", f"{HOST}?v=3"),
        (f"{HOST}?se=1&sp=r&sv=2024&sr=b&rscd=inline&sig=canary%3D", HOST),
        (f"{HOST}?expires=1&signature=canary&req=canary", HOST),
        # Discord and Facebook
        ("https://cdn.example.org/1/2/a.png?ex=6a&is=6b&hm=canary&", "https://cdn.example.org/1/2/a.png"),
        (f"{HOST}?_nc_cat=1&_nc_ohc=canary&oh=00_canary&oe=65AB", f"{HOST}?_nc_cat=1"),
        # a link in a link
        ("https://proxy.example.org/?u=https%3A%2F%2Fa.example.org%2Fb%3Fsig%3Dcanary%26k%3D1&w=2",
         "https://proxy.example.org/?u=https%3A%2F%2Fa.example.org%2Fb%3Fk%3D1&w=2"),
        ("/files/a.png?token=canary", "/files/a.png"),
    ],
)  # fmt: skip
def test_gen14_what_opens_a_file_is_taken_out_of_its_link(link, bare):
    assert without_secrets(link) == bare
    assert without_secrets(bare) == bare
    assert Attachment(uri=link).uri == bare


@pytest.mark.parametrize(
    "link",
    [
        "https://example.org/search?q=token&t=12",
        "https://maps.google.com/?q=1,2",
        "https://example.org/a?ex=1",  # not all three
        "https://example.org/a?oh=1&se=2&sv=3&expires=4&is=5",
        "https://example.org/a?&&b=&c&d=%7B%7d+x",
        "https://example.org/a?u=https%3a%2f%2fb.example.org%2f%3Fq%3D1",
        "https://example.org/@anna:b/a.png",
        "https://example.org/a.png?token=&sig",  # names without a value
        "data:image/png;base64,AAAA?token=x",
        "file-service://file-1",
        "photos/IMG#1?.jpg",
        "cid:1@example.org",
        "",
    ],
)
def test_gen14_other_links_stay_byte_for_byte(link):
    assert without_secrets(link) == link
    assert Attachment(uri=link).uri == link


@given(st.text() | st.from_regex(r"https://[a-z]+/([?&#]?[a-z]{0,5}=?(%3A%2F%2F)?){0,8}"))
def test_gen14_any_text_at_all_is_a_link_and_once_is_enough(link):
    bare = without_secrets(link)
    assert len(bare) <= len(link) + len("redacted")
    assert without_secrets(bare) == bare


def test_gen14_however_an_attachment_is_made():
    link = f"{HOST}?token=canary"
    made = [
        Attachment("image", "a.png", link),
        msgspec.json.decode(json.dumps({"uri": link}), type=Attachment),
        msgspec.convert({"uri": link}, Attachment),
        msgspec.structs.replace(Attachment(), uri=link),
    ]
    assert [each.uri for each in made] == [HOST] * 4


def test_gen14_in_a_value_only_what_is_nothing_but_a_link_changes():
    text = f"see {HOST}?token=kept"
    value = {"a": [f"{HOST}?token=canary", text, 1, None], "b": {"u": f"{HOST}?sig=canary"}}
    assert without_secrets_in(value) == {"a": [HOST, text, 1, None], "b": {"u": HOST}}


def test_gen14_values_nested_deeper_than_calls_go():
    value: list[object] = [f"{HOST}?token=canary"]
    for _ in range(20_000):
        value = [value]
    found = without_secrets_in(value)
    for _ in range(20_000):
        (found,) = found
    assert found == [HOST]


SIGNED = f"{HOST}?ex=1&is=2&hm=canary&"
EXPORTS = {
    "discord": {
        "guild": {"id": "1", "name": "Mill"},
        "channel": {"id": "2", "name": "talk", "type": "GuildTextChat"},
        "messages": [{
            "id": "3", "type": "Default", "timestamp": "2026-01-02T03:04:05+00:00", "content": "x",
            "author": {"id": "4", "name": "Anna"},
            "attachments": [{"url": SIGNED, "fileName": "a.png"}],
            "embeds": [{"title": "t", "thumbnail": {"url": SIGNED}}],
            "stickers": [{"name": "s", "sourceUrl": SIGNED}],
        }],
    },
    "messenger": {
        "participants": [{"name": "Anna"}, {"name": "Bo"}], "title": "Bo",
        "thread_path": "inbox/bo_1",
        "messages": [{
            "sender_name": "Anna", "timestamp_ms": 1767323045000,
            "photos": [{"uri": f"{HOST}?_nc_cat=1&oh=canary&oe=canary"}],
            "share": {"link": f"{HOST}?access_token=canary"},
        }],
    },
    "telegram": {
        "name": "Bo", "type": "personal_chat", "id": 1,
        "messages": [{"id": 1, "type": "message", "date": "2026-01-02T03:04:05", "from": "Anna",
                      "from_id": "user1", "text": "x", "file": f"{HOST}?token=canary",
                      "media_type": "video_file"}],
    },
    "openai": [{"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": f"{HOST}?X-Amz-Signature=canary"}},
    ]}, {"role": "assistant", "content": "y"}]}],
    "openwebui": [{"id": "1", "title": "t", "chat": {"history": {"currentId": "a", "messages": {
        "a": {"id": "a", "parentId": None, "childrenIds": [], "role": "user", "content": "x",
              "timestamp": 1767323045,
              "files": [{"type": "image", "url": f"{HOST}?sv=1&se=2&sig=canary"}]},
    }}}}],
    "zendesk": [{"id": 1, "subject": "t", "requester_id": 2, "created_at": "2026-01-02T03:04:05Z",
                 "comments": [{"id": 3, "author_id": 2, "public": True, "plain_body": "x",
                               "created_at": "2026-01-02T03:04:05Z", "attachments": [{
                                   "file_name": "a.png", "content_url":
                                   "https://x.example.org/attachments/token/canary/?name=a.png"}]}]}],
    "intercom": [{"type": "conversation", "id": "1", "created_at": 1767323045, "source": {
        "id": "2", "author": {"type": "user", "id": "3", "name": "Anna"}, "body": "x",
        "attachments": [{"name": "a.png", "url": f"{HOST}?expires=1&signature=canary&req=canary"}]},
        "conversation_parts": {"conversation_parts": []}}],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_gen14_no_importer_keeps_what_opens_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(EXPORTS[name]))
    export = open_export(path)
    importer = choose(export)
    assert importer.name == name
    items = list(importer.read(export, ImportOptions()))
    (found,) = items
    assert isinstance(found, Conversation)
    assert found.messages[0].attachments
    assert all(file.uri for file in found.messages[0].attachments)
    assert "canary" not in msgspec.json.encode(found).decode()


def test_gen14_a_link_in_the_text_of_a_message_is_what_was_said(tmp_path: Path) -> None:
    said = f"use {HOST}?token=mine"
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"messages": [{"role": "user", "content": said}]}]))
    export = open_export(path)
    (found,) = choose(export).read(export, ImportOptions())
    assert isinstance(found, Conversation)
    assert found.messages[0].content == said

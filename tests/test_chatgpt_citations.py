"""ChatGPT's citations, the files its metadata names, and shards."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_message, gpt_talk, node, only, read

from ingest.archive import open_export
from ingest.importers.chatgpt import ChatGPT
from ingest.message import Attachment, Message
from ingest.registry import sniff

CITE = "\ue200cite\ue202turn0search1\ue201"
FILE = "【4:0†source】"


@pytest.fixture
def message(tmp_path: Path):
    """The message that an assistant message of this text and metadata becomes."""

    def message_of(text: str, *, metadata: Any = None, **changes: Any) -> Message:
        said = gpt_message("assistant", text, metadata=metadata or {}, **changes)
        path = tmp_path / "conversations.json"
        path.write_bytes(gpt_export(gpt_talk(mapping=node("a", None, said))))
        return only(read(ChatGPT(), path)).messages[0]

    return message_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Rye. {CITE}", "Rye."),
        (f"Rye {CITE}.", "Rye."),
        (f"Rye{CITE}{CITE} is dark", "Rye is dark"),
        (f"Rye {CITE} is dark", "Rye is dark"),
        (f"Rye {FILE}, and【12†L3-L5】 oat", "Rye, and oat"),
        (f"{CITE}\nRye", "\nRye"),
        ("Rye. \ue200cite\ue202turn0se", "Rye."),
        ("stray \ue201 and \ue202", "stray  and "),
        ("「引用」【重要】 stays", "「引用」【重要】 stays"),
        ("naïve 日本語 🌾", "naïve 日本語 🌾"),
    ],
)
def test_gpt13_marks_that_nothing_resolves_go(message, text, shown):
    assert message(text).content == shown


def test_gpt13_a_mark_becomes_what_its_reference_shows(message):
    text = f"Rye is dark. {CITE} Oat is not. \ue200cite\ue202turn0search2\ue201"
    references = [
        {"matched_text": CITE, "start_idx": 13, "alt": "([Board](https://example.org/board))"},
        {"matched_text": "\ue200cite\ue202turn0search2\ue201", "alt": None},
        {"matched_text": " ", "type": "sources_footnote", "alt": None},
        "odd",
    ]
    found = message(text, metadata={"content_references": references})
    assert found.content == "Rye is dark. ([Board](https://example.org/board)) Oat is not."


def test_gpt13_offsets_serve_where_no_text_is_given(message):
    text = f"Rye {CITE}."
    references = [{"start_idx": 4, "end_idx": 4 + len(CITE), "alt": "(Board)"}]
    assert message(text, metadata={"content_references": references}).content == "Rye (Board)."


def test_gpt13_an_alternative_text_with_marks_of_its_own_is_not_shown(message):
    references = [{"matched_text": CITE, "alt": f"x{CITE}"}]
    assert message(f"Rye {CITE}", metadata={"content_references": references}).content == "Rye"


def test_gpt13_older_citations_are_found_by_order_whatever_their_offsets(message):
    citations = [
        {"start_ix": 990, "end_ix": 999, "metadata": {"title": "second.pdf"}},
        {"start_ix": 7, "end_ix": 9, "metadata": {"title": "A", "url": "https://example.org/a"}},
    ]
    found = message(f"🌾 Rye {FILE} oat【5:1†source】", metadata={"citations": citations})
    assert found.content == "🌾 Rye ([A](https://example.org/a)) oat(second.pdf)"


def test_gpt13_where_numbers_differ_only_exact_offsets_resolve(message):
    citations = [{"start_ix": 8, "end_ix": 9, "metadata": {"title": "A"}}]
    text = f"A {FILE} b"
    assert message(f"{text} {FILE}", metadata={"citations": citations}).content == "A b"
    citations = [{"start_ix": 2, "end_ix": 14, "metadata": {"title": "A"}}]
    assert message(f"{text} {FILE}", metadata={"citations": citations}).content == "A (A) b"


@pytest.mark.parametrize(
    "content",
    [
        {"content_type": "code", "text": f"a {CITE}"},
        {"content_type": "execution_output", "text": f"a {CITE}"},
        {"content_type": "thoughts", "thoughts": [{"summary": "s", "content": f"a {CITE}"}]},
        {"content_type": "multimodal_text", "parts": [f"a {CITE}", {"content_type": "x"}]},
        {"content_type": "tether_quote", "text": f"a {CITE}"},
    ],
)
@pytest.mark.parametrize("recipient", ["all", "web"])
def test_gpt13_no_text_of_any_kind_keeps_a_mark(message, content, recipient):
    found = message("", content=content, recipient=recipient)
    texts = [found.content, found.reasoning or "", *(call.arguments for call in found.tool_calls)]
    assert any(texts)
    assert not any("\ue200" <= letter <= "\ue202" for text in texts for letter in text)


@pytest.mark.parametrize("odd", [5, "x", {}, [5], [{"matched_text": 5}], [{"start_ix": "x"}]])
def test_gpt13_odd_metadata_costs_nothing(message, odd):
    found = message(f"Rye {CITE}", metadata={"content_references": odd, "citations": odd})
    assert found.content == "Rye"


# -- attachments -----------------------------------------------------------------------------------


def test_files_of_the_metadata_are_attachments(message):
    listed = [
        {"id": "file-1", "name": "a.pdf", "size": 5, "mime_type": "application/pdf"},
        {"id": "file-2", "name": "b.ogg", "mimeType": "audio/ogg", "extracted_text": "said"},
        {"name": 5, "size": "x"},
        5,
    ]
    assert message("Text", metadata={"attachments": listed}).attachments == (
        Attachment("file", "a.pdf", "file-1", "application/pdf", 5),
        Attachment("audio", "b.ogg", "file-2", "audio/ogg", text="said"),
        Attachment("file"),
    )


@pytest.mark.parametrize("scheme", ["file-service://", "sediment://"])
def test_a_file_that_a_part_points_to_is_one_attachment(message, scheme):
    part = {"content_type": "image_asset_pointer", "asset_pointer": f"{scheme}file-1",
            "size_bytes": 7}  # fmt: skip
    content = {"content_type": "multimodal_text", "parts": [part, "Text"]}
    listed = [{"id": "file-1", "name": "a.png", "mime_type": "image/png", "size": 7}]
    found = message("", content=content, metadata={"attachments": listed})
    assert found.attachments == (Attachment("image", "a.png", f"{scheme}file-1", "image/png", 7),)


# -- shards ----------------------------------------------------------------------------------------

TALKS = [gpt_talk(number) for number in range(5)]
BESIDE = {"user.json": b'{"email": "x"}', "group_chats.json": b"[]", "chat.html": b"<html>"}


def shards(name: str) -> dict[str, bytes]:
    return {
        name.format(0): gpt_export(*TALKS[:2]),
        name.format(1): gpt_export(*TALKS[2:4]),
        name.format(2): gpt_export(*TALKS[4:]),
    }


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("name", ["conversations-{:03}.json", "a/b/conversations-{:03}.json"])
def test_gpt1_shards_in_folders_and_zips_are_the_single_file(tmp_path, as_zip, name):
    single = tmp_path / "single.json"
    single.write_bytes(gpt_export(*TALKS))
    path = tmp_path / "export"
    members = {**BESIDE, **shards(name)}
    if as_zip:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for member, data in members.items():
                file.writestr(member, data)
        path.write_bytes(buffer.getvalue())
    else:
        for member, data in members.items():
            (path / member).parent.mkdir(parents=True, exist_ok=True)
            (path / member).write_bytes(data)
    assert [kind.name for _, kind in sniff(open_export(path))] == ["chatgpt"]
    assert read(ChatGPT(), path) == read(ChatGPT(), single)


def test_gpt1_an_object_around_the_array_is_the_same(tmp_path):
    single, wrapped = tmp_path / "a.json", tmp_path / "b.json"
    single.write_bytes(gpt_export(*TALKS))
    wrapped.write_text(json.dumps({"version": 1, "conversations": TALKS}))
    assert ChatGPT().sniff(open_export(wrapped)) > 0.9
    assert read(ChatGPT(), wrapped) == read(ChatGPT(), single)

"""Training files: ShareGPT, Alpaca, pairs, prompt and completion, OASST trees, parquet tables."""

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from made import jsonl, only, read, record
from pyarrow import parquet

from ingest.archive import open_export
from ingest.importers.alpaca import Alpaca
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.oasst import Oasst
from ingest.importers.openai_messages import OpenAIMessages
from ingest.importers.preference import Preference
from ingest.importers.prompt_completion import PromptCompletion
from ingest.importers.sharegpt import ShareGPT
from ingest.load import import_export
from ingest.message import Conversation, Message
from ingest.registry import choose, sniff
from ingest.store import Store

Read = Callable[..., list[Item]]


@pytest.fixture
def items(tmp_path: Path) -> Read:
    """What the importer that recognises the records makes of them."""

    def items_of(*records: Any, raw: bytes | None = None, importer: Any = None) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_bytes(jsonl(*records) if raw is None else raw)
        return read(importer or choose(open_export(path)), path)

    return items_of


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A parquet file of rows."""

    def table_of(*rows: dict[str, Any], schema: pa.Schema | None = None, **options: Any) -> Path:
        path = tmp_path / "rows.parquet"
        parquet.write_table(pa.Table.from_pylist(list(rows), schema), path, **options)
        return path

    return table_of


def texts(conversation: Conversation, *, on_path: bool = True) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in conversation.messages if m.on_path is on_path]


def human(text: str, who: str = "human") -> dict[str, Any]:
    return {"from": who, "value": text}


def said(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


SHAREGPT = {"conversations": [human("Rye?"), human("2.90", "gpt")]}
ALPACA = {"instruction": "Rye?", "input": "", "output": "2.90"}
PAIR = {"prompt": "Rye?", "chosen": "2.90", "rejected": "No"}
COMPLETION = {"prompt": "Rye?", "completion": "2.90"}
TREE = {
    "message_tree_id": "t",
    "tree_state": "ready",
    "prompt": {
        "message_id": "a",
        "text": "Rye?",
        "role": "prompter",
        "replies": [{"message_id": "b", "text": "2.90", "role": "assistant", "replies": []}],
    },
}
FORMATS = [
    (ShareGPT(), SHAREGPT),
    (Alpaca(), ALPACA),
    (Preference(), PAIR),
    (PromptCompletion(), COMPLETION),
    (Oasst(), TREE),
    (OpenAIMessages(), record(1)),
]
each_format = pytest.mark.parametrize(("importer", "good"), FORMATS, ids=lambda x: type(x).__name__)


# every format


@each_format
def test_lines_an_array_and_a_document_give_the_same(items, importer, good):
    lines = items(good, importer=importer)
    assert isinstance(lines[0], Conversation)
    assert items(raw=json.dumps([good], indent=1).encode(), importer=importer) == lines
    assert items(raw=json.dumps(good, indent=1).encode(), importer=importer) == lines
    assert items(raw=b"\xef\xbb\xbf" + jsonl(good), importer=importer) == lines


@each_format
def test_a_row_of_a_table_is_the_record_of_a_line(items, table, importer, good):
    path = table(good)
    assert [kind.name for _, kind in sniff(open_export(path))] == [importer.name]
    assert read(importer, path) == items(good, importer=importer)


@each_format
def test_each_format_knows_its_records_and_no_other(tmp_path, importer, good):
    path = tmp_path / "any.name"
    path.write_bytes(jsonl(good, good))
    assert [(mark, kind.name) for mark, kind in sniff(open_export(path))] == [(0.9, importer.name)]


BAD = [b"canary", b'"canary"', b"5", b"null", b"[1]", b"{}", b'{"canary": 1}', b'{"cut": "can']


@each_format
@pytest.mark.parametrize("bad", BAD, ids=[raw.decode() for raw in BAD])
def test_a_bad_record_costs_itself_alone(items, importer, good, bad):
    other = json.loads(json.dumps(good).replace("Rye", "Oat").replace('"t"', '"u"'))
    first, reject, last = items(good, bad, other, importer=importer)
    assert isinstance(first, Conversation)
    assert isinstance(last, Conversation)
    assert isinstance(reject, Reject)
    assert reject.where == "any.name: record 2"
    assert reject.hint
    assert "canary" not in "".join(reject)


@each_format
@pytest.mark.parametrize("wrong", [5, "x", [], {}, [5], [[]], [None], {"a": [1]}, True, None])
def test_wrong_types_anywhere_are_counted_and_never_a_traceback(items, importer, good, wrong):
    for path in paths(good):
        found = items(good, replaced(good, path, wrong), good, importer=importer)
        assert isinstance(found[0], Conversation)
        assert isinstance(found[-1], Conversation)
        for item in found:
            assert isinstance(item, Conversation | Reject | Skip)
            assert "2.90" not in item.reason if isinstance(item, Reject) else True


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        found
        for key, each in inner
        for found in [
            (*at, key),
            *(paths(each, (*at, key)) if isinstance(each, dict | list) else []),
        ]
    ]


def replaced(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return copy


@each_format
def test_a_truncated_file_keeps_what_is_whole(items, importer, good):
    raw = jsonl(good, good)
    whole, cut = items(raw=raw[:-10], importer=importer)
    assert isinstance(whole, Conversation)
    assert isinstance(cut, Reject)
    array = json.dumps([good, good]).encode()
    whole, cut = items(raw=array[:-10], importer=importer)
    assert isinstance(whole, Conversation)
    assert isinstance(cut, Reject)
    assert f"bytes {len(json.dumps(good)) + 3}-" in cut.where


@pytest.mark.parametrize("first", [b"[]", b"[1]", b"[[]]"])
@pytest.mark.parametrize("second", [b"5", b"null", b"canary", b"{}"])
def test_an_array_without_records_before_other_lines_is_a_bad_line(items, first, second):
    found = items(first, second, record(1), importer=OpenAIMessages())
    assert [type(item).__name__ for item in found] == ["Reject", "Reject", "Conversation"]


@each_format
@pytest.mark.parametrize("raw", [b"\n", b" ", b"[]"])
def test_a_file_without_records_gives_nothing(items, importer, good, raw):
    assert items(raw=raw, importer=importer) == []


@each_format
def test_every_record_is_counted_once_on_its_way_to_the_store(tmp_path, store, importer, good):
    path = tmp_path / "train.jsonl"
    path.write_bytes(jsonl(good, b"{}", b"no json", good))
    report = import_export(path, store, format_name=importer.name)
    assert report.read == 4
    assert report.rejected == 2
    assert report.stored + report.updated + report.unchanged == 2


@each_format
def test_the_right_file_is_found_beside_others_in_a_folder_and_a_zip(tmp_path, importer, good):
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "README.md").write_text("# flour\n")
    (folder / "dataset_infos.json").write_text('{"default": {"splits": {}}}')
    (folder / "inner" / "messages.jsonl").write_bytes(jsonl(good))
    (folder / "stats.json").write_text("[1, 2]")
    assert [kind.name for _, kind in sniff(open_export(folder))] == [importer.name]
    only(read(importer, folder))
    packed = tmp_path / "data.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder).as_posix())
    assert [kind.name for _, kind in sniff(open_export(packed))] == [importer.name]
    only(read(importer, packed))


@each_format
def test_a_first_record_longer_than_the_head_is_known(tmp_path, importer, good):
    path = tmp_path / "any.name"
    path.write_bytes(jsonl(json.loads(json.dumps(good).replace("Rye?", "x" * 100_000))))
    assert [kind.name for _, kind in sniff(open_export(path))] == [importer.name]


# OpenAI


def test_trn1_weight_0_is_never_trained(items):
    found = only(items({"messages": [said("user", "a"), said("assistant", "b", weight=0)]}))
    assert [m.train for m in found.messages] == [None, False]


def test_tools_written_as_text_stay_text(items):
    assert only(items(record(1, tools='[{"a": 1}]'))).tools == '[{"a": 1}]'


# ShareGPT


def test_trn2_turns_need_not_alternate(items):
    turns = [human("a"), human("b"), human("c", "gpt"), human("d", "gpt"), human("e", "system")]
    assert texts(only(items({"conversations": turns}))) == [
        ("user", "a"),
        ("user", "b"),
        ("assistant", "c"),
        ("assistant", "d"),
        ("system", "e"),
    ]


@pytest.mark.parametrize("key", ["conversations", "conversation", "items"])
def test_trn2_the_list_has_three_names(items, key):
    assert len(only(items({key: [human("a")]})).messages) == 1


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ("human", "user"),
        ("user", "user"),
        ("gpt", "assistant"),
        ("chatgpt", "assistant"),
        ("bing", "assistant"),
        ("bard", "assistant"),
        ("system", "system"),
        ("observation", "tool"),
        ("tool", "tool"),
    ],
)
def test_trn2_speakers(items, who, role):
    assert only(items({"conversations": [human("a", who)]})).messages[0].role == role


def test_trn2_a_single_turn_on_each_side_is_a_pair_of_siblings(items):
    pair = {"chosen": human("c", "gpt"), "rejected": human("r", "gpt")}
    found = only(items({"conversations": [human("a")], **pair}))
    question, chosen, rejected = found.messages
    assert chosen.parent_id == rejected.parent_id == question.source_id
    assert (chosen.on_path, rejected.on_path) == (True, False)
    assert (chosen.content, rejected.content) == ("c", "r")
    assert found.metadata == {}


def test_calls_without_ids_pair_with_their_results_in_order(items):
    call = {"name": "f", "arguments": {"a": 1.0}}
    found = only(
        items(
            {
                "conversations": [
                    human("x"),
                    human(json.dumps([call, {**call, "name": "g"}]), "function_call"),
                    human("1", "observation"),
                    human("2", "observation"),
                    human("3", "observation"),
                ]
            }
        )
    )
    one, two = found.messages[1].tool_calls
    assert one.id != two.id
    assert one.arguments == '{"a":1.0}'
    assert [(m.tool_call_id, m.name) for m in found.messages[2:]] == [
        (one.id, "f"),
        (two.id, "g"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("mask", "train"),
    [
        ({"weight": 0}, False),
        ({"weight": 1}, True),
        ({"loss": False}, False),
        ({"train": True}, True),
        ({"train": None}, None),
        ({}, None),
    ],
)
def test_masks_of_turns(items, mask, train):
    found = only(items({"conversations": [{**human("a", "gpt"), **mask}]}))
    assert found.messages[0].train is train


def test_an_unknown_speaker_is_a_reject_that_names_him(items):
    _, reject = items(SHAREGPT, {"conversations": [human("canary", "narrator")]})
    assert isinstance(reject, Reject)
    assert "'narrator'" in reject.reason
    assert "canary" not in reject.reason


def test_a_speaker_that_may_be_text_is_not_quoted(items):
    _, reject = items(SHAREGPT, {"conversations": [human("x", "Who barks?")]})
    assert isinstance(reject, Reject)
    assert "barks" not in reject.reason


# Alpaca


def test_trn3_an_empty_input_adds_no_blank_line(items):
    for given in ("", "  ", None):
        assert only(items({**ALPACA, "input": given})).messages[0].content == "Rye?"


def test_trn3_input_stands_under_the_instruction_and_apart(items):
    question = only(items({**ALPACA, "input": "a kilo"})).messages[0]
    assert question.content == "Rye?\na kilo"
    assert question.extra == {"input": "a kilo"}


def test_trn3_history_and_system_come_first(items):
    found = only(items({**ALPACA, "system": "s", "history": [["q", "a"], ["q2", None]]}))
    assert texts(found) == [
        ("system", "s"),
        ("user", "q"),
        ("assistant", "a"),
        ("user", "q2"),
        ("user", "Rye?"),
        ("assistant", "2.90"),
    ]


@pytest.mark.parametrize(
    "answers", [{"chosen": "c", "rejected": "r"}, {"output": ["c", "r"]}], ids=["keys", "list"]
)
def test_alpaca_pairs(items, answers):
    source = {"instruction": "q", "input": "", **answers}
    found = only(items(source, importer=Alpaca()))
    assert texts(found) == [("user", "q"), ("assistant", "c")]
    assert texts(found, on_path=False) == [("assistant", "r")]


def test_an_empty_output_is_no_answer_to_learn(items):
    assert texts(only(items({**ALPACA, "output": ""}))) == [("user", "Rye?")]


def test_dolly(items):
    found = only(items({"instruction": "q", "context": "c", "response": "a", "category": "x"}))
    assert texts(found) == [("user", "q\nc"), ("assistant", "a")]
    assert found.metadata == {"category": "x"}


# prompt and completion


def test_completions_are_trained_and_answers_in_the_prompt_are_not(items):
    prompt = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    found = only(items({"prompt": prompt, "completion": [said("assistant", "d")]}))
    assert [m.train for m in found.messages] == [None, False, None, None]


@pytest.mark.parametrize(("label", "train"), [(False, False), (True, None)])
def test_an_unpaired_preference_says_what_not_to_learn(items, label, train):
    assert only(items({**COMPLETION, "label": label})).messages[1].train is train


# pairs

START = [said("user", "a"), said("assistant", "b"), said("user", "c")]
HH = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:"
PAIRS = {
    "explicit messages": {
        "prompt": START,
        "chosen": [said("assistant", "d")],
        "rejected": [said("assistant", "e")],
    },
    "explicit, texts as answers": {"prompt": START, "chosen": "d", "rejected": "e"},
    "implicit": {
        "chosen": [*START, said("assistant", "d")],
        "rejected": [*START, said("assistant", "e")],
    },
    "explicit and repeated": {
        "prompt": START,
        "chosen": [*START, said("assistant", "d")],
        "rejected": [*START, said("assistant", "e")],
    },
    "last question as the prompt, too": {
        "prompt": "c",
        "chosen": [*START, said("assistant", "d")],
        "rejected": [*START, said("assistant", "e")],
    },
    "openai": {
        "input": {"messages": START},
        "preferred_output": [said("assistant", "d")],
        "non_preferred_output": [said("assistant", "e")],
    },
    "hh": {"chosen": HH + " d", "rejected": HH + " e"},
    "hh with a prompt": {"prompt": HH, "chosen": "d", "rejected": "e"},
    "json text": {
        "chosen": json.dumps([*START, said("assistant", "d")]),
        "rejected": json.dumps([*START, said("assistant", "e")]),
    },
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_every_form_of_a_pair_gives_the_same_siblings(items, pair):
    found = only(items(pair, importer=Preference()))
    assert found.messages == (
        Message("user", "a", source_id="prompt-0"),
        Message("assistant", "b", source_id="prompt-1", parent_id="prompt-0"),
        Message("user", "c", source_id="prompt-2", parent_id="prompt-1"),
        Message("assistant", "d", source_id="chosen-0", parent_id="prompt-2"),
        Message("assistant", "e", source_id="rejected-0", parent_id="prompt-2", on_path=False),
    )
    assert found.metadata == {}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_every_form_of_a_pair_is_known(tmp_path, pair):
    path = tmp_path / "any.name"
    path.write_bytes(jsonl(pair))
    assert [kind.name for _, kind in sniff(open_export(path))] == ["preference"]


def test_a_prompt_before_whole_conversations_is_kept(items):
    side = [said("user", "b"), said("assistant", "c")]
    found = only(
        items({"prompt": "a", "chosen": side, "rejected": [side[0], said("assistant", "d")]})
    )
    assert texts(found) == [("user", "a"), ("user", "b"), ("assistant", "c")]
    assert texts(found, on_path=False) == [("assistant", "d")]


def test_sides_that_are_equal_stay_two(items):
    side = [said("user", "a"), said("assistant", "b")]
    found = only(items({"chosen": side, "rejected": side}))
    assert texts(found) == [("user", "a"), ("assistant", "b")]
    assert texts(found, on_path=False) == [("assistant", "b")]


def test_a_side_that_is_shorter_branches_where_it_ends(items):
    chosen = [said("user", "a"), said("assistant", "b"), said("user", "c"), said("assistant", "d")]
    found = only(items({"chosen": chosen, "rejected": chosen[:2]}))
    assert texts(found) == [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    rejected = found.messages[-1]
    assert (rejected.parent_id, rejected.content, rejected.on_path) == ("prompt-0", "b", False)


def test_texts_without_a_prompt_get_no_invented_question(items):
    found = only(items({"chosen": "The sky is blue.", "rejected": "The sky is green."}))
    assert texts(found) == [("assistant", "The sky is blue.")]
    assert found.messages[1].parent_id is None


def test_text_that_only_looks_like_hh_is_an_answer(items):
    found = only(items({"prompt": "q", "chosen": "Human: a noun.", "rejected": "x"}))
    assert texts(found)[1] == ("assistant", "Human: a noun.")


def test_tools_of_an_openai_pair(items):
    given = {"messages": [said("user", "a")], "tools": [{"b": 1}], "parallel_tool_calls": True}
    found = only(
        items(
            {
                "input": given,
                "preferred_output": [said("assistant", "c")],
                "non_preferred_output": [said("assistant", "d")],
            }
        )
    )
    assert found.tools == '[{"b":1}]'
    assert found.metadata == {"parallel_tool_calls": True}


# OASST


def reply(key: str, *replies: Any, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {
        "message_id": key,
        "text": f"text {key}",
        "role": role,
        "replies": list(replies),
    } | fields


def tree(*replies: Any, **fields: Any) -> dict[str, Any]:
    return {"message_tree_id": "t", "prompt": reply("root", *replies, role="prompter"), **fields}


def on_path(conversation: Conversation) -> list[str | None]:
    return [message.source_id for message in conversation.messages if message.on_path]


def test_trn4_roles_and_parents(items):
    found = only(items(tree(reply("a", reply("b", role="prompter")))))
    assert [(m.role, m.source_id, m.parent_id) for m in found.messages] == [
        ("user", "root", None),
        ("assistant", "a", "root"),
        ("user", "b", "a"),
    ]


def test_trn4_the_best_rank_lies_on_the_path(items):
    found = only(items(tree(reply("a", rank=2), reply("b", rank=0), reply("c", rank=1))))
    assert on_path(found) == ["root", "b"]
    assert [m.extra["rank"] for m in found.messages[1:]] == [2, 0, 1]


def test_trn4_deleted_is_a_side(items):
    found = only(items(tree(reply("a", reply("aa"), rank=0, deleted=True), reply("b", rank=1))))
    assert on_path(found) == ["root", "b"]
    assert len(found.messages) == 4


def test_trn4_what_reviewers_refused_is_no_best_reply(items):
    assert on_path(only(items(tree(reply("a", review_result=False), reply("b"))))) == ["root", "b"]


@pytest.mark.parametrize("depth", [2, 100, 400])
def test_trn4_deep_trees(items, depth):
    inner = reply(f"m{depth}")
    for at in range(depth - 1, 0, -1):
        inner = reply(f"m{at}", inner)
    found = only(items(tree(inner)))
    assert on_path(found) == ["root", *(f"m{at}" for at in range(1, depth + 1))]


def test_trn4_a_tree_too_deep_for_json_is_one_reject(items):
    deep = b'{"message_tree_id": "x", "prompt": ' + b'{"replies": [' * 5000 + b"]}" * 5000 + b"}"
    first, reject, last = items(tree(), deep, tree())
    assert isinstance(first, Conversation)
    assert isinstance(reject, Reject)
    assert isinstance(last, Conversation)


def flat(key: str, parent: str | None, tree_id: str = "t", **fields: Any) -> dict[str, Any]:
    role = "assistant" if parent else "prompter"
    named = {"message_id": key, "parent_id": parent, "message_tree_id": tree_id}
    return {**named, "text": f"text {key}", "role": role, **fields}


def test_trn4_flat_messages_are_gathered_though_trees_are_mixed(items):
    found = items(
        flat("a", None, "1"), flat("b", None, "2"), flat("aa", "a", "1"), flat("bb", "b", "2")
    )
    assert [(c.source_id, on_path(c)) for c in found] == [("1", ["a", "aa"]), ("2", ["b", "bb"])]


def test_trn4_flat_roots_may_nest_replies(items):
    found = only(items(flat("a", None, replies=[reply("n")]), flat("b", "n")))
    assert [(m.source_id, m.parent_id) for m in found.messages] == [
        ("a", None),
        ("n", "a"),
        ("b", "n"),
    ]


def test_trn4_nested_and_flat_give_the_same(items):
    rows = [flat("root", None), flat("a", "root", rank=1), flat("b", "root", rank=0)]
    assert items(*rows) == items(tree(reply("a", rank=1), reply("b", rank=0)))


@pytest.mark.parametrize(
    "rows",
    [
        [flat("a", "a")],
        [flat("a", "b"), flat("b", "a")],
        [flat("a", "gone"), flat("b", "a")],
        [flat("a", None), flat("b", None)],
        [flat("a", None), flat("a", None)],
    ],
    ids=["own parent", "cycle", "dangling", "two roots", "twice"],
)
def test_trn4_damaged_trees_keep_every_node(items, rows):
    found = only(items(*rows))
    assert {m.source_id for m in found.messages} == {row["message_id"] for row in rows}


def test_trn4_messages_without_an_id_are_kept(items):
    nameless = {"text": "x", "role": "assistant", "replies": [reply("b"), None, 5]}
    found = only(items(tree(nameless, reply("c"))))
    nameless_id = found.messages[1].source_id
    assert [m.parent_id for m in found.messages] == [None, "root", nameless_id, "root"]


def test_trn4_a_bad_flat_message_costs_itself(items):
    found = items(flat("a", None), {"message_tree_id": "t", "text": "canary"}, flat("b", "a"))
    assert [type(item).__name__ for item in found] == ["Reject", "Conversation"]
    assert len(found[1].messages) == 2


# parquet


def test_trn5_nulls_of_other_rows_are_not_this_rows(table):
    call = {"id": "c", "type": "function"}
    arguments = [{"flour": "rye", "kilos": 2}, {"village": "Quernside"}]
    rows = [
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{**call, "function": {"name": "f", "arguments": given}}],
                }
            ],
        }
        for given in arguments
    ]
    path = table(*rows)
    # the file itself holds every field in every row
    stored = parquet.read_table(path).to_pylist()[1]["messages"][0]["tool_calls"][0]["function"]
    assert stored["arguments"] == {"flour": None, "kilos": None, "village": "Quernside"}
    found = read(OpenAIMessages(), path)
    assert [c.messages[0].tool_calls[0].arguments for c in found] == [
        '{"flour":"rye","kilos":2}',
        '{"village":"Quernside"}',
    ]
    assert all(m.extra == {} for c in found for m in c.messages)


def test_trn5_messages_written_as_json_text(table):
    found = read(OpenAIMessages(), table({"messages": json.dumps(record(1)["messages"])}))
    assert len(only(found).messages) == 2


def test_trn5_a_table_is_known_by_its_bytes(table, tmp_path):
    other = tmp_path / "x.bin"
    other.write_bytes(table(record(1)).read_bytes())
    assert choose(open_export(other)).name == "openai"
    other.write_bytes(table({"a": 1}).read_bytes())
    assert sniff(open_export(other)) == []


def test_trn5_bytes_are_left_out_and_times_are_text(table):
    from datetime import UTC, datetime

    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    found = only(read(OpenAIMessages(), table(record(1, photo=b"\x89PNG", at=at))))
    assert found.metadata == {"at": "2026-01-02T03:04:05+00:00"}


@pytest.mark.parametrize("packed", ["zip", "gz"])
def test_trn5_a_packed_table_is_read(table, tmp_path, packed):
    path = table(*(record(n) for n in range(3)))
    other = tmp_path / f"rows.{packed}"
    if packed == "zip":
        with zipfile.ZipFile(other, "w") as archive:
            archive.write(path, "data/rows.parquet")
    else:
        other.write_bytes(gzip.compress(path.read_bytes()))
    assert choose(open_export(other)).name == "openai"
    assert len(read(OpenAIMessages(), other)) == 3


def test_trn5_a_truncated_table_is_a_reject(table, tmp_path):
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(table(*(record(n) for n in range(50))).read_bytes()[:-40])
    (reject,) = read(OpenAIMessages(), cut)
    assert isinstance(reject, Reject)
    assert reject.where == "cut.parquet: after row 0"
    assert sniff(open_export(cut)) == []


def test_trn5_damage_inside_a_table_keeps_the_rows_before_it(table):
    rows = [record(n, text="x" * 200 + str(n)) for n in range(2000)]
    path = table(*rows, row_group_size=200, compression="zstd")
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 2000] = bytes(2000)
    path.write_bytes(raw)
    *kept, reject = read(OpenAIMessages(), path)
    assert isinstance(reject, Reject)
    assert len(kept) > 400
    assert all(isinstance(item, Conversation) for item in kept)


def test_every_shard_of_a_data_set_is_read(table, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for shard in range(3):
        table(record(shard)).rename(folder / f"train-0000{shard}-of-00003.parquet")
    (folder / "notes.parquet").write_bytes(table({"a": 1}).read_bytes())
    assert len(read(OpenAIMessages(), folder)) == 3


def test_a_pair_is_stored_with_both_sides(tmp_path, store: Store):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(jsonl(PAIR))
    assert import_export(path, store).stored == 1
    ((found, _, _),) = store.stream()
    assert texts(found, on_path=False) == [("assistant", "No")]

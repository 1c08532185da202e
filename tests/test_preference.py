"""Preference pairs: which answer is better, by what, and as rows that TRL takes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import SAMPLES
from made import gpt_export, gpt_message, gpt_talk, jsonl, node

from dataset.build import BuildError, build
from dataset.card import render_card
from dataset.croissant import croissant
from dataset.diff import diff_versions
from dataset.manifest import (
    DatasetSpec,
    DatasetVersion,
    SplitSpec,
    VersionError,
    open_version,
)
from dataset.pairs import DISAGREE, NOT_ASKED, UNTRAINED, conversation_of, pairs_of, rating_of
from dataset.preference import NO_PAIR, PAIR_SCHEMA, PAIRING, WHOLE
from dataset.preview import preview
from ingest.load import import_export
from ingest.message import Conversation, Message, ToolCall, conversation_id
from ingest.store import Store
from ingest.workspace import Workspace
from serve.lineage import lineage
from serve.masks.source import conversations


def said(role: Any, content: str, id_: str, parent: str | None, path: bool, **more: Any) -> Message:
    return Message(role, content, source_id=id_, parent_id=parent, on_path=path, **more)


def talk(*messages: Message) -> Conversation:
    return Conversation(id="x-1", importer="x", messages=messages)


def asked(*answers: Message) -> Conversation:
    """One question and these answers to it."""
    return talk(said("user", "q", "q", None, path=True), *answers)


def answer(name: str, *, path: bool, **extra: Any) -> Message:
    return said("assistant", name, name, "q", path=path, extra=extra)


def found(conversation: Conversation) -> list[tuple[str, str, str]]:
    """(source, chosen, rejected) as texts."""
    return [
        (pair.source, *("|".join(m.content for m in side) for side in (pair.chosen, pair.rejected)))
        for pair in pairs_of(conversation, Counter())
    ]


def left_out(conversation: Conversation) -> dict[str, int]:
    counts: Counter[str] = Counter()
    assert pairs_of(conversation, counts) == []
    return dict(counts)


# -- which is better ------------------------------------------------------------------------------


def test_the_answer_on_the_path_is_better_than_those_it_replaced():
    talk_ = asked(answer("a", path=False), answer("b", path=True), answer("c", path=False))
    assert found(talk_) == [("path", "b", "a"), ("path", "b", "c")]


def test_a_talk_without_side_branches_has_no_pairs():
    assert found(asked(answer("a", path=True))) == []


def test_a_question_asked_again_is_no_answer():
    edited = talk(
        said("assistant", "hello", "h", None, path=True),
        said("user", "one", "u1", "h", path=False),
        said("user", "two", "u2", "h", path=True),
    )
    assert found(edited) == []


def test_several_answers_on_the_path_are_no_alternatives():
    talk_ = asked(answer("a", path=True), answer("b", path=True), answer("c", path=False))
    assert found(talk_) == []


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({"rating": 1}, {"rating": -1}, [("rating", "a", "b")]),
        ({"rating": -1}, {"rating": 1}, [("rating", "b", "a")]),
        ({"annotation": {"rating": -1}}, {}, [("rating", "b", "a")]),
        ({"annotation": {"rating": 1}}, {}, [("rating", "a", "b")]),
        ({"feedback": {"rating": "thumbsUp"}}, {}, [("rating", "a", "b")]),
        ({}, {"feedback": {"rating": "thumbsDown"}}, []),
        ({"rating": 4}, {"rating": 4}, []),
        ({"rating": 2}, {"rating": 5}, [("rating", "b", "a")]),
        ({"rank": 1}, {"rank": 0}, [("rating", "b", "a")]),
        ({"rank": 0}, {"rank": 1}, [("rating", "a", "b")]),
        ({"rank": 0}, {}, [("path", "b", "a")]),
        ({"feedback": "seen"}, {}, [("path", "b", "a")]),
    ],
)
def test_ratings_and_ranks_say_more_than_the_path(a, b, expected):
    assert found(asked(answer("a", path=False, **a), answer("b", path=True, **b))) == expected


def test_a_disliked_answer_that_stayed_is_no_evidence_either_way():
    talk_ = asked(answer("a", path=False), answer("b", path=True, rating=-1))
    assert left_out(talk_) == {DISAGREE: 1}


def test_the_best_of_many_is_set_against_each_other():
    names = {"a": 3, "b": 0, "c": 1}
    talk_ = asked(*[answer(name, path=False, rank=rank) for name, rank in names.items()])
    assert found(talk_) == [("rating", "b", "a"), ("rating", "b", "c")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, None), ("Good", 1.0), ("thumbs down", -1.0), ({"rating": 1}, 1.0), (None, None),
     ({"text": "x"}, None), ("whatever", None), (-1, -1.0)],
)  # fmt: skip
def test_what_counts_as_a_rating(value, expected):
    assert rating_of(answer("a", path=True, rating=value)) == expected


# -- what a side holds ----------------------------------------------------------------------------


def test_an_answer_holds_its_calls_of_tools_and_ends_before_the_next_question():
    call = ToolCall("c", "look", "{}")
    talk_ = talk(
        said("system", "be kind", "s", None, path=True),
        said("user", "q", "q", None, path=True),
        said("assistant", "", "a", "q", path=True, tool_calls=(call,)),
        said("tool", "found", "t", "a", path=True, tool_call_id="c"),
        said("assistant", "so", "a2", "t", path=True),
        said("user", "more?", "q2", "a2", path=True),
        said("assistant", "yes", "a3", "q2", path=True),
        said("assistant", "no idea", "b", "q", path=False),
        said("user", "why?", "q3", "b", path=False),
    )
    (pair,) = pairs_of(talk_, Counter())
    assert [message.content for message in pair.prompt] == ["be kind", "q"]
    assert [message.role for message in pair.chosen] == ["assistant", "tool", "assistant"]
    assert [message.content for message in pair.rejected] == ["no idea"]


def test_a_fork_deep_in_a_talk_has_all_before_it_as_prompt():
    talk_ = talk(
        said("user", "q", "q", None, path=True),
        said("assistant", "a", "a", "q", path=True),
        said("user", "q2", "q2", "a", path=True),
        said("assistant", "b", "b", "q2", path=False),
        said("assistant", "c", "c", "q2", path=True),
    )
    (pair,) = pairs_of(talk_, Counter())
    assert [message.content for message in pair.prompt] == ["q", "a", "q2"]


@pytest.mark.parametrize("bad", ["a", "b"])
def test_an_answer_that_is_never_trained_makes_no_pair(bad):
    answers = [answer(name, path=name == "a") for name in "ab"]
    marked = [said("assistant", m.content, m.source_id or "", "q", m.on_path,
                   train=False if m.content == bad else None) for m in answers]  # fmt: skip
    assert left_out(asked(*marked)) == {UNTRAINED: 1}


def test_answers_to_nothing_make_no_pair():
    talk_ = talk(
        said("system", "s", "q", None, path=True), answer("a", path=True), answer("b", path=False)
    )
    assert left_out(talk_) == {NOT_ASKED: 1}


def test_an_empty_answer_is_none():
    talk_ = asked(said("assistant", " ", "a", "q", path=False), answer("b", path=True))
    assert found(talk_) == []


def test_a_damaged_tree_ends():
    loop = talk(
        said("user", "q", "q", "b", path=True),
        said("assistant", "a", "a", "q", path=True),
        said("assistant", "b", "b", "q", path=False),
        said("tool", "t", "t", "t", path=False),
    )
    assert found(loop) == [("path", "a", "b")]


def test_the_id_of_a_pair_does_not_depend_on_other_pairs():
    few = asked(answer("b", path=False), answer("c", path=True))
    many = asked(answer("a", path=False), answer("b", path=False), answer("c", path=True))
    (one,) = pairs_of(few, Counter())
    assert one.id in [pair.id for pair in pairs_of(many, Counter())]
    assert conversation_of(one.id) == "x-1"


# -- versions -------------------------------------------------------------------------------------


def regenerated(number: int, *answers: str) -> dict[str, Any]:
    """A ChatGPT conversation whose last answer stayed."""
    keys = [f"a{at}" for at in range(len(answers))]
    return gpt_talk(number) | {
        "mapping": {
            **node("u", None, gpt_message("user", f"Question {number}?"), *keys),
            **{
                key: node(key, "u", gpt_message("assistant", text))[key]
                for key, text in zip(keys, answers, strict=True)
            },
        },
        "current_node": keys[-1],
    }


def put(store: Store, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    import_export(path, store)


def spec(**more: Any) -> DatasetSpec:
    split = SplitSpec(validation=0, test=0)
    return DatasetSpec(**{"name": "p", "kind": "preference", "split": split, **more})


def rows(version: DatasetVersion) -> list[dict[str, Any]]:
    return [row for split in version.splits for row in version.rows(split)]


@pytest.fixture
def pairs(store: Store, workspace: Workspace, tmp_path: Path) -> DatasetVersion:
    talks = [regenerated(1, "worse 1", "better 1"), regenerated(2, "same", "same"),
             regenerated(3, "worst 3", "worse 3", "better 3"), gpt_talk(4)]  # fmt: skip
    put(store, tmp_path / "conversations.json", gpt_export(*talks))
    return build(store, spec(), workspace)


def test_a_version_of_pairs_has_trls_shape(pairs):
    first, *others = rows(pairs)
    assert first["prompt"] == [_message("user", "Question 1?")]
    assert first["chosen"] == [_message("assistant", "better 1")]
    assert first["rejected"] == [_message("assistant", "worse 1")]
    assert (first["importer"], first["source"]) == ("chatgpt", "path")
    assert len(others) == 2
    assert pq.read_schema(pairs.file("train")).equals(PAIR_SCHEMA)


def _message(role: str, content: str) -> dict[str, Any]:
    empty = dict.fromkeys(("name", "reasoning_content", "tool_calls", "tool_call_id"))
    return {"role": role, "content": content, **empty}


def test_the_manifest_counts_conversations_then_pairs(pairs):
    steps = {step.name: step for step in open_version(pairs.path).steps}
    assert list(steps) == [PAIRING, "has-assistant", "dedupe-exact", WHOLE]
    assert (steps[PAIRING].rows_in, steps[PAIRING].kept) == (4, 3)
    assert steps[PAIRING].dropped == {NO_PAIR: 1}
    assert steps[PAIRING].facts["pairs"] == steps["has-assistant"].rows_in == 4
    assert steps[WHOLE].dropped == {"both answers say the same": 1}
    assert steps[WHOLE].kept == pairs.splits["train"].conversations == 3
    assert (pairs.splits["train"].messages, pairs.splits["train"].assistant_messages) == (9, 6)


def test_building_twice_gives_the_same_version_on_any_number_of_workers(
    pairs, store, workspace, tmp_path
):
    elsewhere = Workspace(tmp_path / "elsewhere").create()
    again = build(store, spec(), elsewhere, workers=2)
    assert again.fingerprint == pairs.fingerprint
    assert again.file("train").read_bytes() == pairs.file("train").read_bytes()


def test_every_pair_of_a_conversation_is_in_one_split(store, workspace, tmp_path):
    talks = [regenerated(n, f"a{n}", f"b{n}", f"c{n}", f"d{n}") for n in range(60)]
    put(store, tmp_path / "conversations.json", gpt_export(*talks))
    version = build(store, spec(split=SplitSpec(validation=0.3, test=0.3)), workspace)
    where: dict[str, set[str]] = {}
    for split in version.splits:
        for row in version.rows(split):
            where.setdefault(row["conversation"], set()).add(split)
    assert len(where) == 60
    assert {len(splits) for splits in where.values()} == {1}
    assert set(version.splits) == {"train", "validation", "test"}


def test_a_pair_is_in_the_split_of_its_conversation(store, workspace, tmp_path):
    talks = [regenerated(n, f"a{n}", f"b{n}") for n in range(30)]
    put(store, tmp_path / "conversations.json", gpt_export(*talks))
    split = SplitSpec(validation=0.5, test=0)
    of_pairs = build(store, spec(split=split), workspace)
    of_talks = build(store, DatasetSpec(name="c", split=split), workspace)
    held = {row["conversation"] for row in of_pairs.rows("validation")}
    assert held == {row["id"] for row in of_talks.rows("validation")}


def test_redaction_reaches_all_three_parts(store, workspace, tmp_path):
    talk_ = regenerated(1, "Mail bob@example.org", "Mail ann@example.org, not bob@example.org")
    talk_["mapping"]["u"]["message"] = gpt_message("user", "Is it ann@example.org?")
    put(store, tmp_path / "conversations.json", gpt_export(talk_))
    steps = [{"name": "redact", "kinds": ["email"]}]
    (row,) = rows(build(store, spec(steps=steps), workspace))
    texts = [row[side][0]["content"] for side in ("prompt", "chosen", "rejected")]
    assert texts == ["Is it [EMAIL_1]?", "Mail [EMAIL_1], not [EMAIL_2]", "Mail [EMAIL_2]"]


def test_a_better_answer_that_a_step_does_not_train_is_no_better_answer(store, workspace, tmp_path):
    talks = [
        regenerated(1, "Here it is.", "I'm sorry, but I can't help with that."),
        regenerated(2, "I'm sorry, but I can't help with that.", "Here it is."),
    ]
    put(store, tmp_path / "conversations.json", gpt_export(*talks))
    version = build(store, spec(steps=["refusals"]), workspace)
    assert [row["chosen"][0]["content"] for row in rows(version)] == ["Here it is."]
    assert version.steps[-1].dropped == {"the better answer is not to be trained": 1}


def test_equal_pairs_are_one(store, workspace, tmp_path):
    talks = [regenerated(n, "worse", "better") for n in (1, 2)]
    for each in talks:
        each["mapping"]["u"]["message"] = gpt_message("user", "The same?")
    put(store, tmp_path / "conversations.json", gpt_export(*talks))
    assert build(store, spec(), workspace).splits["train"].conversations == 1


def test_conversations_without_pairs_make_no_version(store, workspace, tmp_path):
    put(store, tmp_path / "conversations.json", gpt_export(gpt_talk(1)))
    with pytest.raises(BuildError) as caught:
        build(store, spec(), workspace)
    assert NO_PAIR in caught.value.hint


def test_a_preview_counts_pairs_too(pairs, store, workspace):
    seen = preview(store, spec(), workspace)
    assert seen.splits == {"train": 3}
    assert [step.report.rows_in for step in seen.steps] == [4, 4]


def test_two_versions_of_pairs_are_compared_side_by_side(pairs, store, workspace, tmp_path):
    more = [regenerated(1, "worse 1", "best 1"), regenerated(9, "worse 9", "better 9")]
    put(store, tmp_path / "more.json", gpt_export(*more))
    diff = diff_versions(pairs, build(store, spec(), workspace))
    assert [conversation_of(held.id) for held in diff.added] == [_id(9)]
    assert diff.removed == []
    (change,) = diff.changed()
    (message,) = change.messages
    assert (message.column, message.op) == ("chosen", "changed")


def _id(number: int) -> str:
    return conversation_id("chatgpt", f"conv-{number}")


def test_lineage_leads_from_a_conversation_to_its_pairs(pairs, workspace):
    chain = lineage(_id(3), workspace)
    assert [link["kind"] for link in chain] == ["conversation", "dataset"]


def test_pairs_are_not_trained_or_shown_as_conversations(pairs, workspace):
    with pytest.raises(VersionError, match="preference pairs, no conversations"):
        pairs.require_chat()
    with pytest.raises(VersionError):
        conversations("p", workspace, 1)


def test_the_card_says_what_a_row_is_and_shows_all_three_parts(pairs):
    card = render_card(pairs, "me/p", samples=1)
    assert "Preference pairs, one a row" in card
    for part in ('"rejected": [', "worse 1", "better 1", "| split | pairs |"):
        assert part in card


def test_croissant_describes_every_column_of_a_pair(pairs):
    (record_set,) = croissant(pairs, "me/p")["recordSet"]
    assert [field["name"] for field in record_set["field"]] == PAIR_SCHEMA.names


def test_stated_pairs_keep_whole_branches(store, workspace, tmp_path):
    turns = [("user", "q"), ("assistant", "a"), ("user", "and?"), ("assistant", "b")]
    chosen = [{"role": role, "content": content} for role, content in turns]
    rejected = [chosen[0], {"role": "assistant", "content": "no"}]
    put(store, tmp_path / "pairs.jsonl", jsonl({"chosen": chosen, "rejected": rejected}))
    (row,) = rows(build(store, spec(), workspace))
    assert row["source"] == "pair"
    assert [m["content"] for m in row["prompt"]] == ["q"]
    assert [m["content"] for m in row["chosen"]] == ["a", "and?", "b"]
    assert [m["content"] for m in row["rejected"]] == ["no"]


@pytest.mark.parametrize(
    ("sample", "sources"),
    [("oasst", {"rating"}), ("openwebui", {"rating"}), ("preference", {"pair"}),
     ("chatgpt", {"path"}), ("librechat", {"path"}), ("deepseek", {"path"})],
)  # fmt: skip
def test_the_samples_hold_pairs(sample, sources, store, workspace):
    for file in sorted((SAMPLES / sample).iterdir()):
        if file.name not in ("expected.jsonl", "make.py"):
            import_export(file, store)
    found_ = rows(build(store, spec(), workspace))
    assert {row["source"] for row in found_} >= sources
    for row in found_:
        assert row["conversation"] == conversation_of(row["id"])
        assert row["chosen"] != row["rejected"]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")
def test_trl_prepares_the_rows_for_dpo(store, workspace, tmp_path):
    from datasets import load_dataset
    from train_ground import tiny_base
    from trl import DPOConfig, DPOTrainer

    tools = json.dumps([{"type": "function", "function": {"name": "look", "parameters": {}}}])
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    ask = {"role": "user", "content": "please send the parcel"}
    with_tools = {
        "prompt": [ask],
        "chosen": [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "sent on monday", "tool_call_id": "c"},
            {"role": "assistant", "content": "it was sent"},
        ],
        "rejected": [{"role": "assistant", "content": "wait"}],
        "tools": json.loads(tools),
    }
    plain = {
        "prompt": [ask],
        "chosen": [{"role": "assistant", "content": "thanks"}],
        "rejected": [{"role": "assistant", "content": "refund"}],
    }
    put(store, tmp_path / "pairs.jsonl", jsonl(with_tools, plain))
    version = build(store, spec(), workspace)
    dataset = load_dataset(
        "parquet", data_files=str(version.file("train")), split="train",
        cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    base = tiny_base(tmp_path / "base")
    arguments = DPOConfig(
        output_dir=str(tmp_path / "out"), report_to="none", use_cpu=True, max_steps=1,
        per_device_train_batch_size=2, bf16=False,
    )  # fmt: skip
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base),
        args=arguments,
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(base),
    )
    prepared = trainer.train_dataset
    assert len(prepared) == len(dataset) == 2
    tokenizer = trainer.processing_class
    for row, made in zip(dataset, prepared, strict=True):
        for side in ("chosen", "rejected"):
            text = tokenizer.decode(made[f"{side}_ids"])
            assert row[side][-1]["content"] in text
        assert row["prompt"][-1]["content"] in tokenizer.decode(made["prompt_ids"])
    assert trainer.train().training_loss > 0

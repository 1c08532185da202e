"""Outward formats: what they say, what they refuse and count, what never leaves."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from export_ground import (
    CALLED,
    FLAGGED,
    GUIDED,
    LONGER,
    PLAIN,
    REASONED,
    TOOL,
    call,
    lines,
    row,
    said,
    sealed,
)

from dataset.export.base import DatasetExportError, FormatOptions
from dataset.export.losses import LOSSES
from dataset.export.registry import FORMATS
from dataset.export.write import EXPORT, DatasetExport, export_version
from dataset.manifest import DatasetVersion, FileInfo, VersionError
from ingest.files import sha256_file
from ingest.message import Message
from ingest.workspace import Workspace
from serve.cli import run

Write = Callable[..., DatasetExport]


@pytest.fixture
def seal(workspace: Workspace, tmp_path: Path) -> Callable[..., DatasetVersion]:
    return lambda *talks, **spec: sealed(workspace, tmp_path, *talks, **spec)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def write(seal: Callable[..., DatasetVersion], out: Path) -> Write:
    """Seals these conversations and writes them in a format."""

    def written(name: str, *talks: Any, **options: Any) -> DatasetExport:
        return export_version(seal(*talks), name, out, **options)

    return written


# -- the folder ----------------------------------------------------------------------------------


def test_export_json_says_from_what_what_and_how_much(seal, out):
    version = seal(PLAIN, LONGER, CALLED)
    done = export_version(version, "alpaca", out)
    told = json.loads((out / EXPORT).read_text())
    assert told == done.model_dump()
    assert (told["version"], told["format"]) == (version.ref, "alpaca")
    assert told["files"] == [
        {
            "path": "train.jsonl",
            "sha256": sha256_file(out / "train.jsonl"),
            "bytes": (out / "train.jsonl").stat().st_size,
        }
    ]
    assert told["splits"]["train"] == {
        "rows": 3,
        "exported": 1,
        "refused": {"not one question and one answer": 1, "tool calls": 1},
        "lost": {},
        "left_out": {},
    }


def test_each_split_is_a_file_and_rows_are_neither_lost_nor_moved(seal, out):
    talks = [[said("user", f"Question {n}?"), said("assistant", f"Answer {n}.")] for n in range(60)]
    version = seal(*talks, split={"validation": 0.2, "test": 0.2})
    done = export_version(version, "openai", out)
    for split, counts in version.splits.items():
        wanted = [row["messages"][0]["content"] for row in version.rows(split)]
        found = [each["messages"][0]["content"] for each in lines(out / f"{split}.jsonl")]
        assert found == wanted
        assert done.splits[split].exported == counts.conversations > 0


def test_a_split_of_which_nothing_fits_has_no_file(seal, tmp_path, out):
    talks = [[said("user", f"Question {n}?"), said("assistant", "Yes.")] for n in range(40)]
    talks += [[*talk, said("user", "And?"), said("assistant", "No.")] for talk in talks]
    split = {"validation": 0.3, "test": 0.0}
    where = {}
    for name in ("train", "validation"):
        for each in seal(*talks, split=split).rows(name):
            where[each["messages"][0]["content"], len(each["messages"])] = name
    chosen = [
        talk
        for talk in talks
        if where[talk[0]["content"], len(talk)] == ("train" if len(talk) == 2 else "validation")
    ]
    version = sealed(Workspace(tmp_path / "second").create(), tmp_path, *chosen, split=split)
    done = export_version(version, "alpaca", out)
    assert done.splits["validation"].rows > done.splits["validation"].exported == 0
    assert sorted(file.name for file in out.iterdir()) == [EXPORT, "train.jsonl"]


def test_only_the_owner_can_read_an_export(write, out):
    write("axolotl", PLAIN)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}


def test_the_folder_must_be_new_or_empty(write, out):
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DatasetExportError, match="not empty"):
        write("openai", PLAIN)
    assert [file.name for file in out.iterdir()] == ["mine.txt"]
    (out / "mine.txt").unlink()
    assert write("openai", PLAIN).splits["train"].exported == 1


def test_the_current_folder_is_not_replaced(write, out, monkeypatch):
    out.mkdir()
    monkeypatch.chdir(out)
    with pytest.raises(DatasetExportError, match="cannot become"):
        write("openai", PLAIN)


def test_nothing_is_left_of_an_export_that_fails(write, out):
    with pytest.raises(DatasetExportError, match=r"no conversation .* fits alpaca: tool calls"):
        write("alpaca", CALLED)
    assert not out.exists()
    assert not list(out.parent.glob(".out*"))


def test_a_damaged_version_is_not_exported(seal, out):
    version = seal(PLAIN)
    file = version.file("train")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(VersionError, match="differs"):
        export_version(version, "openai", out)


def test_a_version_of_something_else_than_conversations_is_not_exported(seal, out):
    version = seal(PLAIN)
    file = version.file("train")
    pq.write_table(pq.read_table(file).rename_columns({"messages": "chosen"}), file)
    info = FileInfo(sha256=sha256_file(file), bytes=file.stat().st_size)
    version = version.model_copy(update={"files": {"data/train-00000.parquet": info}})
    with pytest.raises(DatasetExportError, match="rows are no conversations"):
        export_version(version, "parquet", out)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_column_that_no_format_knows_does_not_leave(name):
    outward = FORMATS[name](FormatOptions("mill"))
    messages = [Message("user", "Is the rye in?"), Message("assistant", "It is.")]
    known = row(*messages)
    more = {**known, "removed": "Zwqx"}
    more["messages"] = [{**each, "removed": "Zwqx"} for each in known["messages"]]
    assert outward.record(more) == outward.record(known)


def test_the_same_version_gives_the_same_bytes(seal, tmp_path):
    version = seal(PLAIN, GUIDED, CALLED, FLAGGED)
    for name in FORMATS:
        first = export_version(version, name, tmp_path / f"{name}-1")
        assert first == export_version(version, name, tmp_path / f"{name}-2")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"parquet"}))
def test_titles_participants_and_sources_stay_at_home(write, out, name):
    write(name, {"messages": [*GUIDED], "title": "Canary of Zwqx"}, {"messages": LONGER})
    shown = b"".join(file.read_bytes() for file in out.iterdir()).decode()
    assert "Zwqx" not in shown
    assert "content_hash" not in shown
    assert str(out.parent) not in shown


def test_a_field_first_used_late_comes_early_so_that_loaders_see_it(write, out):
    long = [[said("user", f"{n} {'x' * 40_000}"), said("assistant", "Yes.")] for n in range(30)]
    write("axolotl", *long, {"messages": CALLED, "tools": [TOOL]})
    found = lines(out / "train.jsonl")
    assert len(found) == 31
    assert "tools" in found[0]
    assert [each["messages"][0]["content"][:2].strip() for each in found[1:]] == [
        str(n) for n in range(30)
    ]


# -- losses --------------------------------------------------------------------------------------


REFUSED = {
    "cannot say train=false": (FLAGGED, ["sharegpt", "llama-factory"]),
    "cannot say reasoning": (REASONED, ["openai", "sharegpt", "alpaca"]),
    "does not end with the assistant": (
        [*PLAIN, said("user", "Bye.")],
        ["openai", "alpaca", "llama-factory"],
    ),
    "cannot say text beside a tool call": (
        [CALLED[0], {**CALLED[1], "content": "Let me see."}, *CALLED[2:]],
        ["sharegpt", "llama-factory"],
    ),
    "cannot say tool definitions": ({"messages": PLAIN, "tools": [TOOL]}, ["alpaca"]),
}


def test_every_loss_is_tried():
    assert set(REFUSED) == {loss.reason for loss in LOSSES}


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, (_, names) in REFUSED.items() for name in names]
)
def test_what_cannot_be_said_is_refused_until_it_is_named(seal, tmp_path, reason, name):
    talk = REFUSED[reason][0]
    version = seal(talk, PLAIN)
    done = export_version(version, name, tmp_path / "refused")
    assert done.refused == {reason: 1}
    (loss,) = (each.name for each in LOSSES if each.reason == reason)
    done = export_version(version, name, tmp_path / "lossy", lossy=[loss])
    assert done.refused == {}
    assert done.lost == {loss: 1}
    assert done.splits["train"].exported == 2


def test_a_loss_that_the_format_does_not_have_is_an_error(write):
    with pytest.raises(DatasetExportError, match="--lossy reasoning: axolotl loses nothing") as no:
        write("axolotl", PLAIN, lossy=["reasoning"])
    assert no.value.hint == "leave the option out"
    with pytest.raises(DatasetExportError) as no:
        write("openai", PLAIN, lossy=["everything"])
    assert "reasoning (reasoning is dropped)" in no.value.hint


# -- what each format says -----------------------------------------------------------------------


def test_openai_holds_weights_tools_and_parallel_calls(write, out):
    both = [call(), call(key="c2", arguments='{"kilos": 5}')]
    parallel = [
        said("user", "3 and 5 kilos?"),
        said("assistant", tool_calls=both),
        said("tool", "9", tool_call_id="c1"),
        said("tool", "15", tool_call_id="c2"),
        said("assistant", "9 and 15."),
    ]
    write("openai", FLAGGED, {"messages": parallel, "tools": [TOOL]})
    flagged, calling = lines(out / "train.jsonl")
    assert flagged == {"messages": FLAGGED}
    assert calling == {"messages": parallel, "tools": [TOOL], "parallel_tool_calls": True}


def test_openai_results_have_no_name(write, out):
    write("openai", CALLED)
    result = lines(out / "train.jsonl")[0]["messages"][2]
    assert result == said("tool", "9", tool_call_id="c1")


def test_openai_leaves_out_names_that_its_api_refuses(write, out):
    named = [said("user", "Hi", name="Marla Quill"), said("assistant", "Hi", name="Wendel")]
    done = write("openai", named)
    assert [each.get("name") for each in lines(out / "train.jsonl")[0]["messages"]] == [
        None,
        "Wendel",
    ]
    assert done.left_out == {"names that the API refuses": 1}


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([*PLAIN[:1], said("tool", "9", tool_call_id="no"), PLAIN[1]], "a tool result without its"),
        ([PLAIN[0], said("assistant", tool_calls=[call(name="a b")])], "a tool name with other"),
        ({"messages": PLAIN, "tools": [{"name": "price_of"}]}, "tool definitions of another shape"),
        ([said("user", "Hi", weight=1), PLAIN[1]], "cannot say train=true of a message"),
        ([said("system", "Be kind."), said("user", "Hi")], "no assistant message"),
    ],
)
def test_openai_refuses_what_the_service_would(write, talk, reason):
    (found,) = write("openai", talk, PLAIN).refused
    assert found.startswith(reason)


def test_sharegpt_writes_calls_as_json_text_and_developer_as_system(write, out):
    talk = [said("developer", "You run a mill."), *CALLED]
    done = write("sharegpt", {"messages": talk, "tools": [TOOL]})
    (record,) = lines(out / "train.jsonl")
    assert record["conversations"] == [
        {"from": "system", "value": "You run a mill."},
        {"from": "human", "value": "What are 3 kilos?"},
        {"from": "function_call", "value": '{"name": "price_of", "arguments": {"kilos": 3}}'},
        {"from": "observation", "value": "9"},
        {"from": "gpt", "value": "Nine crowns."},
    ]
    assert json.loads(record["tools"]) == [TOOL]
    assert done.left_out == {"tool call ids": 1, "developer role (written as system)": 1}


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([PLAIN[0], said("system", "Be kind."), PLAIN[1]], "system messages elsewhere than at"),
        ([*GUIDED[:1], *GUIDED], "system messages elsewhere than at the beginning, or several"),
        ([PLAIN[0], said("assistant", tool_calls=[call(arguments="2 + 2")])], "tool arguments"),
        ([CALLED[0], CALLED[1], CALLED[3]], "a tool call without its result"),
        ([*CALLED[:2], said("tool", "9", tool_call_id="c9"), CALLED[3]], "tool results in another"),
        ([CALLED[0], CALLED[2], CALLED[3]], "a tool result without its call"),
    ],
)
@pytest.mark.parametrize("name", ["sharegpt", "llama-factory"])
def test_turns_refuse_what_their_order_cannot_say(write, talk, reason, name):
    (found,) = write(name, talk, PLAIN).refused
    assert found.startswith(reason)


def test_alpaca_holds_one_question_and_one_answer(write, out):
    write("alpaca", GUIDED, PLAIN)
    guided, plain = lines(out / "train.jsonl")
    assert plain == {"instruction": "Is the rye in?", "input": "", "output": "It is."}
    assert guided == {**plain, "system": "You run a mill."}


def test_axolotl_data_holds_flags_and_reasoning_and_tools_as_text(write, out):
    write("axolotl", FLAGGED, REASONED, {"messages": CALLED, "tools": [TOOL]})
    flagged, reasoned, calling = lines(out / "train.jsonl")
    assert [each.get("train") for each in flagged["messages"]] == [None, None, None, False] + [
        None
    ] * 2
    assert reasoned["messages"] == REASONED
    assert calling["messages"] == CALLED
    assert json.loads(calling["tools"]) == [TOOL]


def test_axolotl_config_is_the_baseline(write, out):
    yaml = pytest.importorskip("yaml")
    done = write("axolotl", CALLED, base_model='acme/"mill"\n8b')
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["base_model"] == 'acme/"mill"\n8b'
    assert done.to_set == []
    wanted = {
        "adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.05,
        "lora_target_linear": True, "load_in_8bit": True, "micro_batch_size": 2,
        "gradient_accumulation_steps": 8, "sequence_len": 2048, "gradient_checkpointing": True,
        "bf16": "auto",
    }  # fmt: skip
    assert {key: config[key] for key in wanted} == wanted
    (data,) = config["datasets"]
    assert (out / data["path"]).is_file()
    assert data["message_field_training"] == "train"
    assert set(data["message_property_mappings"]) == {
        "role", "content", "tool_calls", "tool_call_id", "name"
    }  # fmt: skip
    assert "test_datasets" not in config


def test_llama_factory_writes_system_and_tools_as_columns_and_thought_in_tags(write, out):
    talk = [said("system", "You run a mill."), *REASONED]
    write("llama-factory", {"messages": talk}, {"messages": CALLED, "tools": [TOOL]})
    reasoned, calling = lines(out / "train.jsonl")
    assert reasoned == {
        "conversations": [
            {"from": "human", "value": "2 + 2?"},
            {"from": "gpt", "value": "<think>\nTwo and two.\n</think>\n\n4"},
        ],
        "system": "You run a mill.",
        "tools": "",
    }
    assert json.loads(calling["tools"]) == [TOOL]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([PLAIN[1], *LONGER], "turns that do not alternate"),
        ([PLAIN[0], *PLAIN], "turns that do not alternate"),
        (
            [PLAIN[0], said("assistant", tool_calls=[call(arguments='{"a": "<think>"}')])],
            "tool arguments that hold",
        ),
        (
            [PLAIN[0], said("assistant", "4", reasoning_content="a </think> b")],
            "reasoning that holds",
        ),
        (
            {"messages": PLAIN, "tools": [{"type": "function", "function": {"name": "f"}}]},
            "a tool definition without",
        ),
    ],
)
def test_llama_factory_refuses_what_its_converter_would_drop_or_break(write, talk, reason):
    (found,) = write("llama-factory", talk, PLAIN).refused
    assert found.startswith(reason)


def test_llama_factory_names_what_must_be_set(write, out):
    done = write("llama-factory", PLAIN)
    assert done.to_set == ["train.yaml: model_name_or_path", "train.yaml: template"]


def test_parquet_has_only_fields_that_are_used(write, out):
    write("parquet", PLAIN, LONGER)
    messages = pq.read_schema(out / "train.parquet").field("messages").type.value_type
    assert [field.name for field in messages] == ["role", "content"]


def test_parquet_keeps_every_row_also_with_arguments_that_are_no_json(write, out):
    odd = [said("user", "2 + 2?"), said("assistant", tool_calls=[call("python", "2 + 2")])]
    done = write("parquet", odd, FLAGGED, CALLED)
    assert done.refused == {}
    assert list(done.left_out.values()) == [2]
    first, flagged, _ = pq.read_table(out / "train.parquet")["messages"].to_pylist()
    assert first[1]["tool_calls"][0]["function"]["arguments"] == "2 + 2"
    assert flagged[3]["weight"] == 0


# -- the command ---------------------------------------------------------------------------------


def test_the_command_prints_one_document_and_ends_with_3_where_something_was_refused(
    seal, workspace, out, capsys
):
    version = seal(PLAIN, LONGER)
    order = ["export", "mill", "--out", str(out), "--home", str(workspace.home), "--json"]
    assert run([*order, "--format", "alpaca"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == version.ref
    assert [file["path"] for file in told["files"]] == ["train.jsonl"]
    assert run([*order[:3], str(out.parent / "all"), *order[4:], "--format", "openai"]) == 0


def test_the_command_says_what_was_refused_and_how_to_allow_it(seal, workspace, out, capsys):
    seal(PLAIN, REASONED)
    order = ["export", "mill", "--out", str(out), "--home", str(workspace.home)]
    assert run([*order, "--format", "sharegpt"]) == 3
    noted = capsys.readouterr().err
    assert "refused: 1 cannot say reasoning (--lossy reasoning: reasoning is dropped)" in noted
    assert "Two and two" not in noted


def test_an_unknown_format_is_two_lines(seal, workspace, out, capsys):
    seal(PLAIN)
    order = ["export", "mill", "--out", str(out), "--home", str(workspace.home)]
    assert run([*order, "--format", "csv"]) == 2
    noted = capsys.readouterr().err.strip().splitlines()
    assert noted == [
        "error: no outward format is called 'csv'",
        "hint: there are: openai, sharegpt, alpaca, axolotl, llama-factory, parquet",
    ]

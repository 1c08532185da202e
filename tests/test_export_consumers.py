"""What is exported loads with the consumers' own code: datasets, TRL, OpenAI's client."""

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from export_ground import CALLED, FLAGGED, GUIDED, LONGER, PLAIN, REASONED, TOOL, call, lines, said
from export_ground import sealed as sealed_version

from dataset.export.registry import FORMATS
from dataset.export.write import export_version
from dataset.manifest import DatasetVersion
from dataset.rows import to_chat
from ingest.workspace import Workspace

pytestmark = pytest.mark.torch

TALKS: list[Any] = [
    PLAIN, GUIDED, LONGER, FLAGGED, REASONED, CALLED,
    {"messages": CALLED, "tools": [TOOL]},
    [said("user", "Weigh it."), said("assistant", tool_calls=[call("weigh", '{"sacks": [1, 2]}')])],
]  # fmt: skip


@pytest.fixture
def version(workspace: Workspace, tmp_path: Path) -> DatasetVersion:
    return sealed_version(workspace, tmp_path, *TALKS)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``datasets`` answers from its cache where a file of the same name has the same size."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def load(file: Path) -> Any:
    import datasets

    kind = {".jsonl": "json", ".parquet": "parquet"}[file.suffix]
    return datasets.load_dataset(kind, data_files=str(file), split="train")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_datasets_loads_every_export(version, tmp_path, name):
    done = export_version(version, name, tmp_path / "out")
    file = done.files[0].path
    found = load(tmp_path / "out" / file)
    assert len(found) == done.splits["train"].exported
    if file.endswith(".jsonl"):
        assert [said_only(row) for row in found] == lines(tmp_path / "out" / file)


def test_datasets_loads_lines_whose_fields_come_late(workspace, tmp_path):
    long = [[said("user", f"{n} {'x' * 500_000}"), said("assistant", "Yes.")] for n in range(24)]
    late = {"messages": CALLED, "tools": [TOOL]}
    version = sealed_version(workspace, tmp_path, *long, FLAGGED, late)
    export_version(version, "axolotl", tmp_path / "out")
    assert (tmp_path / "out" / "train.jsonl").stat().st_size > 10 << 20
    assert len(load(tmp_path / "out" / "train.jsonl")) == 26


def said_only(value: Any) -> Any:
    """Without the nulls that a table puts where a row says nothing."""
    if isinstance(value, dict):
        return {key: said_only(each) for key, each in value.items() if each is not None}
    return [said_only(each) for each in value] if isinstance(value, list) else value


def test_trl_renders_the_parquet_as_we_render_the_version(version, tmp_path):
    from tiny_models import tiny_tokenizer
    from trl.data_utils import apply_chat_template, is_conversational

    export_version(version, "parquet", tmp_path / "out")
    tokenizer = tiny_tokenizer()
    found = load(tmp_path / "out" / "train.parquet")
    chats = [to_chat(row) for row in version.rows("train")]
    assert len(found) == len(chats) == len(TALKS)
    for row, chat in zip(found, chats, strict=True):
        assert is_conversational(row)
        tools = json.loads(row["tools"]) if row["tools"] else None
        text = apply_chat_template({"messages": row["messages"]}, tokenizer, tools=tools)["text"]
        wanted = tokenizer.apply_chat_template(
            chat["messages"], tools=chat["tools"], tokenize=False
        )
        assert text == wanted


@pytest.mark.filterwarnings("ignore")  # TRL's and accelerate's own
def test_trl_prepares_the_parquet_for_training(version, tmp_path):
    from tiny_models import tiny_model, tiny_tokenizer
    from trl import SFTConfig, SFTTrainer

    export_version(version, "parquet", tmp_path / "out")
    tokenizer = tiny_tokenizer()
    config = SFTConfig(
        str(tmp_path / "run"), use_cpu=True, bf16=False, report_to="none", max_length=None
    )
    trainer = SFTTrainer(
        tiny_model(tokenizer),
        config,
        train_dataset=load(tmp_path / "out" / "train.parquet"),
        processing_class=tokenizer,
    )
    chats = [to_chat(row) for row in version.rows("train")]
    wanted = [
        tokenizer.apply_chat_template(each["messages"], tools=each["tools"], return_dict=True)[
            "input_ids"
        ]
        for each in chats
    ]
    assert [row["input_ids"] for row in trainer.train_dataset] == wanted


def test_openai_lines_are_messages_as_its_client_types_them(version, tmp_path):
    pytest.importorskip("openai")
    from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
    from pydantic import TypeAdapter

    kinds = {
        get_args(get_type_hints(kind)["role"])[0]: kind.__annotations__.keys()
        for kind in get_args(ChatCompletionMessageParam)
    }
    messages = TypeAdapter(list[ChatCompletionMessageParam])
    tools = TypeAdapter(list[ChatCompletionFunctionToolParam])
    export_version(version, "openai", tmp_path / "out")
    rows = lines(tmp_path / "out" / "train.jsonl")
    assert len(rows) == len(TALKS) - 1  # but for the one with reasoning
    for row in rows:
        messages.validate_python(row["messages"])
        tools.validate_python(row.get("tools", []))
        for message in row["messages"]:
            # the client has no types for fine-tuning's own weight
            assert message.keys() - {"weight"} <= kinds[message["role"]]

"""Axolotl and LLaMA-Factory read what is exported for them, by their own code.

Neither can be installed beside our pins, so these run where somebody made them importable;
docs/exporting.md says how, and what came out.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

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
    said,
    sealed,
)

from dataset.export.write import export_version
from dataset.rows import to_chat
from ingest.workspace import Workspace

# warnings are those tools' own
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not importable: docs/exporting.md")


TWO_CALLS = [
    said("user", "3 and 5 kilos?"),
    said("assistant", "Let me see.", tool_calls=[call(), call(key="c2", arguments='{"kilos": 5}')]),
    said("tool", "9", tool_call_id="c1"),
    said("tool", "15", tool_call_id="c2"),
    said("assistant", "9 and 15."),
]
TALKS: list[Any] = [
    GUIDED, FLAGGED, REASONED, CALLED, TWO_CALLS,
    {"messages": CALLED, "tools": [TOOL]},
    [said("developer", "Be brief."), *PLAIN],
    [*LONGER, said("user", "Bye.")],
    *[[said("user", f"Question {n}?"), said("assistant", f"Answer {n}.")] for n in range(40)],
]  # fmt: skip


@pytest.fixture
def folder(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path: Path, monkeypatch: Any
) -> Path:
    """An export in the format that the test names, as the current folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    version = sealed(workspace, tmp_path, *TALKS, split={"validation": 0.2, "test": 0.0})
    out = tmp_path / "out"
    export_version(version, request.param, out, base_model="acme/mill")
    monkeypatch.chdir(out)
    return out


def chat_of(record: dict[str, Any]) -> dict[str, Any]:
    """A record of the Axolotl export as our renderer takes it."""
    calls = [
        {
            "id": each["id"],
            "name": each["function"]["name"],
            "arguments": each["function"]["arguments"],
        }
        for message in record["messages"]
        for each in message.get("tool_calls", ())
    ]
    rows = []
    for message in record["messages"]:
        own = [calls.pop(0) for _ in message.get("tool_calls", ())]
        entry = {"name": None, "tool_call_id": None, "train": None, **message}
        rows.append({**entry, "reasoning": message.get("reasoning_content"), "tool_calls": own})
    return to_chat({"messages": rows, "tools": record.get("tools")})


@needs("axolotl")
@pytest.mark.parametrize("folder", ["axolotl"], indirect=True)
def test_axolotls_schema_accepts_every_key_of_the_config(folder):
    import yaml
    from axolotl.utils.schemas.config import AxolotlInputConfig
    from axolotl.utils.schemas.datasets import SFTDataset

    raw = yaml.safe_load((folder / "config.yaml").read_text())
    assert raw.keys() <= AxolotlInputConfig.model_fields.keys()
    for entry in raw["datasets"] + raw["test_datasets"]:
        assert entry.keys() <= SFTDataset.model_fields.keys()
    assert AxolotlInputConfig(**raw).adapter == "lora"
    axolotl_config(folder)


def axolotl_config(folder: Path) -> Any:
    """The config as Axolotl's command line validates it, for a machine with one GPU."""
    import yaml
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    raw = yaml.safe_load((folder / "config.yaml").read_text())
    return validate_config(
        DictDefault(raw),
        capabilities={"bf16": True, "n_gpu": 1, "compute_capability": "sm_90"},
        env_capabilities={"torch_version": "2.13.0"},
    )


@needs("axolotl")
@pytest.mark.parametrize("folder", ["axolotl"], indirect=True)
def test_axolotls_labels_are_our_loss_mask(folder):
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.data.shared import load_dataset_with_config
    from tiny_models import tiny_tokenizer

    from train.render import render

    config = axolotl_config(folder)
    tokenizer = tiny_tokenizer()
    compared = 0
    for entry in [*config.datasets, *config.test_datasets]:
        strategy = load(tokenizer, config, entry)
        found = load_dataset_with_config(entry, False)
        for record, row in zip(lines(folder / entry.path), found, strict=True):
            chat = chat_of(record)
            wanted = render(chat["messages"], tokenizer, tools=chat["tools"])
            got = strategy.tokenize_prompt(dict(row))
            assert list(got["input_ids"]) == wanted.ids
            assert [int(label != -100) for label in got["labels"]] == wanted.loss_mask
            compared += 1
    assert compared == len(TALKS)


@needs("llamafactory")
@pytest.mark.parametrize("folder", ["llama-factory"], indirect=True)
def test_llama_factory_takes_every_argument_and_keeps_every_row(folder, monkeypatch):
    import yaml

    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    from llamafactory.data.loader import _get_dataset_processor, _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from tiny_models import tiny_tokenizer

    raw = yaml.safe_load((folder / "train.yaml").read_text())
    # raises on a key that it does not know; bf16 asks for a GPU unless the CPU is meant
    model, data, training, _, _ = get_train_args({**raw, "template": "qwen", "use_cpu": True})
    info = json.loads((folder / "dataset_info.json").read_text())
    assert [*data.dataset, *data.eval_dataset] == list(info)
    roles = {"human": "user", "gpt": "assistant", "observation": "observation"}
    roles["function_call"] = "function"
    for name, entry in info.items():
        (attributes,) = get_dataset_list([name], ".")
        found = _load_single_dataset(attributes, model, data, training)
        records = lines(folder / entry["file_name"])
        assert [[*row["_prompt"], *row["_response"]] for row in found] == [
            [
                {"role": roles[turn["from"]], "content": turn["value"]}
                for turn in record["conversations"]
            ]
            for record in records
        ]
        assert [(row["_system"], row["_tools"]) for row in found] == [
            (record["system"], record["tools"]) for record in records
        ]
        tokenizer = tiny_tokenizer()
        template = get_template_and_fix_tokenizer(tokenizer, data)
        processor = _get_dataset_processor(data, "sft", template, tokenizer, None)
        assert len(processor.preprocess_dataset(found[:])["labels"]) == len(records)

"""Axolotl: JSON lines for ``type: chat_template`` and a complete ``config.yaml``."""

from collections.abc import Mapping
from typing import Any

from dataset.export.base import FormatOptions, Record, Row
from dataset.export.chat import chat_message
from dataset.export.checks import require_assistant, require_objects, require_tools
from dataset.export.config_text import model_line
from dataset.export.lines import Lines

_KEEP = frozenset({"name", "reasoning_content"})
_PROPERTIES = {"name": "name", "reasoning": "reasoning_content", "tool_calls": "tool_calls",
               "tool_call_id": "tool_call_id"}  # fmt: skip


class Axolotl(Lines):
    """Axolotl renders with the tokenizer's own template, as ``train.render`` does."""

    name = "axolotl"
    title = "Axolotl: chat_template data with a config.yaml (JSON lines)"
    cannot: frozenset[str] = frozenset()

    def record(self, row: Row) -> Record:
        """The messages with their flags; tools as JSON text, which Axolotl decodes."""
        require_assistant(row)
        require_objects(row["messages"])
        require_tools(row)
        value: dict[str, Any] = {"messages": [_message(each) for each in row["messages"]]}
        if row["tools"]:
            value["tools"] = row["tools"]
        return Record(value)

    def companions(self, data: Mapping[str, str]) -> dict[str, str]:
        """``config.yaml``."""
        properties = ["role", "content"]
        properties += [name for field, name in _PROPERTIES.items() if field in self.options.used]
        return {"config.yaml": _config(self.options, data, properties)}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    chat = chat_message(message, keep=_KEEP)
    if message["train"] is not None:
        chat["train"] = message["train"]
    return chat


def _config(options: FormatOptions, data: Mapping[str, str], properties: list[str]) -> str:
    validation = data.get("validation")
    held_out = (
        f"test_datasets:\n{_dataset(validation, properties)}evals_per_epoch: 4\n"
        if validation
        else "# no test_datasets: the version has no validation split\n"
    )
    return f"""\
# Axolotl, written by turnmill from the dataset {options.dataset}. Run inside this folder:
#   axolotl train config.yaml
{model_line("base_model", options.base_model)}

# the adapter: LoRA on an 8-bit base
load_in_8bit: true
adapter: lora
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_linear: true

datasets:
{_dataset(data["train"], properties)}
{held_out}val_set_size: 0.0
# From a private Hub repository instead: upload the data files of this folder, and in each entry put
#   path: ORG/NAME
#   data_files: [{data["train"]}]
#   revision: a tag or commit
# in place of its path; then set hf_use_auth_token: true here and HF_TOKEN in the environment.

# Rows longer than this are dropped by Axolotl; excess_length_strategy: raise makes it say so.
sequence_len: 2048
sample_packing: false
pad_to_sequence_len: false
dataset_prepared_path: ./prepared

micro_batch_size: 2
gradient_accumulation_steps: 8
num_epochs: 1
optimizer: adamw_torch
learning_rate: 0.0002
lr_scheduler: cosine
warmup_ratio: 0.03
weight_decay: 0.0
seed: 0

bf16: auto
gradient_checkpointing: true
gradient_checkpointing_kwargs:
  use_reentrant: false

output_dir: ./out
logging_steps: 1
saves_per_epoch: 1
"""


def _dataset(path: str, properties: list[str]) -> str:
    mappings = "".join(f"      {name}: {name}\n" for name in properties)
    return f"""\
  - path: ./{path}
    ds_type: json
    split: train
    type: chat_template
    field_messages: messages
    field_tools: tools
    message_property_mappings:
{mappings}    message_field_training: train
    roles_to_train: [assistant]
    train_on_eos: turn
"""

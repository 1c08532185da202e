"""Axolotl: JSON lines for ``type: chat_template`` and a complete ``config.yaml``."""

from collections.abc import Mapping
from typing import Any

from dataset.export.base import FormatOptions, Record, Row
from dataset.export.chat import chat_message
from dataset.export.checks import require_assistant, require_objects, require_tools
from dataset.export.config_text import flag, listed, model_line, number, quoted
from dataset.export.lines import Lines
from dataset.export.trainer_settings import TrainerSettings

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
    validation, settings = data.get("validation"), options.settings
    roles = "[system, user, assistant, tool]" if settings.train_on == "all" else "[assistant]"
    held_out = (
        f"test_datasets:\n{_dataset(validation, properties, roles)}{_judged(settings)}"
        if validation
        else "# no test_datasets: the version has no validation split\n"
    )
    revision = settings.base_revision
    return f"""\
# Axolotl, written by turnmill from the dataset {options.dataset}. Run inside this folder:
#   axolotl train config.yaml
{model_line("base_model", options.base_model)}
{f"revision_of_model: {quoted(revision)}" if revision else "# the model's newest revision"}

{_adapter(settings)}
datasets:
{_dataset(data["train"], properties, roles)}
{held_out}val_set_size: 0.0
# From a private Hub repository instead: upload the data files of this folder, and in each entry put
#   path: ORG/NAME
#   data_files: [{data["train"]}]
#   revision: a tag or commit
# in place of its path; then set hf_use_auth_token: true here and HF_TOKEN in the environment.

{_length(settings)}
sample_packing: {flag(settings.packing)}
pad_to_sequence_len: {flag(settings.packing)}
dataset_prepared_path: ./prepared

micro_batch_size: {settings.micro_batch}
gradient_accumulation_steps: {settings.accumulation}
{_duration(settings)}
optimizer: {_OPTIMISERS[settings.optimiser]}
learning_rate: {number(settings.learning_rate)}
lr_scheduler: cosine
weight_decay: 0.0
max_grad_norm: 1.0
seed: {settings.seed}

bf16: {"auto" if settings.bf16 is None else flag(settings.bf16)}
gradient_checkpointing: {flag(settings.checkpointing)}
{_CHECKPOINTING if settings.checkpointing else ""}
output_dir: ./out
logging_steps: 1
{_saved(settings)}
"""


_OPTIMISERS = {
    "adamw": "adamw_torch",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}
_CHECKPOINTING = """\
gradient_checkpointing_kwargs:
  use_reentrant: false
"""


def _adapter(settings: TrainerSettings) -> str:
    if settings.method == "full":
        return "# no adapter: all weights are trained\n"
    quantised = {"int8": "on an 8-bit base", "nf4": "on a 4-bit base", None: "on the base as it is"}
    base = {"int8": "load_in_8bit: true\n", "nf4": "load_in_4bit: true\n", None: ""}
    on = (
        f"lora_target_modules: {listed(settings.targets)}"
        if settings.targets
        else "lora_target_linear: true"
    )
    scaled = "peft_use_rslora: true\n" if settings.rslora else ""
    apart = "peft_use_dora: true\n" if settings.dora else ""
    return f"""\
# the adapter: LoRA {quantised[settings.quantization]}
{base[settings.quantization]}adapter: {"qlora" if settings.quantization == "nf4" else "lora"}
lora_r: {settings.rank}
lora_alpha: {settings.alpha}
lora_dropout: {number(settings.dropout)}
{on}
{scaled}{apart}"""


def _length(settings: TrainerSettings) -> str:
    told = {
        None: "# Rows longer than this are dropped by Axolotl; excess_length_strategy: raise makes"
        " it say so.",
        "raise": "# No row is longer by our count; what Axolotl finds longer ends the run.\n"
        "excess_length_strategy: raise",
        "drop": "# Some rows are longer: Axolotl drops them, turnmill cuts them at turn borders.\n"
        "excess_length_strategy: drop",
    }
    return f"{told[settings.too_long]}\nsequence_len: {settings.max_length}"


def _duration(settings: TrainerSettings) -> str:
    steps = settings.steps
    if steps is None:
        return "num_epochs: 1\nwarmup_ratio: 0.03"
    return f"max_steps: {steps.total}\nwarmup_steps: {steps.warmup}"


def _judged(settings: TrainerSettings) -> str:
    steps = settings.steps
    if steps is None:
        return "evals_per_epoch: 4\n"
    told = [f"eval_steps: {steps.judge_every}"]
    if steps.stop_after:
        told.append(f"early_stopping_patience: {steps.stop_after}")
    if steps.keep_best:
        told += ["load_best_model_at_end: true", "metric_for_best_model: eval_loss",
                 "greater_is_better: false"]  # fmt: skip
    return "\n".join([*told, ""])


def _saved(settings: TrainerSettings) -> str:
    steps = settings.steps
    if steps is None:
        return "saves_per_epoch: 1"
    return f"save_steps: {steps.save_every}\nsave_total_limit: {steps.keep}"


def _dataset(path: str, properties: list[str], roles: str) -> str:
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
    roles_to_train: {roles}
    train_on_eos: turn
"""

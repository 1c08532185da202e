"""LLaMA-Factory: ShareGPT turns in strict alternation, ``dataset_info.json`` and ``train.yaml``."""

from collections.abc import Mapping
from typing import Any

import orjson

from dataset.export.base import Misfit, Record, Row
from dataset.export.checks import functions, require_assistant, system_apart, unnamed
from dataset.export.config_text import UNSET, model_line, quoted
from dataset.export.lines import Lines
from dataset.export.turns import CALLS, SPEAKERS, SYSTEM, turns

# as llamafactory.data.template has them where a template names no others
_THOUGHT = ("<think>\n", "\n</think>\n\n")
_CALL = ("<tool_call>", "</tool_call>")
_ASKS = (SPEAKERS["user"], SPEAKERS["tool"])


class LlamaFactory(Lines):
    """LLaMA-Factory drops what does not alternate, with a line in its log; here it is counted."""

    name = "llama-factory"
    title = "LLaMA-Factory: sharegpt data with dataset_info.json and train.yaml (JSON lines)"
    cannot = frozenset({"tail", "train", "text"})

    def record(self, row: Row) -> Record:
        """The turns; reasoning in front of the answer in ``<think>`` tags, as its templates do."""
        require_assistant(row)
        system, messages = system_apart(row)
        _check_tools(row)
        said = turns(messages)
        _check_alternation(said)
        left_out = set(unnamed(messages))
        for turn, message in zip(said, messages, strict=True):
            _check_marks(turn)
            if message["reasoning"]:
                turn["value"] = _thought(message["reasoning"]) + turn["value"]
        if system and system["role"] == "developer":
            left_out.add("developer role (written as system)")
        # always both: its converter asks for each column that dataset_info.json names
        value: dict[str, Any] = {
            "conversations": said,
            "system": system["content"] if system else "",
            "tools": row["tools"] or "",
        }
        return Record(value, frozenset(left_out))

    def companions(self, data: Mapping[str, str]) -> dict[str, str]:
        """``dataset_info.json`` and ``train.yaml``."""
        names = {split: f"{self.options.dataset}-{split}" for split in data}
        info = {names[split]: _info(file) for split, file in data.items()}
        return {
            "dataset_info.json": orjson.dumps(info, option=orjson.OPT_INDENT_2).decode() + "\n",
            "train.yaml": _config(self.options.base_model, names),
        }


def _check_alternation(said: list[dict[str, str]]) -> None:
    for at, turn in enumerate(said):
        if (turn["from"] in _ASKS) != (at % 2 == 0):
            raise Misfit("turns that do not alternate, or several tool results in a row")


def _check_tools(row: Row) -> None:
    for tool in functions(row) or ():
        parameters = tool["function"].get("parameters")
        if not isinstance(parameters, dict) or not isinstance(parameters.get("properties"), dict):
            raise Misfit("a tool definition without parameters.properties")


def _check_marks(turn: dict[str, str]) -> None:
    # it looks for its marks in the text around a call, also where arguments hold them
    if turn["from"] == CALLS and any(mark.strip() in turn["value"] for mark in _THOUGHT + _CALL):
        raise Misfit("tool arguments that hold LLaMA-Factory's own marks")


def _thought(reasoning: str) -> str:
    if any(mark.strip() in reasoning for mark in _THOUGHT + _CALL):
        raise Misfit("reasoning that holds LLaMA-Factory's own marks")
    return f"{_THOUGHT[0]}{reasoning}{_THOUGHT[1]}"


def _info(file: str) -> dict[str, Any]:
    # every tag: one that is left out counts as none once any is given
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": SPEAKERS["user"],
            "assistant_tag": SPEAKERS["assistant"], "observation_tag": SPEAKERS["tool"],
            "function_tag": CALLS, "system_tag": SYSTEM}  # fmt: skip
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    return {"file_name": file, "formatting": "sharegpt", "columns": columns, "tags": tags}


def _config(base_model: str | None, names: Mapping[str, str]) -> str:
    held_out = (
        f"eval_dataset: {quoted(names['validation'])}\nper_device_eval_batch_size: 2\n"
        "eval_strategy: epoch\n"
        if "validation" in names
        else "# no eval_dataset: the version has no validation split\n"
    )
    return f"""\
# LLaMA-Factory, written by turnmill. Run inside this folder:
#   llamafactory-cli train train.yaml
{model_line("model_name_or_path", base_model)}
# MUST BE SET: LLaMA-Factory's name for the base model's template, such as qwen3 or llama3. It has
# templates of its own; what it trains is not always what the tokenizer's template would say.
# Reasoning stands in <think> tags: a template with other words for it would train them as text.
template: {quoted(UNSET)}
quantization_bit: 8

stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target: all

dataset: {quoted(names["train"])}
dataset_dir: .
{held_out}# Longer rows are cut off by LLaMA-Factory.
cutoff_len: 2048
train_on_prompt: false
mask_history: false

per_device_train_batch_size: 2
gradient_accumulation_steps: 8
num_train_epochs: 1.0
learning_rate: 2.0e-4
lr_scheduler_type: cosine
# warm-up is called warmup_ratio or warmup_steps, by the version of transformers
seed: 0
bf16: true
disable_gradient_checkpointing: false

output_dir: ./out
logging_steps: 1
save_strategy: epoch
report_to: none
"""

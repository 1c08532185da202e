"""LLaMA-Factory: ShareGPT turns in strict alternation, ``dataset_info.json`` and ``train.yaml``."""

from collections.abc import Mapping
from typing import Any

import orjson

from dataset.export.base import FormatOptions, Misfit, Record, Row
from dataset.export.checks import functions, require_assistant, system_apart, unnamed
from dataset.export.config_text import UNSET, flag, model_line, number, quoted
from dataset.export.lines import Lines
from dataset.export.trainer_settings import TrainerSettings
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
            "train.yaml": _config(self.options, names),
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


def _config(options: FormatOptions, names: Mapping[str, str]) -> str:
    settings = options.settings
    revision = settings.base_revision
    return f"""\
# LLaMA-Factory, written by turnmill. Run inside this folder:
#   llamafactory-cli train train.yaml
{model_line("model_name_or_path", options.base_model)}
{f"model_revision: {quoted(revision)}" if revision else "# the model's newest revision"}
# MUST BE SET: LLaMA-Factory's name for the base model's template, such as qwen3 or llama3. It has
# templates of its own; what it trains is not always what the tokenizer's template would say.
# Reasoning stands in <think> tags: a template with other words for it would train them as text.
template: {quoted(UNSET)}
{_QUANTISED[settings.quantization]}
stage: sft
do_train: true
{_adapter(settings)}
dataset: {quoted(names["train"])}
dataset_dir: .
{_judged(settings, names)}# Longer rows are cut off by LLaMA-Factory.
cutoff_len: {settings.max_length}
packing: {flag(settings.packing)}
neat_packing: {flag(settings.packing)}
train_on_prompt: {flag(settings.train_on == "all")}
mask_history: {flag(settings.train_on == "last")}

per_device_train_batch_size: {settings.micro_batch}
gradient_accumulation_steps: {settings.accumulation}
{_duration(settings)}
optim: {_OPTIMISERS[settings.optimiser]}
learning_rate: {number(settings.learning_rate)}
lr_scheduler_type: cosine
weight_decay: 0.0
max_grad_norm: 1.0
seed: {settings.seed}
bf16: {flag(settings.bf16 is not False)}
disable_gradient_checkpointing: {flag(not settings.checkpointing)}

output_dir: ./out
logging_steps: 1
{_saved(settings)}
report_to: none
"""


_QUANTISED = {
    "int8": "quantization_bit: 8\n",
    "nf4": "quantization_bit: 4\nquantization_type: nf4\n",
    None: "",
}
_OPTIMISERS = {
    "adamw": "adamw_torch",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}


def _adapter(settings: TrainerSettings) -> str:
    if settings.method == "full":
        return "finetuning_type: full\n"
    scaled = "use_rslora: true\n" if settings.rslora else ""
    apart = "use_dora: true\n" if settings.dora else ""
    return f"""\
finetuning_type: lora
lora_rank: {settings.rank}
lora_alpha: {settings.alpha}
lora_dropout: {number(settings.dropout)}
lora_target: {quoted(",".join(settings.targets)) if settings.targets else "all"}
{scaled}{apart}"""


def _judged(settings: TrainerSettings, names: Mapping[str, str]) -> str:
    if "validation" not in names:
        return "# no eval_dataset: the version has no validation split\n"
    told = [f"eval_dataset: {quoted(names['validation'])}",
            f"per_device_eval_batch_size: {settings.micro_batch}"]  # fmt: skip
    steps = settings.steps
    if steps is None:
        return "\n".join([*told, "eval_strategy: epoch", ""])
    told += ["eval_strategy: steps", f"eval_steps: {steps.judge_every}"]
    if steps.stop_after:
        told.append(f"early_stopping_steps: {steps.stop_after}")
    if steps.keep_best or steps.stop_after:
        # transformers stops early only where it keeps the best
        told += ["load_best_model_at_end: true", "metric_for_best_model: eval_loss",
                 "greater_is_better: false"]  # fmt: skip
    return "\n".join([*told, ""])


def _duration(settings: TrainerSettings) -> str:
    steps = settings.steps
    if steps is None:
        return (
            "num_train_epochs: 1.0\n"
            "# warm-up is called warmup_ratio or warmup_steps, by the version of transformers"
        )
    return f"max_steps: {steps.total}\nwarmup_steps: {steps.warmup}"


def _saved(settings: TrainerSettings) -> str:
    steps = settings.steps
    if steps is None:
        return "save_strategy: epoch"
    return f"""\
save_strategy: steps
save_steps: {steps.save_every}
save_total_limit: {steps.keep}"""

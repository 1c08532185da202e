"""Base and adapter -> merged weights in fp32, a tensor at a time, by PEFT's own arithmetic.

The model stands here without weights. A layer that the adapter touches is given its own for as
long as PEFT's ``merge`` of that one layer takes. A checkpoint whose tensors are not the model's
own (fused or renamed while loading) is merged whole in memory instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.files import read_json, write_json
from train.certificate import MergeRefused
from train.merge_base import Rounding, fit_vocabulary, round_layers, rounded, rounded_layers
from train.merge_shards import Entry, Shards, write_shards

_NAME = "default"  # of the only adapter, as PEFT calls it


@dataclass(frozen=True)
class Tie:
    """The output head and the embeddings, where they are one tensor."""

    head: str
    embeddings: str


def merge_weights(base: Path, adapter: Path, out: Path, *, rounding: Rounding | None = None) -> str:
    """Write ``config.json`` and the merged weights in fp32, laid out in files as the base's are.

    Args:
        base: folder of the base model, as it was trained on.
        adapter: folder of the adapter.
        out: an empty folder.
        rounding: put the adapter onto the base's weights rounded like this; None: as they are.

    Returns:
        How it was done: ``tensor by tensor`` or ``whole in memory``.

    Raises:
        MergeRefused: the adapter is damaged or belongs to another model.
        ShardError: the base's files are damaged.
    """
    shards = Shards(base)
    model = _empty_model(base)
    tie = _tie(model)
    if not _as_stored(model, shards, tie) or not _by_layers(adapter):
        _merge_whole(base, adapter, out, rounding)
        return "whole in memory"
    layers = rounded_layers(model) if rounding else frozenset[str]()
    fit_vocabulary(model, adapter)
    merger = _Merger(_adapted(model, adapter), shards, tie, rounding, layers)
    entries = merger.entries()
    write_shards(out, entries, merger.merged, "fp32")
    changes = {"tie_word_embeddings": False} if merger.untied else {}
    rows = model.get_input_embeddings().weight.shape[0]
    config = read_json(base / "config.json")
    if config.get("vocab_size", rows) != rows:
        changes["vocab_size"] = rows
    # it may be a path of the machine that made the base
    config.pop("_name_or_path", None)
    write_json(out / "config.json", {**config, **changes, **dtype_entry(config, "fp32")})
    return "tensor by tensor"


def cast_weights(source: Path, out: Path, dtype: str) -> None:
    """Write the same weights in another type, and ``config.json`` that names it.

    Args:
        source: the merged model in fp32.
        out: an empty folder.
        dtype: ``bf16`` or ``fp16``.

    Raises:
        ShardError: a weight is beyond the range of the type.
    """
    shards = Shards(source)
    write_shards(out, shards.entries.values(), shards.read, dtype)
    config = read_json(source / "config.json")
    write_json(out / "config.json", {**config, **dtype_entry(config, dtype)})


def dtype_entry(config: dict[str, Any], dtype: str) -> dict[str, str]:
    """The entry of ``config.json`` that names the type, under the name that is in use there."""
    key = "torch_dtype" if "torch_dtype" in config else "dtype"
    return {key: {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[dtype]}


def _empty_model(base: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base, trust_remote_code=False, local_files_only=True)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def _tie(model: Any) -> Tie | None:
    tied = model.all_tied_weights_keys
    return next((Tie(head, source) for head, source in tied.items()), None)


def _as_stored(model: Any, shards: Shards, tie: Tie | None) -> bool:
    """Whether the checkpoint's tensors are the model's, one for one."""
    shapes = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    stored = {name: entry.shape for name, entry in shards.entries.items()}
    optional = {tie.head} if tie else set()
    if len(model.all_tied_weights_keys) > 1:
        return False
    same = all(shapes.get(name) == shape for name, shape in stored.items())
    return same and shapes.keys() - stored.keys() <= optional


def _by_layers(adapter: Path) -> bool:
    """Whether each layer of the adapter can be merged by itself."""
    config = read_json(adapter / "adapter_config.json")
    shared = ("target_parameters", "trainable_token_indices", "layer_replication")
    return config.get("peft_type") == "LORA" and not any(config.get(key) for key in shared)


def _adapted(model: Any, adapter: Path) -> Any:
    from peft import PeftModel, get_peft_model_state_dict, load_peft_weights
    from safetensors import SafetensorError

    _stand_in(model)
    try:
        adapted = PeftModel.from_pretrained(
            model, adapter, low_cpu_mem_usage=True, torch_device="cpu"
        )
        there = load_peft_weights(str(adapter), device="cpu").keys()
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise _damaged(adapter, str(error).splitlines()[0]) from error
    # peft only warns of what it does not find
    missing = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys() - there
    if missing:
        raise _damaged(adapter, f"it lacks {min(missing)}")
    return adapted.base_model.model


def _stand_in(model: Any) -> None:
    """Put one shared zero in the place of each weight.

    peft sends an adapter's weights after those of its base, and where these have no content the
    adapter would lose its own.
    """
    import torch
    from torch import nn

    zero = torch.zeros(1)
    for path, parameter in list(model.named_parameters(remove_duplicate=False)):
        holder, _, name = path.rpartition(".")
        stretched = nn.Parameter(zero.expand(parameter.shape), requires_grad=False)
        setattr(model.get_submodule(holder), name, stretched)


def _has_content(tensor: Any) -> bool:
    """Whether a tensor has values of its own, and is neither without content nor a stand-in."""
    stored = 0 if tensor.is_meta else tensor.untyped_storage().nbytes()
    return bool(stored >= tensor.numel() * tensor.element_size())


def _damaged(adapter: Path, why: str) -> MergeRefused:
    return MergeRefused(f"{adapter}: cannot be put onto its base: {why}", "train again")


class _Merger:
    """Makes the merged tensor of each name.

    Args:
        model: with the adapter's weights and without the base's.
        shards: the base's weights.
        tie: of the base.
        rounding: of the base's layers.
        layers: paths of the layers that are rounded.
    """

    def __init__(
        self,
        model: Any,
        shards: Shards,
        tie: Tie | None,
        rounding: Rounding | None,
        layers: frozenset[str],
    ) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        self._shards = shards
        self._tie = tie
        self._rounding = rounding
        self._layers = layers
        self._tuned = {
            path: one for path, one in model.named_modules() if isinstance(one, BaseTunerLayer)
        }
        self._saved = {
            path: one
            for path, one in model.named_modules()
            if isinstance(one, AuxiliaryTrainingWrapper)
        }
        # what the adapter's file brought for a tensor of the base itself
        self._held = {name: one for name, one in model.state_dict().items() if _has_content(one)}
        touched = self._tuned.keys() | self._saved.keys()
        self.untied = tie is not None and any(
            name.rpartition(".")[0] in touched for name in (tie.head, tie.embeddings)
        )
        """The adapter changes one of the two that were one tensor, so they part."""

    def entries(self) -> list[Entry]:
        """All tensors of the merged model, with the shapes that they will have."""
        known = dict(self._shards.entries)
        if self._tie and self.untied:
            source = known[self._tie.embeddings]
            head = Entry(self._tie.head, source.dtype, source.shape, source.file)
            known.setdefault(self._tie.head, head)
        return [
            Entry(name, entry.dtype, self._shape(name, entry), entry.file)
            for name, entry in known.items()
        ]

    def _shape(self, name: str, entry: Entry) -> tuple[int, ...]:
        brought = self._brought(name)
        return entry.shape if brought is None else tuple(brought.shape)

    def merged(self, name: str) -> Any:
        """The tensor as the adapted model uses it, fp32 if it is a float."""
        brought = self._brought(name)
        if brought is not None:
            return brought
        path, _, parameter = name.rpartition(".")
        if path in self._tuned:
            return self._merged_layer(path, parameter)
        return self._base(name)

    def _base(self, name: str) -> Any:
        stored = self._tie.embeddings if self._tie and name == self._tie.head else name
        tensor = self._shards.read(stored)
        path, _, parameter = name.rpartition(".")
        if self._rounding and parameter == "weight" and path in self._layers:
            return rounded(tensor, self._rounding)
        return tensor.float() if tensor.is_floating_point() else tensor

    def _brought(self, name: str) -> Any:
        """The tensor if the adapter brings it along whole, else None."""
        for path, wrapper in self._saved.items():
            if name.startswith(f"{path}."):
                rest = name.removeprefix(f"{path}.")
                return wrapper.modules_to_save[_NAME].state_dict()[rest].float()
        one_tensor = self._tie and name == self._tie.head and not self.untied
        held = self._held.get(self._tie.embeddings if self._tie and one_tensor else name)
        return None if held is None else held.float()

    def _merged_layer(self, path: str, wanted: str) -> Any:
        from torch import nn

        layer = self._tuned[path]
        inner = layer.get_base_layer()
        empty = dict(inner.named_parameters(recurse=False))
        for name in empty:
            tensor = self._base(f"{path}.{name}")
            setattr(inner, name, nn.Parameter(tensor, requires_grad=False))
        try:
            layer.merge(safe_merge=True, adapter_names=[_NAME])
            return getattr(inner, wanted).detach()
        except (ValueError, RuntimeError, NotImplementedError) as error:
            why = f"{path}: {str(error).splitlines()[0]}"
            raise MergeRefused(f"the adapter cannot be merged: {why}", "train again") from error
        finally:
            layer.merged_adapters.clear()
            for name, parameter in empty.items():
                setattr(inner, name, parameter)


def _merge_whole(base: Path, adapter: Path, out: Path, rounding: Rounding | None) -> None:
    from peft import PeftModel

    from train.load import load_model

    model = load_model(str(base))
    if rounding:
        round_layers(model, rounding)
    fit_vocabulary(model, adapter)
    merged: Callable[..., Any] = PeftModel.from_pretrained(model, adapter).merge_and_unload
    merged(safe_merge=True).save_pretrained(out)

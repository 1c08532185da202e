import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from train_ground import tiny_base

from train.certificate import Comparison, judge, judge_cast
from train.certify import compared, trained_models
from train.load import load_model
from train.merge_base import Rounding
from train.merge_shards import INDEX, ShardError, Shards
from train.merge_weights import cast_weights, merge_weights

pytestmark = [
    pytest.mark.torch,
    # peft still reads the old name of a setting that transformers has renamed
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning"),
    # peft says that it does what is wanted here
    pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning"),
]

ROWS = [[5, 6, 7, 8, 9, 10], [11, 5, 12, 40, 41]]
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
KINDS = {"lora": {}, "dora": {"use_dora": True}, "rslora": {"use_rslora": True}}


@pytest.fixture(scope="module")
def tied(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("tied") / "base")


@pytest.fixture(scope="module")
def untied(tied):
    model = load_model(str(tied))
    model.config.tie_word_embeddings = False
    with torch.no_grad():
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone() * 1.5)
    folder = tied.with_name("untied")
    model.save_pretrained(folder, max_shard_size="20KB")
    return folder


def adapter(base, folder, *, rows=None, **options):
    """An adapter with random weights on both sides, as a training might leave it."""
    from peft import LoraConfig, get_peft_model

    model = load_model(str(base))
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    asked = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    torch.manual_seed(3)
    adapted = get_peft_model(model, LoraConfig(**{**asked, **options}))
    with torch.no_grad():
        for name, one in adapted.named_parameters():
            if one.requires_grad and "magnitude" not in name:
                one.add_(torch.randn_like(one) * 0.05)
            elif one.requires_grad:
                one.mul_(1.1)
    adapted.save_pretrained(folder)
    return folder


def proved(base, tuned, out, dtype="fp32"):
    """Merge, cast, and compare each with base and adapter."""
    from train.certify import Request

    exact = out / "exact"
    exact.mkdir(parents=True)
    how = merge_weights(base, tuned, exact)
    folders = [exact]
    if dtype != "fp32":
        folders.append(out / dtype)
        folders[1].mkdir()
        cast_weights(exact, folders[1], dtype)
    request = Request(
        base=base, adapter=tuned, merged=folders, rendered=Path("none"), answer=Path("none")
    )
    found = compared(ROWS, *trained_models(request), folders)
    return how, folders[-1], found


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["tied", "untied"])
def test_every_kind_of_adapter_merges_to_the_same_function(kind, dtype, head, tmp_path, request):
    base = request.getfixturevalue(head)
    tuned = adapter(base, tmp_path / "adapter", **KINDS[kind])
    how, folder, found = proved(base, tuned, tmp_path / "out", dtype)
    assert how == "tensor by tensor"
    assert judge(found[0]).passed, judge(found[0]).reason
    assert found[0].clear_agree == 1.0
    if dtype != "fp32":
        assert judge_cast(found[1], dtype).passed, judge_cast(found[1], dtype).reason
        assert found[1].max_abs > found[0].max_abs
    assert {one.dtype for one in _weights(folder).values()} == {TYPES[dtype]}
    assert json.loads((folder / "config.json").read_text())["dtype"] == str(TYPES[dtype])[6:]
    model = load_model(str(folder))
    same = model.lm_head.weight is model.model.embed_tokens.weight
    assert same == (head == "tied")


def test_shards_keep_their_names_and_index(untied, tmp_path):
    _, folder, _ = proved(untied, adapter(untied, tmp_path / "a"), tmp_path / "out", "bf16")
    index = json.loads((folder / INDEX).read_text())
    before = json.loads((untied / INDEX).read_text())
    assert index["weight_map"] == before["weight_map"]
    assert len(Shards(folder).files) == len(Shards(untied).files) > 3
    assert index["metadata"]["total_size"] * 2 == before["metadata"]["total_size"]


@pytest.mark.parametrize("head", ["tied", "untied"])
def test_a_resized_vocabulary_comes_from_the_adapter(head, tmp_path, request):
    base = request.getfixturevalue(head)
    rows = load_model(str(base)).config.vocab_size + 8
    tuned = adapter(base, tmp_path / "a", rows=rows)
    _, folder, found = proved(base, tuned, tmp_path / "out")
    assert judge(found[0]).passed, judge(found[0]).reason
    assert load_model(str(folder)).get_input_embeddings().weight.shape[0] == rows


@pytest.mark.parametrize("head", ["tied", "untied"])
@pytest.mark.parametrize("module", ["lm_head", "embed_tokens"])
def test_a_module_saved_whole_is_taken_from_the_adapter(head, module, tmp_path, request):
    base = request.getfixturevalue(head)
    with pytest.warns() if head == "tied" else _quiet():
        tuned = adapter(base, tmp_path / "a", modules_to_save=[module])
        _, folder, found = proved(base, tuned, tmp_path / "out")
    assert judge(found[0]).passed, judge(found[0]).reason
    model = load_model(str(folder))
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_layers_that_cannot_be_merged_alone_are_merged_whole(tied, tmp_path):
    tuned = adapter(tied, tmp_path / "a", target_modules=["q_proj"], trainable_token_indices=[5, 6])
    how, _, found = proved(tied, tuned, tmp_path / "out")
    assert how == "whole in memory"
    assert judge(found[0]).passed, judge(found[0]).reason


def test_a_weight_beyond_the_range_of_fp16_is_refused(tied, tmp_path):
    big = shutil.copytree(tied, tmp_path / "big")
    weights = load_file(big / "model.safetensors")
    weights["model.norm.weight"][0] = 1e6
    save_file(weights, big / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "out").mkdir()
    with pytest.raises(ShardError, match=r"model\.norm\.weight: does not fit F16"):
        cast_weights(big, tmp_path / "out", "fp16")


def test_a_shard_that_is_not_there_is_named(untied, tmp_path):
    base = shutil.copytree(untied, tmp_path / "base")
    gone = Shards(base).files[1]
    (base / gone).unlink()
    with pytest.raises(ShardError, match=f"{gone}: is named by the index and not there"):
        Shards(base)


def test_a_truncated_shard_is_refused(untied, tmp_path):
    base = shutil.copytree(untied, tmp_path / "base")
    file = base / Shards(base).files[0]
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ShardError, match=file.name):
        Shards(base)


def test_quantised_weights_are_never_merged_into(tied, tmp_path):
    base = shutil.copytree(tied, tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    small = {name: one.to(torch.float8_e4m3fn) for name, one in weights.items()}
    save_file(small, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ShardError, match="holds F8_E4M3 weights"):
        Shards(base)


def test_a_cast_that_moves_the_model_as_much_as_the_adapter_does_is_refused():
    figures = {
        "rows": 1, "positions": 1, "max_abs": 0.01, "relative_l2": 1e-3, "argmax_agree": 1.0,
        "adapter_effect": 1.0, "effect_to_error": 100.0,
    }  # fmt: skip
    assert judge_cast(Comparison(kl=9e-5, adapter_kl=9.1e-4, **figures), "bf16").passed
    assert not judge_cast(Comparison(kl=9e-5, adapter_kl=8e-4, **figures), "bf16").passed
    assert not judge_cast(Comparison(kl=1.1e-4, adapter_kl=1.0, **figures), "bf16").passed
    assert not judge_cast(Comparison(kl=float("nan"), adapter_kl=1.0, **figures), "bf16").passed


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_an_adapter_goes_onto_the_rounded_weights_it_was_trained_on(quantization, tied, tmp_path):
    pytest.importorskip("bitsandbytes")
    from train.certify import Request

    rounding = Rounding(quantization=quantization, precision="bf16")
    tuned = adapter(tied, tmp_path / "a")
    out = tmp_path / "out"
    out.mkdir()
    merge_weights(tied, tuned, out, rounding=rounding)
    request = Request(
        base=tied, adapter=tuned, rounding=rounding, merged=[out], rendered=Path("none"),
        answer=Path("none"),
    )  # fmt: skip
    (right,) = compared(ROWS, *trained_models(request), [out])
    other = request.model_copy(update={"rounding": None})
    (wrong,) = compared(ROWS, *trained_models(other), [out])
    assert judge(right).passed, judge(right).reason
    assert not judge(wrong).passed


_MEASURED = """
import sys
from pathlib import Path
import torch, transformers, peft
from peft import PeftModel
from transformers import AutoModelForCausalLM
from train.merge_weights import cast_weights, merge_weights

def high():
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024

base, tuned, tiny, tuned_tiny, out = map(Path, sys.argv[1:])
# what the imports and a first merge need, whatever the model
for name in ("warm", "cast_warm", "exact", "cast"):
    (out / name).mkdir(parents=True)
merge_weights(tiny, tuned_tiny, out / "warm")
cast_weights(out / "warm", out / "cast_warm", "bf16")
before = high()
merge_weights(base, tuned, out / "exact")
cast_weights(out / "exact", out / "cast", "bf16")
print(high() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_is_bounded_by_tensors_not_by_the_model(tied, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=4000, hidden_size=1024, intermediate_size=2816, num_hidden_layers=4,
        num_attention_heads=8, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for one in model.parameters():
            one.fill_(0.01)
    model.save_pretrained(tmp_path / "base", max_shard_size="60MB")
    shards = Shards(tmp_path / "base")
    whole = sum(entry.size for entry in shards.entries.values())
    assert len(shards.files) >= 4
    del model
    tuned = adapter(tmp_path / "base", tmp_path / "a", target_modules=["q_proj", "down_proj"])
    small = adapter(tied, tmp_path / "small")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, tmp_path / "base", tuned, tied, small, tmp_path / "o"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 2 * 60e6 < whole * 0.6


def _weights(folder):
    shards = Shards(folder)
    return {name: shards.read(name) for name in shards.entries}


def _quiet():
    import contextlib

    return contextlib.nullcontext()

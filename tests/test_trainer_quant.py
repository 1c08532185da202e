"""A quantised base model: what bitsandbytes is told, and that it is refused where it cannot run."""

import logging

import pytest
import torch
from train_ground import seal_version, small_spec, talk, tiny_tokenizer

from ingest.workspace import Workspace
from train.adapter import optimiser_name
from train.checkpoints import Progress
from train.load import BaseError, load_model, load_tokenizer, quantization_config
from train.run import prepare_run
from train.trainer import build_trainer, load_rows

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Wide enough for bitsandbytes' blocks of 64."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512,
            bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("base")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plan(base, tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("home")).create()
    seal_version(workspace, {"train": [talk(n, 1 + n % 3) for n in range(8)]})
    spec = small_spec(base, max_steps=4, eval=False, report_to=[])
    return prepare_run(spec, workspace, run_id="r1")


def test_nf4_is_qlora_s():
    told = quantization_config("nf4").to_dict()
    assert told["load_in_4bit"]
    assert told["bnb_4bit_quant_type"] == "nf4"
    assert told["bnb_4bit_use_double_quant"]
    assert told["bnb_4bit_compute_dtype"] == "bfloat16"
    assert quantization_config("int8").to_dict()["load_in_8bit"]


@NO_CUDA
@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_without_cuda_a_quantised_base_is_refused(base, quantization):
    with pytest.raises(BaseError, match="bitsandbytes runs on CUDA only") as refused:
        load_model(str(base), quantization=quantization)
    assert quantization in refused.value.message
    assert refused.value.hint


@NO_CUDA
@pytest.mark.parametrize("optimiser", ["adamw_8bit", "paged_adamw_8bit"])
def test_without_cuda_an_optimiser_of_8_bit_is_refused(plan, optimiser):
    with pytest.raises(BaseError, match=optimiser):
        optimiser_name(plan.model_copy(update={"optimiser": optimiser}))


def quantised(base, plan, quantization, events):
    """A trainer on the CPU, where bitsandbytes is slow but the same."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=quantization_config(quantization), dtype=torch.bfloat16,
        device_map={"": "cpu"}, local_files_only=True,
    )  # fmt: skip
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    return rows, build_trainer(
        plan.model_copy(update={"quantization": quantization, "precision": "bf16"}),
        model, load_tokenizer(str(base)), rows, emit=events.append, progress=Progress(),
        stop=lambda: False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quantization", "layer"), [("int8", "Linear8bitLt"), ("nf4", "Linear4bit")]
)
# bitsandbytes tells of every cast
@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
@pytest.mark.filterwarnings("ignore:.*_check_is_size:FutureWarning")
def test_an_adapter_learns_on_a_quantised_base(base, plan, quantization, layer):
    pytest.importorskip("bitsandbytes")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    events = []
    rows, trainer = quantised(base, plan, quantization, events)
    layers = [
        module.base_layer for module in trainer.model.modules() if hasattr(module, "base_layer")
    ]
    assert {type(one).__name__ for one in layers} == {layer}
    # the head alone is left as it is
    assert type(trainer.model.get_output_embeddings()) is torch.nn.Linear
    assert {p.dtype for p in trainer.model.parameters() if p.requires_grad} == {torch.bfloat16}
    trainer.train()
    assert len([event for event in events if event["event"] == "step"]) == 4
    # on a CPU bitsandbytes packs the weights for good when they are first evaluated
    before = quantised(base, plan, quantization, [])[1].held_out_loss(rows)[0]
    assert trainer.held_out_loss(rows)[0] < before - 0.1

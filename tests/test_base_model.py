import pytest
import torch
from train_ground import WORDS, tiny_base, tiny_tokenizer

from ingest.files import sha256_file, write_json
from train.base_model import BaseModelError, make_base_model
from train.load import BaseError, load_model, load_tokenizer, resolve_base
from train.render import prompt, render

pytestmark = pytest.mark.torch

TEXTS = [" ".join(WORDS[n % 5 : n % 5 + 6]) for n in range(40)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    losses = []
    folder = make_base_model(
        TEXTS,
        tmp_path_factory.mktemp("models") / "tiny",
        vocab_size=300,
        steps=4,
        on_progress=lambda step, steps, loss: losses.append((step, steps, loss)),
    )
    return folder, losses


def test_it_is_an_ordinary_folder_that_loads(made):
    folder, _ = made
    tokenizer, model = load_tokenizer(str(folder)), load_model(str(folder))
    assert 4e6 < sum(one.numel() for one in model.parameters()) < 6e6
    assert len(tokenizer) == model.config.vocab_size
    stops = {tokenizer.convert_tokens_to_ids(one) for one in ("<|im_end|>", "<|endoftext|>")}
    assert set(model.generation_config.eos_token_id) == stops
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]
    assert sum(render(messages, tokenizer).loss_mask) == len(tokenizer.encode("Yes")) + 1
    with torch.no_grad():
        assert model(torch.tensor([prompt(messages[:1], tokenizer)])).logits.isfinite().all()


def test_it_learns_and_tells(made):
    _, losses = made
    assert [(step, steps) for step, steps, _ in losses] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert losses[-1][2] < losses[0][2]


def test_the_same_seed_gives_the_same_weights(made, tmp_path):
    folder, _ = made
    again = make_base_model(TEXTS, tmp_path / "again", vocab_size=300, steps=4)
    assert sha256_file(again / "model.safetensors") == sha256_file(folder / "model.safetensors")
    other = make_base_model(TEXTS, tmp_path / "other", vocab_size=300, steps=4, seed=1)
    assert sha256_file(other / "model.safetensors") != sha256_file(folder / "model.safetensors")


def test_it_appears_whole_or_not_at_all(tmp_path):
    def interrupted(step, steps, loss):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_base_model(TEXTS, tmp_path / "tiny", vocab_size=300, steps=2, on_progress=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_and_no_text_are_refused(made, tmp_path):
    with pytest.raises(BaseModelError, match="exists"):
        make_base_model(TEXTS, made[0])
    with pytest.raises(BaseModelError, match="no text"):
        make_base_model(["", " "], tmp_path / "none")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("./missing", "no such folder"),
        ("a/b/c", "no such folder"),
        ("not a name", "not a Hub id"),
        ("turnmill-tests/never-cached", "the Hub cannot be reached"),
    ],
)
def test_a_base_that_is_not_there_is_told(ref, words):
    with pytest.raises(BaseError, match=words):
        resolve_base(ref)


def test_a_base_with_code_of_its_own_is_refused(tmp_path):
    write_json(tmp_path / "config.json", {"auto_map": {"AutoModel": "evil.Model"}})
    with pytest.raises(BaseError, match="code of its own"):
        load_model(str(tmp_path))


def test_a_folder_that_is_no_model_is_told(tmp_path):
    with pytest.raises(BaseError, match=r"no config\.json"):
        resolve_base(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BaseError, match="not JSON"):
        resolve_base(str(tmp_path))
    write_json(tmp_path / "config.json", {"model_type": "llama"})
    with pytest.raises(BaseError, match=r"no \.safetensors"):
        load_model(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BaseError, match="tokenizer cannot be loaded"):
        load_tokenizer(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(BaseError, match="model cannot be loaded"):
        load_model(str(tmp_path))


def test_pickled_weights_are_never_loaded(tmp_path):
    folder = tiny_base(tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BaseError, match=r"no \.safetensors") as caught:
        load_model(str(folder))
    assert "can run code" in caught.value.hint


def test_a_tokenizer_without_template_is_refused(tmp_path):
    bare = tiny_tokenizer()
    bare.chat_template = None
    bare.save_pretrained(tmp_path)
    write_json(tmp_path / "config.json", {"model_type": "llama"})
    with pytest.raises(BaseError, match="no chat template"):
        load_tokenizer(str(tmp_path))

import asyncio
import copy

import pytest

pytestmark = [
    pytest.mark.torch,
    # peft asks transformers for it
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),
]

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from engine_ground import ids_of, run  # noqa: E402 - after the check for torch
from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402

from serve.engine.adapters import AdapterEngine  # noqa: E402
from serve.engine.base import Engine, SamplingParams  # noqa: E402
from serve.engine.embedded import EmbeddedEngine  # noqa: E402

PROMPTS = [[1, 2, 3], [9, 8, 7, 6, 5], [40] * 12]
GREEDY = SamplingParams(max_tokens=12, temperature=0, ignore_eos=True)


def with_adapters(model):
    """Two adapters whose effect is large."""
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    torch.manual_seed(1)
    made = peft.get_peft_model(model, config, adapter_name="first")
    made.add_adapter("second", config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.5)
    return made.eval()


def merged(model, adapter):
    """The plain model that the adapter stands for."""
    made = copy.deepcopy(model)
    made.set_adapter(adapter)
    return made.merge_and_unload()


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def test_base_and_adapters_answer_at_the_same_time_as_each_would_alone(tokenizer):
    adapted = with_adapters(tiny_model(tokenizer))
    plain = {
        "first": merged(adapted, "first"),
        "second": merged(adapted, "second"),
        None: tiny_model(tokenizer),
    }
    expected = {}
    for name, model in plain.items():
        alone = EmbeddedEngine(model, tokenizer)
        expected[name] = [ids_of(run(alone, (ids, GREEDY))[0]) for ids in PROMPTS]
        alone.close()
    assert expected["first"] != expected[None] != expected["second"]

    engine = EmbeddedEngine(adapted, tokenizer)
    views = {name: AdapterEngine(engine, name) for name in plain}
    assert all(isinstance(view, Engine) for view in views.values())

    async def one(view, ids):
        return [token.id async for token in view.generate(ids, GREEDY)]

    async def all_at_once():
        return await asyncio.gather(*(one(view, ids) for ids in PROMPTS for view in views.values()))

    found = asyncio.run(all_at_once())
    scores = [asyncio.run(view.score(PROMPTS[1])) for view in views.values()]
    by_itself = ids_of(run(engine, (PROMPTS[0], GREEDY))[0])
    engine.close()
    assert engine.batched
    for place, name in enumerate(views):
        assert found[place :: len(views)] == expected[name]
    assert len({one[0].logprob for one in scores}) == 3
    # an engine asked by itself answers with the adapter that its model came with
    assert by_itself == expected["first"][0]


def test_an_adapter_that_is_not_there(tokenizer):
    engine = EmbeddedEngine(tiny_model(tokenizer), tokenizer)
    with pytest.raises(ValueError, match="no adapter 'other'"):
        AdapterEngine(engine, "other")
    engine.close()

"""The closed formula: where the memory of a training step goes, term by term.

Not the planner, its cross-check: ``tests/test_memory.py`` holds it to the trace within MARGIN. Each
term names what in the code makes it. T is tokens in the batch, b the bytes of a number of the
arithmetic; the phases of a step are alternatives, so the largest is taken and not their sum.
"""

from dataclasses import dataclass
from typing import Any

from train.memory_quant_size import int8_bytes, nf4_bytes, states_8bit_bytes
from train.memory_setup import StepSetup

MARGIN = 0.10

# norms per layer, and whether queries and keys are normalised too (transformers' modeling files)
_FAMILIES = {
    "llama": (2, False),
    "mistral": (2, False),
    "qwen2": (2, False),
    "qwen3": (2, True),
    "gemma": (2, False),
    "gemma3_text": (4, True),
}
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 32768  # trl/kernels/chunked_logprob.py, trl/trainer/utils.py


@dataclass(frozen=True)
class ModelShape:
    """The widths that decide a decoder's memory."""

    layers: int
    hidden: int
    inner: int
    heads: int
    queries: int  # heads x width of a head
    keys: int  # of all key heads
    vocab: int
    tied: bool
    norms: int
    qk_norm: bool
    qkv_bias: bool
    window: int | None  # tokens a sliding layer sees
    sliding: int  # layers that slide

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Input and output width of each linear layer in a decoder layer."""
        h, q, kv, i = self.hidden, self.queries, self.keys, self.inner
        return {
            "q_proj": (h, q),
            "k_proj": (h, kv),
            "v_proj": (h, kv),
            "o_proj": (q, h),
            "gate_proj": (h, i),
            "up_proj": (h, i),
            "down_proj": (i, h),
        }


def shape_of(config: Any) -> ModelShape | None:
    """The shape of a model the formula knows; none for other families."""
    family = config.model_type
    if family not in _FAMILIES:
        return None
    norms, qk_norm = _FAMILIES[family]
    width = config.head_dim if "head_dim" in config.to_dict() else None
    width = width or config.hidden_size // config.num_attention_heads
    kinds = config.to_dict().get("layer_types") or []
    return ModelShape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        inner=config.intermediate_size,
        heads=config.num_attention_heads,
        queries=config.num_attention_heads * width,
        keys=config.num_key_value_heads * width,
        vocab=config.vocab_size,
        tied=config.tie_word_embeddings,
        norms=norms,
        qk_norm=qk_norm,
        qkv_bias=family == "qwen2",
        window=config.to_dict().get("sliding_window"),
        sliding=sum(kind == "sliding_attention" for kind in kinds),
    )


def formula_bytes(config: Any, setup: StepSetup) -> int | None:
    """Bytes of tensors at the fullest moment; none for a model the formula does not know."""
    shape = shape_of(config)
    if shape is None or setup.train_embeddings:
        return None
    return _Formula(shape, setup).peak()


class _Formula:
    def __init__(self, shape: ModelShape, setup: StepSetup) -> None:
        self.shape = shape
        self.setup = setup
        self.tokens = setup.micro_batch * setup.max_length
        self.b = 2 if setup.precision == "bf16" else 4
        self.vocab = setup.vocab_size or shape.vocab
        targets = setup.lora.targets if setup.lora else []
        self.adapted = {
            name: widths
            for name, widths in shape.linears.items()
            if targets == "all-linear" or name in targets
        }

    def peak(self) -> int:
        """Standing bytes and the fullest of the phases."""
        s, kept = self.shape, self.kept_per_token()
        layer = self.saved_per_token()
        if self.setup.checkpointing:
            # every layer's input; the layer being recomputed
            alive = self.tokens * s.layers * (self.b * s.hidden + kept)
            recomputed = self.tokens * (layer + kept)
        else:
            alive = self.tokens * s.layers * (layer + kept)
            recomputed = 0
        passing = self.tokens * self.passing_per_token()
        return self.standing() + max(alive + recomputed + passing, alive + self.loss())

    def standing(self) -> int:
        """Weights, adapters, gradients, optimiser states."""
        trained = self.trained()
        number = self.trained_number_bytes()
        if self.setup.optimiser == "adamw":
            states = 2 * number * sum(trained)
        else:
            states = sum(states_8bit_bytes(count) for count in trained)
        own = 0 if self.setup.lora is None else number * sum(trained)
        return self.weights() + own + number * sum(trained) + states

    def trained_number_bytes(self) -> int:
        """Peft keeps adapters in fp32; trl casts them to bf16 over a quantised base."""
        if self.setup.lora is None:
            return self.b
        return 2 if self.setup.quantization else 4

    def trained(self) -> list[int]:
        """Numbers in each trained tensor."""
        s = self.shape
        if self.setup.lora is not None:
            r = self.setup.lora.r
            return s.layers * [r * w for widths in self.adapted.values() for w in widths]
        heads = [self.vocab * s.hidden] * (1 if s.tied else 2)
        return heads + s.layers * [i * o for i, o in s.linears.values()]

    def weights(self) -> int:
        """Linear layers as quantised; embeddings, head and norms never are."""
        s = self.shape
        linear = sum(self.linear_bytes(o, i) for i, o in s.linears.values())
        bias = self.b * (s.queries + 2 * s.keys) if s.qkv_bias else 0
        embeddings = self.b * self.vocab * s.hidden * (1 if s.tied else 2)
        return embeddings + s.layers * (linear + bias + self.b * s.norms * s.hidden)

    def linear_bytes(self, rows: int, columns: int) -> int:
        """Bytes of one linear layer's weight."""
        if self.setup.quantization == "int8":
            return int8_bytes(rows, columns)
        if self.setup.quantization == "nf4":
            return nf4_bytes(rows, columns)
        return self.b * rows * columns

    def saved_per_token(self) -> int:
        """What autograd keeps of one layer for its backward pass."""
        s, b = self.shape, self.b
        # RMSNorm works in fp32 and keeps its input: 4 bytes
        norms = s.norms * 4 * s.hidden + (4 * (s.queries + s.keys) if s.qk_norm else 0)
        # gate, its activation, up
        mlp = 3 * b * s.inner
        return norms + mlp + self.attention_per_token() + self.adapters_per_token()

    def attention_per_token(self) -> int:
        """Queries, keys, values and output; log-sum-exp; with a mask: it, and a key per query."""
        s, b, length = self.shape, self.b, self.setup.max_length
        if self.setup.device == "mps":
            # no fused kernel with gradients: the weights of every pair are kept
            return b * 4 * s.queries + 4 * s.heads * length
        plain = b * (2 * s.queries + 2 * s.keys) + 4 * s.heads
        masked = b * (4 * s.queries + length) + 4 * s.heads
        if self.setup.has_padding:
            return masked
        sliding = s.sliding if s.window and length >= s.window else 0
        return plain + (masked - plain) * sliding // s.layers

    def adapters_per_token(self) -> int:
        """The input of lora_A, per adapted layer; with dropout a copy and a mask each."""
        s, b, lora = self.shape, self.b, self.setup.lora
        shared = 2 * s.hidden + s.queries + s.inner
        if lora is None:
            # every weight's input, and the norms' outputs
            return b * (shared + s.norms * s.hidden)
        wide = sum(i for i, _ in self.adapted.values())
        low = b * lora.r * len(self.adapted)
        if not lora.dropout:
            # fp32 adapters under autocast: a copy for each; else the layer's own input
            own = b * wide if b == 2 and not self.setup.quantization else b * min(wide, shared)
            return own + low
        # CUDA keeps a mask of bytes; elsewhere the noise itself, in the adapters' type
        mask = 1 if self.setup.device == "cuda" else self.trained_number_bytes()
        return (b + mask) * wide + low

    def kept_per_token(self) -> int:
        """int8: bitsandbytes keeps each layer's input where checkpointing cannot drop it."""
        s = self.shape
        return 2 * (2 * s.hidden + s.queries + s.inner) if self.setup.quantization == "int8" else 0

    def passing_per_token(self) -> int:
        """What comes and goes in the feed-forward part, the widest of a layer."""
        s, b = self.shape, self.b
        extra = 0
        if self.setup.device == "mps":
            extra = 2 * b * s.heads * self.setup.max_length
        if self.setup.quantization == "int8":
            # half-precision copy, outlier search
            return 5 * s.inner + 3 * b * s.hidden
        if self.setup.lora is None or self.setup.quantization or b == 4:
            return 3 * b * s.inner + 3 * b * s.hidden + extra
        # the product; its fp32 copy; that after dropout
        return (2 + 4 + 4) * s.inner + 3 * b * s.hidden + extra

    def loss(self) -> int:
        """TRL's fused head: one tile of logits, and the hidden states' gradient in fp32."""
        s, b = self.shape, self.b
        tile = min(self.tokens, _TILE_TOKENS) * min(self.vocab, _TILE_VOCABULARY)
        # without Triton the tile is folded by torch operations, about seven fp32 copies at once
        folded = 0 if self.setup.device == "cuda" else 29 * tile
        hidden = self.tokens * s.hidden * (b + 4 + 4)
        head = (4 + b) * self.vocab * s.hidden if self.setup.lora is None else 0
        return b * tile + folded + hidden + head

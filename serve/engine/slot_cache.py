"""Keys and values of the answers that are decoded together, one slot of memory each.

transformers' own cache is made anew at each token, by concatenation, and can hold rows of one
length only. Here a row is written in place: row i of a step puts its new key at the row's own
length, and a mask hides what lies behind. So a row joins by one copy, leaves by one copy, and
nothing is padded on the left. The buffers double when they are full.
"""

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, CacheLayerMixin

if TYPE_CHECKING:
    import torch

_FIRST_ROWS = 4
_FIRST_LENGTH = 128


class _Step:
    """Where the layers put the keys of this step, the same for all of them."""

    rows: "torch.Tensor"
    positions: "torch.Tensor"
    count: int
    width: int


class _SlotLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers is untyped here
    """One layer's buffers, shape (slots, heads, capacity, d)."""

    is_sliding = False

    def __init__(self, step: _Step) -> None:
        super().__init__()
        self._step = step

    def lazy_initialization(self, key_states: "torch.Tensor", value_states: "torch.Tensor") -> None:
        """Nothing: buffers are made when a row joins."""

    def update(
        self,
        key_states: "torch.Tensor",
        value_states: "torch.Tensor",
        *_args: Any,
        **_options: Any,
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """Write one key and value per row, shape (B, heads, 1, d); what all rows hold so far."""
        step = self._step
        assert self.keys is not None, "no row has joined"
        assert self.values is not None
        self.keys[step.rows, :, step.positions] = key_states[:, :, 0]
        self.values[step.rows, :, step.positions] = value_states[:, :, 0]
        return (
            self.keys[: step.count, :, : step.width],
            self.values[: step.count, :, : step.width],
        )

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002 - a protocol's
        """Keys seen in this step, and the place of the first."""
        return self._step.width, 0

    def get_seq_length(self) -> int:
        """Length of the longest row before this step."""
        return self._step.width - 1

    def get_max_length(self) -> int:
        """No limit: the buffers grow."""
        return -1


class SlotCache(Cache):  # type: ignore[misc]  # transformers is untyped here
    """A cache of rows 0 .. B - 1 of different lengths.

    Args:
        layers: of the model.
    """

    def __init__(self, layers: int) -> None:
        self._step = _Step()
        self._rows = 0
        self._length = 0
        super().__init__(layers=[_SlotLayer(self._step) for _ in range(layers)])

    def join(self, slot: int, cache: Any, length: int) -> None:
        """Copy the one row of ``cache``, a filled DynamicCache, into ``slot``."""
        self._reserve(slot + 1, length + 1, cache)
        for mine, other in zip(self.layers, cache.layers, strict=True):
            mine.keys[slot, :, :length] = other.keys[0]
            mine.values[slot, :, :length] = other.values[0]

    def move(self, source: int, slot: int, length: int) -> None:
        """Copy the row in ``source`` to ``slot``."""
        for layer in self.layers:
            layer.keys[slot, :, :length] = layer.keys[source, :, :length]
            layer.values[slot, :, :length] = layer.values[source, :, :length]

    def step(self, positions: "torch.Tensor", width: int) -> None:
        """Say where the coming forward pass writes.

        Args:
            positions: length of each row, shape (B,), int64.
            width: the longest row's length with the new token.
        """
        import torch

        step = self._step
        step.count, step.width, step.positions = len(positions), width, positions
        step.rows = torch.arange(len(positions), device=positions.device)
        self._reserve(step.count, width, self)

    def release(self) -> None:
        """Give the memory back."""
        self._rows = self._length = 0
        for layer in self.layers:
            layer.keys = layer.values = None

    def _reserve(self, rows: int, length: int, like: Any) -> None:
        """Make the buffers large enough; ``like`` has keys and values of the right shape."""
        if rows <= self._rows and length <= self._length:
            return
        self._rows = _doubled(self._rows or _FIRST_ROWS, rows)
        self._length = _doubled(self._length or _FIRST_LENGTH, length)
        for mine, other in zip(self.layers, like.layers, strict=True):
            mine.keys = self._grown(mine.keys, other.keys)
            mine.values = self._grown(mine.values, other.values)

    def _grown(self, old: "torch.Tensor | None", like: "torch.Tensor") -> "torch.Tensor":
        _, heads, _, size = like.shape
        # zeros, not whatever lay there: a masked NaN would still be one
        new = like.new_zeros((self._rows, heads, self._length, size))
        if old is not None:
            new[: old.shape[0], :, : old.shape[2]] = old
        return new


def _doubled(size: int, needed: int) -> int:
    while size < needed:
        size *= 2
    return size

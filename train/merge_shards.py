"""Safetensors files read and written a tensor at a time.

Nothing here holds more than one tensor: what a merge needs of memory does not grow with the model.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from ingest.errors import UserError
from ingest.files import read_json, write_json
from train.certificate import Dtype

INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_FLOATS = {"fp32": "F32", "bf16": "BF16", "fp16": "F16"}
_ALIGNED = 8  # bytes; where a header ends


class ShardError(UserError):
    """Weight files that do not hold what they must."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Attributes:
        name: in the checkpoint.
        dtype: as safetensors names it.
        shape: of the tensor.
        file: name of the file that holds it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * _WIDTHS[self.dtype]


_WIDTHS = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1,
    "BOOL": 1,
}  # fmt: skip


class Shards:
    """The tensors of a model folder.

    Args:
        folder: holds ``*.safetensors``, and an index if they are several.

    Raises:
        ShardError: a file is missing or damaged, or holds what is neither float nor integer.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = {entry.name: entry for entry in _entries(folder)}

    @property
    def files(self) -> list[str]:
        """Names of the files, sorted."""
        return sorted({entry.file for entry in self.entries.values()})

    def dtype(self) -> Dtype:
        """``fp32``, ``bf16`` or ``fp16``: what most bytes of the weights are.

        Raises:
            ShardError: something else.
        """
        sizes: dict[str, int] = {}
        for entry in self.entries.values():
            sizes[entry.dtype] = sizes.get(entry.dtype, 0) + entry.size
        most = max(sizes, key=lambda dtype: sizes[dtype])
        for dtype in get_args(Dtype):
            if _FLOATS[dtype] == most:
                return cast(Dtype, dtype)
        raise ShardError(
            f"{self.folder}: its weights are stored as {most}",
            "merge needs a base model in fp32, bf16 or fp16",
        )

    def read(self, name: str) -> Any:
        """One tensor, as it is stored."""
        from safetensors import safe_open

        # opened for each: a file left open keeps all pages ever read in memory
        with safe_open(self.folder / self.entries[name].file, framework="pt") as file:
            return file.get_tensor(name).clone()


def _entries(folder: Path) -> Iterator[Entry]:
    names = sorted(file.name for file in folder.glob("*.safetensors"))
    if (folder / INDEX).is_file():
        named = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
        missing = sorted(set(named) - set(names))
        if missing:
            raise ShardError(
                f"{folder / missing[0]}: is named by the index and not there", "fetch it again"
            )
        names = named
    elif len(names) > 1:
        names = [_SINGLE]
    for name in names:
        yield from _header(folder / name)


def _header(file: Path) -> Iterator[Entry]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - safe_open is no dict
                piece = opened.get_slice(name)
                if piece.get_dtype() not in _WIDTHS:
                    raise ShardError(
                        f"{file}: holds {piece.get_dtype()} weights",
                        "take the model as it was before it was quantised",
                    )
                yield Entry(name, piece.get_dtype(), tuple(piece.get_shape()), file.name)
    except (SafetensorError, OSError) as error:
        raise ShardError(f"{file}: {error}", "fetch it again") from None


def write_shards(
    folder: Path, entries: Iterable[Entry], produce: Callable[[str], Any], dtype: str
) -> None:
    """Write weights to the files that the entries name, and their index.

    Args:
        folder: exists.
        entries: what to write, with the shapes as they will be.
        produce: makes the tensor of a name; asked for one at a time.
        dtype: that floating tensors are cast to: fp32, bf16 or fp16.

    Raises:
        ShardError: a tensor has another shape than was said, or does not fit the type.
    """
    by_file: dict[str, list[Entry]] = {}
    for entry in entries:
        stored = _FLOATS[dtype] if entry.dtype in {"F64", *_FLOATS.values()} else entry.dtype
        made = Entry(entry.name, stored, entry.shape, entry.file)
        by_file.setdefault(entry.file, []).append(made)
    for name, some in by_file.items():
        _write_file(folder / name, some, produce)
    if len(by_file) > 1:
        everything = [entry for some in by_file.values() for entry in some]
        write_json(
            folder / INDEX,
            {
                "metadata": {"total_size": sum(entry.size for entry in everything)},
                "weight_map": {entry.name: entry.file for entry in everything},
            },
        )


def _write_file(path: Path, entries: list[Entry], produce: Callable[[str], Any]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    # wide types first: then each tensor begins where its type may
    ordered = sorted(entries, key=lambda entry: (-_WIDTHS[entry.dtype], entry.name))
    for entry in ordered:
        header[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [at, at + entry.size],
        }
        at += entry.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for entry in ordered:
            file.write(_bytes(produce(entry.name), entry))


def _bytes(tensor: Any, entry: Entry) -> Any:
    import torch

    if tuple(tensor.shape) != entry.shape:
        raise ShardError(
            f"{entry.name}: is {tuple(tensor.shape)} where {entry.shape} was meant",
            "the adapter belongs to another model",
        )
    types = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
    made = tensor.to(types[entry.dtype]) if entry.dtype in types else tensor
    if made.is_floating_point() and not torch.isfinite(made).all():
        raise ShardError(
            f"{entry.name}: does not fit {entry.dtype}: it holds values out of its range",
            "merge with --dtype bf16 or fp32",
        )
    return memoryview(made.contiguous().reshape(-1).view(torch.uint8).numpy())

"""Outward formats by name."""

from dataset.export.alpaca import Alpaca
from dataset.export.axolotl import Axolotl
from dataset.export.base import DatasetExportError, MakeFormat
from dataset.export.llama_factory import LlamaFactory
from dataset.export.openai import OpenAI
from dataset.export.parquet import Parquet
from dataset.export.sharegpt import ShareGPT

FORMATS: dict[str, MakeFormat] = {
    kind.name: kind for kind in (OpenAI, ShareGPT, Alpaca, Axolotl, LlamaFactory, Parquet)
}
"""What makes a format, by its name."""


def format_named(name: str) -> MakeFormat:
    """What makes the format called ``name``.

    Raises:
        DatasetExportError: there is none.
    """
    if name not in FORMATS:
        raise DatasetExportError(
            f"no outward format is called {name!r}", f"there are: {', '.join(FORMATS)}"
        )
    return FORMATS[name]

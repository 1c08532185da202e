"""Chat templates for the proof of the loss mask: those of installed packages, and our own.

Other projects' templates are read at run time where they are installed; none is kept here.
"""

import ast
import importlib.util
import json
import re
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mask_source import Source, found_stops
from mask_templates_shapes import SHAPES
from mask_templates_text import TEXT
from mask_templates_tools import TOOL_TEMPLATES

_PACKAGES = (
    "trl", "transformers", "peft", "axolotl", "llamafactory", "unsloth", "unsloth_zoo",
    "mistral_common", "vllm", "swift", "sglang", "litgpt", "torchtune", "fastchat",
)  # fmt: skip
_LOOKS_LIKE_CHAT = re.compile(r"\{%-?.*\bmessages\b", re.DOTALL)

# What ends a turn where the family's own list of stop tokens says other than the source's look:
# by the beginning of the template's name.
_ENDS: dict[str, tuple[str, ...]] = {  # the first is the end-of-sequence token
    # the model stops by naming who speaks next
    "trl/glm4moe": ("<|endoftext|>", "<|user|>", "<|observation|>"),
    # <|end|> closes a channel, not the turn; see _CLOSERS
    "trl/gptoss": ("<|return|>", "<|call|>"),
    # [INST] style with the end-of-sequence token alone
    "trl/llava_next": ("</s>",),
    # <|eom|> closes a message to itself; the turn goes on
    "trl/muse_glimmer": ("<|eot|>",),
}

# what stands for the stop token in turns that history goes on after
_CLOSERS: dict[str, tuple[str, ...]] = {"trl/gptoss": ("<|end|>",)}


def handwritten() -> dict[str, Source]:
    """Our own templates, one or more for each class of construction."""
    return {**SHAPES, **TEXT, **TOOL_TEMPLATES}


@cache
def collected() -> dict[str, Source]:
    """Every distinct chat template in installed packages, by ``package/file``."""
    seen: dict[str, Source] = {}
    texts: set[str] = set()
    for package in _PACKAGES:
        for name, text in _of_package(package):
            if text not in texts:
                texts.add(text)
                seen[name] = _source(name, text)
    return seen


def all_templates() -> dict[str, Source]:
    """``collected`` and ``handwritten`` together; our own are named ``own/...``."""
    return {**collected(), **{f"own/{name}": source for name, source in handwritten().items()}}


def _source(name: str, text: str) -> Source:
    stops = _by_name(_ENDS, name) or found_stops(text) or ("</s>",)
    bos = "<s>" if "bos_token" in text and "<s>" not in text else None
    if "eos_token" in text and "</s>" not in text:
        # the variable is a further stop beside what the source spells out
        return Source(text, eos="<|endoftext|>", bos=bos, stops=(*stops, "<|endoftext|>"))
    # as often as not the end-of-sequence token of a real tokenizer is no token of its template
    eos = "<|endoftext|>" if zlib.crc32(text.encode()) % 2 else stops[0]
    return Source(text, eos=eos, bos=bos, stops=stops, closers=_by_name(_CLOSERS, name))


def _by_name(table: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    return next((found for begin, found in table.items() if name.startswith(begin)), ())


def _of_package(package: str) -> Iterator[tuple[str, str]]:
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        root = Path(place)
        for file in sorted(root.rglob("*.jinja")):
            text = file.read_text(encoding="utf-8")
            if _LOOKS_LIKE_CHAT.search(text):
                yield f"{package}/{file.stem}", text
        for suffix, texts in ((".json", _in_json), (".py", _in_python)):
            for file in sorted(root.rglob(f"*{suffix}")):
                found = [text for text in texts(file) if _LOOKS_LIKE_CHAT.search(text)]
                for n, text in enumerate(found):
                    yield f"{package}/{file.stem}" + (f"-{n}" if n else ""), text


def _in_json(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    if "chat_template" not in text:
        return
    value = json.loads(text).get("chat_template")
    if isinstance(value, str):
        yield value


def _in_python(file: Path) -> Iterator[str]:
    """Strings of a module that read as chat templates; the module is parsed, never run."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if "{%" not in text or "messages" not in text:
        return
    tree = ast.parse(text)
    prose = {id(node.body[0].value) for node in ast.walk(tree) if _has_docstring(node)}
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            # pieces of an f-string are no template by themselves
            inner |= {id(part) for part in ast.walk(node)}
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and "{%" in text and id(node) not in prose | inner:
            yield text


def _has_docstring(node: Any) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None

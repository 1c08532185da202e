"""Writes the invented sample exports and what they should become.

``python sample_data/generate.py`` rewrites the same bytes every time; ``--out DIR`` writes them
elsewhere. The expectations (``expected.jsonl``) come from the same source as the exports and
never from an importer.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import chatgpt_sample
import msgspec
import openai_sample
import whatsapp_sample
from mill import SHOP
from talk import Deck
from whatsapp_chat import Chat

from ingest.message import Conversation

_HERE = Path(__file__).parent
_SEED = 1742  # the year the mill was built


def _golden(conversations: Iterable[Conversation]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in conversations)


def _whatsapp(folder: str, file: str, chat: Chat, end: str) -> dict[str, bytes]:
    options = {"as_assistant": [SHOP], "date_order": "auto", "tz": None}
    return {
        f"{folder}/{file}": (chat.text() + end).encode(),
        f"{folder}/expected.jsonl": _golden(chat.expected()),
        f"{folder}/options.json": (json.dumps(options) + "\n").encode(),
    }


def samples() -> dict[str, bytes]:
    """Every generated file: path below ``sample_data/`` -> bytes."""
    # one deck for all: a phrasing does not return in another file before all are used up
    deck = Deck(Random(_SEED))
    trees = chatgpt_sample.build(deck, Random(_SEED + 1))
    lines = openai_sample.build(deck, Random(_SEED + 2))
    android = whatsapp_sample.build_android(deck, Random(_SEED + 3))
    ios = whatsapp_sample.build_ios(deck, Random(_SEED + 4))
    return {
        "chatgpt/conversations.json": json.dumps([tree.raw() for tree in trees]).encode(),
        "chatgpt/expected.jsonl": _golden(tree.expected() for tree in trees),
        "openai/messages.jsonl": "".join(f"{line}\n" for line, _ in lines).encode(),
        "openai/expected.jsonl": _golden(conversation for _, conversation in lines),
        **_whatsapp("whatsapp", f"WhatsApp Chat with {SHOP}.txt", android, "\n"),
        # an iPhone ends its file without a newline
        **_whatsapp("whatsapp-ios", "_chat.txt", ios, ""),
    }


def main() -> None:
    """Write every file."""
    parser = argparse.ArgumentParser(description="Write the invented sample exports.")
    parser.add_argument("--out", type=Path, default=_HERE, help="where to write (default: here)")
    out: Path = parser.parse_args().out
    for path, data in samples().items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main()

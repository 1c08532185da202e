"""Invented exports of any size for the benchmarks: faithful in shape, unique in text."""

import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

_WORDS = 20_000


class Texts:
    """Sentences of random words with a natural spread of lengths; the same seed, the same text."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        weights = range(26, 0, -1)
        self.words = [
            "".join(self.random.choices(letters, weights, k=self.random.randint(2, 9)))
            for _ in range(_WORDS)
        ]
        odd = ["naïve", "größer", "日本語", "🌾", '"quoted"', "a\\b", "x\ny", "{}"]
        self.words[::50] = odd * 50

    def text(self, mean_words: int) -> str:
        """About ``mean_words`` words, exponentially spread."""
        count = 1 + int(self.random.expovariate(1 / mean_words))
        return " ".join(self.random.choices(self.words, k=count))

    def uuid(self) -> str:
        """A uuid from the seeded generator."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def chatgpt_conversation(texts: Texts, messages: int) -> dict[str, object]:
    """One conversation as ChatGPT exports it: a chain of nodes with full metadata."""
    ids = [texts.uuid() for _ in range(messages + 1)]
    start = 1.7e9 + texts.random.random() * 5e7
    mapping: dict[str, object] = {
        ids[0]: {"id": ids[0], "message": None, "parent": None, "children": [ids[1]]}
    }
    for at in range(1, messages + 1):
        role = "user" if at % 2 else "assistant"
        mapping[ids[at]] = {
            "id": ids[at],
            "message": {
                "id": ids[at],
                "author": {"role": role, "name": None, "metadata": {}},
                "create_time": start + at * 31.25,
                "update_time": None,
                "content": {
                    "content_type": "text",
                    "parts": [texts.text(20 if role == "user" else 110)],
                },
                "status": "finished_successfully",
                "end_turn": True,
                "weight": 1.0,
                "metadata": {
                    "request_id": texts.uuid(),
                    "model_slug": "model-x" if role == "assistant" else None,
                    "timestamp_": "absolute",
                    "message_type": None,
                },
                "recipient": "all",
                "channel": None,
            },
            "parent": ids[at - 1],
            "children": [ids[at + 1]] if at < messages else [],
        }
    return {
        "title": texts.text(4),
        "create_time": start,
        "update_time": start + messages * 31.25,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": ids[messages],
        "plugin_ids": None,
        "conversation_id": texts.uuid(),
        "conversation_template_id": None,
        "gizmo_id": None,
        "is_archived": False,
        "safe_urls": [],
        "default_model_slug": "model-x",
        "id": None,
    }


def write_chatgpt(path: Path, megabytes: int, seed: int = 0) -> Path:
    """An export of about ``megabytes`` MB, about 24 messages a conversation; made once."""
    if path.exists():
        return path
    texts = Texts(seed)
    part = path.with_suffix(".part")
    with part.open("w", encoding="ascii") as file:
        size = file.write("[")
        separator = ""
        while size < megabytes * 1_000_000:
            messages = 2 * (1 + int(texts.random.expovariate(1 / 11)))
            size += file.write(separator + json.dumps(chatgpt_conversation(texts, messages)))
            separator = ", "
        file.write("]")
    part.rename(path)
    return path


def openai_lines(texts: Texts, count: int) -> Iterator[str]:
    """Records of OpenAI-style messages."""
    for _ in range(count):
        messages = [{"role": "system", "content": "You are a helpful assistant."}]
        for _ in range(1 + int(texts.random.expovariate(1 / 3))):
            messages.append({"role": "user", "content": texts.text(20)})
            messages.append({"role": "assistant", "content": texts.text(60)})
        yield json.dumps({"messages": messages})


def write_openai(path: Path, count: int, seed: int = 0) -> Path:
    """``count`` records; made once."""
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in openai_lines(Texts(seed), count))
        part.rename(path)
    return path


def write_whatsapp(path: Path, count: int, seed: int = 0) -> Path:
    """``count`` messages of two people over some years; made once."""
    if not path.exists():
        texts = Texts(seed)
        at = 1_500_000_000.0
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            from datetime import UTC, datetime

            for number in range(count):
                at += texts.random.expovariate(1 / 900)
                stamp = datetime.fromtimestamp(at, UTC).strftime("%d/%m/%Y, %H:%M")
                name = "Corin Vale" if number % 3 else "Wendel Mill"
                file.write(f"{stamp} - {name}: {texts.text(9)}\n")
        part.rename(path)
    return path

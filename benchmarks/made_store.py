"""An invented store of any size, written straight into the tables: what the build benchmark reads.

Texts follow Zipf's law; a share of the conversations repeats an earlier one, exactly or nearly, and
a share holds an address, a number or a participant's name. The same seed gives the same store.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from ingest import columns
from ingest.message import Conversation, Message, Participant
from ingest.store import Store

BATCH = 2048
_VOCABULARY = 40_000
_SYSTEM = (
    "You are the mill's assistant. Answer briefly, and only about grain, flour and bread. " * 3
)
_EPOCH = datetime(2024, 1, 1)


@dataclass
class Shares:
    """Shares of conversations that are special.

    Attributes:
        exact: repeats an earlier conversation word for word.
        near: repeats one with a few words changed.
        personal: holds something to redact.
        silent: has no assistant.
    """

    exact: float = 0.04
    near: float = 0.06
    personal: float = 0.2
    silent: float = 0.03


@dataclass
class Maker:
    """Makes conversations.

    Attributes:
        turns: mean number of messages.
        words: mean words of a message.
    """

    seed: int = 0
    turns: int = 10
    words: int = 28
    people: int = 5_000
    shares: Shares = field(default_factory=Shares)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        sizes = self._random.integers(2, 10, _VOCABULARY)
        self._words = ["".join(self._random.choice(letters, size)) for size in sizes]
        self._words[::40] = ["größer", "naïve", "日本語", "🌾", "1,200", "v2.3.1"] * 166 + [
            "ok"
        ] * 4
        odds = 1 / np.arange(2, _VOCABULARY + 2)
        self._cumulated = np.cumsum(odds / odds.sum())
        self._recent: list[list[list[str]]] = []

    def conversations(self, start: int, count: int) -> Iterator[Conversation]:
        """Conversations number ``start`` to ``start + count``."""
        kinds = self._random.random(count)
        for at in range(count):
            number, kind = start + at, kinds[at]
            shares = self.shares
            if self._recent and kind < shares.exact + shares.near:
                turns = self._recent[int(self._random.integers(len(self._recent)))]
                if kind >= shares.exact:
                    turns = self._altered(turns)
            else:
                turns = self._turns()
                self._remember(turns)
            silent = kind > 1 - shares.silent
            personal = self._random.random() < shares.personal
            yield self._conversation(number, turns, silent=silent, personal=personal)

    def _turns(self) -> list[list[str]]:
        count = 2 + int(self._random.poisson(self.turns - 2))
        sizes = 1 + self._random.exponential(self.words, count).astype(int)
        drawn = np.searchsorted(self._cumulated, self._random.random(int(sizes.sum())))
        words = [self._words[each] for each in np.minimum(drawn, _VOCABULARY - 1)]
        ends = np.cumsum(sizes)
        return [words[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    def _remember(self, turns: list[list[str]]) -> None:
        if len(self._recent) < 4_000:
            self._recent.append(turns)
        elif self._random.random() < 0.05:
            self._recent[int(self._random.integers(4_000))] = turns

    def _altered(self, turns: list[list[str]]) -> list[list[str]]:
        made = [list(turn) for turn in turns]
        for turn in made[:: max(1, len(made) // 2)]:
            turn[int(self._random.integers(len(turn)))] = "changed"
        return made

    def _conversation(
        self, number: int, turns: list[list[str]], *, silent: bool, personal: bool
    ) -> Conversation:
        person = f"Person {int(self._random.integers(self.people))}"
        texts = [" ".join(turn) for turn in turns]
        if personal:
            texts[0] += (
                f" write to user{number}@example.org or +49 170 {number % 10**7:07d}, {person}"
            )
        at = _EPOCH + timedelta(minutes=number)
        messages = [Message("system", _SYSTEM)] if number % 3 == 0 else []
        messages += [
            Message(
                "user" if silent or turn % 2 == 0 else "assistant",
                text,
                name=person if turn % 2 == 0 else "Mill",
                created_at=at,
            )
            for turn, text in enumerate(texts)
        ]
        return Conversation(
            id=f"made-{hashlib.sha256(str(number).encode()).hexdigest()[:16]}",
            importer="made",
            source_id=str(number),
            title=f"Talk {number}",
            created_at=at,
            messages=tuple(messages),
            participants=(Participant(person), Participant("Mill", is_assistant=True)),
        )


def fill(store: Store, count: int, *, seed: int = 0) -> tuple[int, int]:
    """Put ``count`` conversations into an empty store.

    Returns:
        Messages, and bytes of their texts.
    """
    maker = Maker(seed)
    messages = size = 0
    with store.transaction():
        for start in range(0, count, BATCH):
            made = list(maker.conversations(start, min(BATCH, count - start)))
            ords = np.arange(start + 1, start + 1 + len(made))
            hashes = [each.content_hash for each in made]
            store.insert(
                columns.renumbered(columns.conversation_columns("made", made, hashes), ords),
                columns.renumbered(columns.message_columns(made), ords),
            )
            messages += sum(len(each.messages) for each in made)
            size += sum(len(m.content.encode()) for each in made for m in each.messages)
    return messages, size

"""What must not come back: salted hashes of ids, names and texts that were erased.

The store keeps no erased text, only what is needed to know it again when an export brings it: of an
id and of a name a hash, of a text a hash, its length and a second hash that is cheap to look for at
every place of a longer text. The salt lies in the store, so whoever has the store can try out
guesses; nobody can read the list. The SQL of the store's table ``forgotten`` stands here.
"""

import hashlib
import json
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa

from ingest.connection import Connection, over
from ingest.times import naive_utc

REASON = "forgotten"
"""Why an import skips a conversation that was erased."""

Kind = Literal["conversation", "participant", "text"]

OF_CONVERSATION = ("title", "participants", "tools", "metadata", "source_id")
OF_MESSAGE = ("content", "name", "reasoning", "tool_calls", "attachments", "extra")
"""Columns in which an erased text is looked for."""

_BYTES = 16


def plain(text: str) -> str:
    """A text as texts are compared: composed letters, no case."""
    return unicodedata.normalize("NFC", text).casefold()


def forms(text: str) -> tuple[str, ...]:
    """How a text may stand in a column: as it is, and inside JSON, and JSON inside JSON.

    All in the form that :func:`plain` gives.
    """
    found = [text]
    for case in (text, text.lower(), text.upper()):
        for ascii_only in (False, True):
            inside = case
            for _ in range(2):
                inside = json.dumps(inside, ensure_ascii=ascii_only)[1:-1]
                found.append(inside)
    return tuple(dict.fromkeys(plain(form) for form in found))


@dataclass(frozen=True)
class TextMark:
    """What is known of an erased text.

    Attributes:
        length: in characters, in the plain form.
        quick: sum of its characters, each times ``quick_base`` to the power of its place, modulo
            2**64.
        hash: salted.
    """

    length: int
    quick: int
    hash: str


@dataclass(frozen=True)
class Marks:
    """Everything that must not come back, by hash.

    Attributes:
        salt: of the hashes.
        conversations: hashes of ids.
        people: hashes of names, and of ids of people.
        texts: of erased texts.
    """

    salt: bytes = b""
    conversations: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    texts: tuple[TextMark, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conversations or self.people or self.texts)

    def is_forgotten(self, id_: str) -> bool:
        """Whether a conversation's id was erased."""
        return bool(self.conversations) and salted(self.salt, "conversation", id_) in (
            self.conversations
        )

    def is_person(self, name: str) -> bool:
        """Whether a name, or an id of a person, was erased."""
        return bool(self.people) and salted(self.salt, "participant", name) in self.people


def salted(salt: bytes, kind: Kind, value: str, *, ready: bool = False) -> str:
    """The hash of a value; names and texts are brought into plain form unless they are."""
    text = value if ready or kind == "conversation" else plain(value)
    data = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, key=salt, digest_size=_BYTES).hexdigest()


def mark_text(salt: bytes, text: str) -> TextMark:
    """What is kept of an erased text in plain form."""
    base, power, quick = quick_base(salt), 1, 0
    for letter in text:
        quick = (quick + ord(letter) * power) % 2**64
        power = power * base % 2**64
    return TextMark(len(text), quick, salted(salt, "text", text, ready=True))


def quick_base(salt: bytes) -> int:
    """What the places of a text are weighted with: an odd number that only the salt tells."""
    return int.from_bytes(hashlib.blake2b(b"base", key=salt, digest_size=8).digest(), "big") | 1


class Forgotten:
    """The list of an open store."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def marks(self) -> Marks:
        """All of it."""
        by_kind: dict[str, set[str]] = {"conversation": set(), "participant": set(), "salt": set()}
        texts: list[TextMark] = []
        for kind, hash_, length, quick in self._db.execute(
            "SELECT kind, hash, length, quick FROM forgotten"
        ).fetchall():
            if kind == "text":
                texts.append(TextMark(length, quick, hash_))
            else:
                by_kind[kind].add(hash_)
        return Marks(
            bytes.fromhex(next(iter(by_kind["salt"]), "")),
            frozenset(by_kind["conversation"]),
            frozenset(by_kind["participant"]),
            tuple(texts),
        )

    def add(
        self,
        *,
        conversations: Iterable[str] = (),
        people: Iterable[str] = (),
        texts: Iterable[str] = (),
        now: datetime,
    ) -> None:
        """Let these come back no more.

        Args:
            conversations: ids.
            people: names and ids of people.
            texts: as the user gave them; every form of :func:`forms` is marked.
            now: when.
        """
        known = self.marks()
        salt = known.salt or secrets.token_bytes(32)
        new: dict[tuple[str, str], tuple[int | None, int | None]] = {}
        if not known.salt:
            new["salt", salt.hex()] = (None, None)
        for id_ in conversations:
            new["conversation", salted(salt, "conversation", id_)] = (None, None)
        for name in people:
            new["participant", salted(salt, "participant", name)] = (None, None)
        for text in texts:
            for form in forms(text):
                mark = mark_text(salt, form)
                new["text", mark.hash] = (mark.length, mark.quick)
        for kind, hashes in (("conversation", known.conversations), ("participant", known.people),
                             ("text", {mark.hash for mark in known.texts})):  # fmt: skip
            for hash_ in hashes:
                new.pop((kind, hash_), None)
        rows = pa.table(
            {
                "kind": pa.array([kind for kind, _ in new], pa.string()),
                "hash": pa.array([hash_ for _, hash_ in new], pa.string()),
                "length": pa.array([length for length, _ in new.values()], pa.int32()),
                "quick": pa.array([quick for _, quick in new.values()], pa.uint64()),
                "time": pa.array([naive_utc(now)] * len(new), pa.timestamp("us")),
            }
        )
        over(self._db, rows, "INSERT INTO forgotten SELECT * FROM rows")

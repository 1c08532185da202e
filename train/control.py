"""Control tokens: the ids that steer a model, and text encoded so that only some become them.

A message may hold the text of a control token (``<|im_end|>``), by chance or as an attack. In the
ids only the template's own occurrences may become the control token; all others stay text.
"""

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ingest.errors import UserError
from ingest.files import read_json

_MARK = "\U0010fff5"  # opens and closes the names that the twin tokenizer gives control tokens


class RenderError(UserError):
    """A conversation, template or tokenizer for which the loss mask cannot be shown to be right."""


class Occurrence(NamedTuple):
    """A control token's text at ``text[start:end]``."""

    id: int
    start: int
    end: int


class Control:
    """The control tokens of a tokenizer: what it adds to its model's vocabulary.

    Those of white space only are ordinary text.

    Attributes:
        ids: by text.
        steering: ids that appear only where their text does; not so the one for unknown text.
    """

    def __init__(self, tokenizer: Any) -> None:
        added = tokenizer.added_tokens_decoder
        self.ids: dict[str, int] = {
            token.content: i for i, token in added.items() if token.content.strip()
        }
        longest_first = sorted(self.ids, key=len, reverse=True)
        self.steering = frozenset(self.ids.values()) - {tokenizer.unk_token_id}
        # "(?!)" matches nothing
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def find(self, text: str) -> list[Occurrence]:
        """Every control token's text in ``text``, leftmost and longest first."""
        ids = self.ids
        return [
            Occurrence(ids[match.group()], match.start(), match.end())
            for match in self._pattern.finditer(text)
        ]


class Encoders:
    """A tokenizer's own encoder, and variants of it that differ in one thing each.

    Args:
        tokenizer: a fast one.
        ids: its control tokens by text.
    """

    def __init__(self, tokenizer: Any, ids: dict[str, int]) -> None:
        self._state = json.loads(tokenizer.backend_tokenizer.to_str())
        # nothing may cut, pad or add: the ids are those of the bare text
        self._state.update(post_processor=None, truncation=None, padding=None)
        self._ids = ids
        self.size = tokenizer.backend_tokenizer.get_vocab_size(with_added_tokens=True)
        self._names = {token_id: f"{_MARK}{token_id}{_MARK}" for token_id in ids.values()}

    @functools.cached_property
    def plain(self) -> Any:
        """Encodes a text from its beginning."""
        return _tokenizer(self._state)

    @functools.cached_property
    def continued(self) -> Any:
        """Encodes a text that goes on from another: no space is put before it."""
        return _tokenizer(_without_prefix(self._state))

    @functools.cached_property
    def twin(self) -> Any:
        """``plain`` with control tokens under names that no text holds."""
        return _tokenizer(_renamed(self._state, self._ids, self._names))

    @functools.cached_property
    def twin_continued(self) -> Any:
        """``continued`` with control tokens under names that no text holds."""
        return _tokenizer(_renamed(_without_prefix(self._state), self._ids, self._names))

    @functools.cached_property
    def _ids_of_twin(self) -> dict[int, int]:
        return {self.twin.token_to_id(name): i for i, name in self._names.items()}

    def encode(
        self, text: str, genuine: Sequence[Occurrence], *, foreign: bool, continued: bool
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Encode ``text`` with only the ``genuine`` occurrences as control tokens.

        Args:
            text: nothing is added to it.
            genuine: in order; positions are those of ``text``.
            foreign: whether the text holds control tokens besides the genuine ones.
            continued: whether the text goes on from another.

        Returns:
            Ids, and for each the characters it covers.

        Raises:
            RenderError: the text holds a name that is reserved here.
        """
        if not foreign:
            encoding = (self.continued if continued else self.plain).encode(
                text, add_special_tokens=False
            )
            return encoding.ids, encoding.offsets
        if _MARK in text and any(name in text for name in self._names.values()):
            raise RenderError(
                "a message holds private characters (U+10FFF5) that are reserved here",
                "leave this conversation out, or remove the characters from its text",
            )
        named, starts, ends = self._named(text, genuine)
        twin = self.twin_continued if continued else self.twin
        encoding = twin.encode(named, add_special_tokens=False)
        offsets = [
            (starts[start], ends[end - 1] if end > start else starts[start])
            for start, end in encoding.offsets
        ]
        return [self._ids_of_twin.get(token_id, token_id) for token_id in encoding.ids], offsets

    def _named(self, text: str, genuine: Sequence[Occurrence]) -> tuple[str, list[int], list[int]]:
        """The twin's text, and where in ``text`` each of its characters starts and ends."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        position = 0
        for one in genuine:
            name = self._names[one.id]
            parts += [text[position : one.start], name]
            starts += [*range(position, one.start), *[one.start] * len(name)]
            ends += [*range(position + 1, one.start + 1), *[one.end] * len(name)]
            position = one.end
        parts.append(text[position:])
        starts += range(position, len(text) + 1)
        ends += range(position + 1, len(text) + 1)
        return "".join(parts), starts, ends


class Vocabulary(NamedTuple):
    """What of a tokenizer a render needs.

    Attributes:
        stops: ids that stop the model for certain, by its tokenizer and generation config.
    """

    control: Control
    encoders: Encoders
    stops: frozenset[int]


_vocabularies: "WeakKeyDictionary[Any, tuple[Any, Vocabulary]]" = WeakKeyDictionary()


def vocabulary(tokenizer: Any) -> Vocabulary:
    """The control tokens and encoders of a tokenizer, kept as long as it lives.

    Raises:
        RenderError: it is not a fast one.
    """
    if not tokenizer.is_fast:
        raise RenderError(
            "this tokenizer cannot say which characters a token covers",
            "use a model that ships a tokenizer.json",
        )
    key = len(tokenizer), tokenizer.eos_token_id
    kept = _vocabularies.get(tokenizer)
    if kept is None or kept[0] != key:
        control = Control(tokenizer)
        kept = (key, Vocabulary(control, Encoders(tokenizer, control.ids), _stops(tokenizer)))
        _vocabularies[tokenizer] = kept
    return kept[1]


def _stops(tokenizer: Any) -> frozenset[int]:
    file = Path(tokenizer.name_or_path or "") / "generation_config.json"
    named = read_json(file).get("eos_token_id") if file.is_file() else None
    stops = {*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id}
    return frozenset(stops - {None})


def _tokenizer(state: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(state))


def _without_prefix(state: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer's JSON that puts nothing before a text."""
    changed: dict[str, Any] = json.loads(json.dumps(state))
    for kind in ("normalizer", "pre_tokenizer"):
        changed[kind] = _bare(changed[kind])
    return changed


def _bare(part: dict[str, Any] | None) -> dict[str, Any] | None:
    if part is None or part["type"] == "Prepend":
        return None
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            kept = [bare for inner in part[key] if (bare := _bare(inner)) is not None]
            return {**part, key: kept} if kept else None
    if part["type"] == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if part["type"] == "ByteLevel":
        return {**part, "add_prefix_space": False}
    return part


def _renamed(state: dict[str, Any], ids: dict[str, int], names: dict[int, str]) -> dict[str, Any]:
    """A tokenizer's JSON with its control tokens under other names."""

    def name(token: str) -> str:
        return names[ids[token]] if token in ids else token

    model = dict(state["model"])
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {name(token): token_id for token, token_id in vocab.items()}
    else:  # Unigram: pairs of token and score
        model["vocab"] = [[name(token), score] for token, score in vocab]
    if model.get("unk_token"):
        model["unk_token"] = name(model["unk_token"])
    added = [{**token, "content": name(token["content"])} for token in state["added_tokens"]]
    return {**state, "model": model, "added_tokens": added}

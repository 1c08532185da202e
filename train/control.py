"""Control tokens: which of them the template wrote, which came with the messages.

A message may hold the text of a control token (``<|im_end|>``), by chance or as an attack. In the
ids, only the template's own occurrences may become the control token; all others stay text.

Origin is found by a second render in which each visible character of the messages is replaced by
a private-use character. Where the result, translated back, is the stock text, its private-use
characters show exactly which characters the messages contributed.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ingest.errors import UserError

_FIRST_PRIVATE = 0xF0000  # planes 15 and 16
_LAST_PRIVATE = 0x10FFEF
_MARK = "\U0010fff5"  # opens and closes the names that the twin tokenizer gives control tokens

# JSON writes these otherwise than as they are, so replacing them would change the text's length
_KEPT = frozenset('"\\')

# keys whose value is a word of the format, not something a person or model wrote
_FORMAT_KEYS = frozenset({"role", "type"})


class RenderError(UserError):
    """A conversation, template or tokenizer for which the loss mask cannot be shown to be right."""


class Occurrence(NamedTuple):
    """A control token's text at ``text[start:end]``."""

    id: int
    start: int
    end: int

    def moved(self, by: int) -> "Occurrence":
        """The same occurrence in a text that starts elsewhere."""
        return Occurrence(self.id, self.start + by, self.end + by)


class Control(NamedTuple):
    """The control tokens of a tokenizer.

    Attributes:
        ids: by text.
        pattern: finds them, leftmost and longest first.
        parts: their proper beginnings and endings of two characters or more.
    """

    ids: dict[str, int]
    pattern: re.Pattern[str]
    parts: frozenset[str]


class _Encoders(NamedTuple):
    plain: Any  # the tokenizer without post-processing: offsets are not trimmed
    twin: Any  # the same with control tokens under names that no text holds
    names: dict[int, str]
    ids: dict[int | None, int]  # the twin's ids of control tokens -> the tokenizer's


_controls: "WeakKeyDictionary[Any, tuple[int, Control]]" = WeakKeyDictionary()
_encoders: "WeakKeyDictionary[Any, tuple[int, _Encoders]]" = WeakKeyDictionary()


def control(tokenizer: Any) -> Control:
    """The tokenizer's added tokens; those of white space only are ordinary text."""
    added = tokenizer.added_tokens_decoder
    kept = _controls.get(tokenizer)
    if kept is None or kept[0] != len(added):
        ids = {token.content: i for i, token in added.items() if token.content.strip()}
        longest_first = sorted(ids, key=len, reverse=True)
        # "(?!)" matches nothing
        pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        parts = frozenset(
            part for token in ids for n in range(2, len(token)) for part in (token[:n], token[-n:])
        )
        kept = (len(added), Control(ids, pattern, parts))
        _controls[tokenizer] = kept
    return kept[1]


def occurrences(text: str, tokenizer: Any) -> list[Occurrence]:
    """Every control token's text in ``text``, leftmost and longest first."""
    known = control(tokenizer)
    return [
        Occurrence(known.ids[match.group()], *match.span())
        for match in known.pattern.finditer(text)
    ]


def contributed(
    text: str,
    found: Sequence[Occurrence],
    messages: list[dict[str, Any]],
    render: Callable[[list[dict[str, Any]]], str],
    tokenizer: Any,
) -> list[bool]:
    """For each occurrence, whether the messages contributed to it.

    Args:
        text: the stock text.
        found: what :func:`occurrences` found in it.
        messages: what it was rendered from.
        render: the same render for other messages.
        tokenizer: whose control tokens these are.

    Raises:
        RenderError: the template looks into what messages say, so that the second render says
            something else, and a message holds a control token or, at its edge, a part of one.
    """
    words = _words(messages)
    codes = _codes(words)
    table = {ord(new): old for old, new in codes.items()}
    try:
        probe = render(_translated(messages, codes))
    except RenderError:
        probe = ""
    if probe.translate(table) == text:
        return [any(ord(char) in table for char in probe[one.start : one.end]) for one in found]
    if _suspect(words, tokenizer):
        raise RenderError(
            "a message holds a control token and the template alters what messages say, "
            "so the two cannot be told apart",
            "leave this conversation out, or remove the control token from its text",
        )
    return [False] * len(found)


def encode(
    text: str, genuine: Sequence[Occurrence], tokenizer: Any, *, foreign: bool
) -> tuple[list[int], list[tuple[int, int]]]:
    """Encode ``text`` with only the ``genuine`` occurrences as control tokens.

    Args:
        text: nothing is added to it.
        genuine: in order.
        tokenizer: a fast tokenizer.
        foreign: whether the text holds control tokens besides the genuine ones.

    Returns:
        Ids, and for each the characters it covers.

    Raises:
        RenderError: the text holds a name that is reserved here.
    """
    encoders = _encoders_of(tokenizer)
    if not foreign:
        encoding = encoders.plain.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets
    if _MARK in text and any(name in text for name in encoders.names.values()):
        raise RenderError(
            "a message holds private characters (U+10FFF5) that are reserved here",
            "leave this conversation out, or remove the characters from its text",
        )
    parts: list[str] = []
    # where in `text` each character of the twin's text starts and ends
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for one in genuine:
        name = encoders.names[one.id]
        parts += [text[position : one.start], name]
        starts += [*range(position, one.start), *[one.start] * len(name)]
        ends += [*range(position + 1, one.start + 1), *[one.end] * len(name)]
        position = one.end
    parts.append(text[position:])
    starts += range(position, len(text) + 1)
    ends += range(position + 1, len(text) + 1)
    encoding = encoders.twin.encode("".join(parts), add_special_tokens=False)
    offsets = [
        (starts[start], ends[end - 1] if end > start else starts[start])
        for start, end in encoding.offsets
    ]
    return [encoders.ids.get(token_id, token_id) for token_id in encoding.ids], offsets


def _encoders_of(tokenizer: Any) -> _Encoders:
    from tokenizers import Tokenizer

    known = control(tokenizer)
    kept = _encoders.get(tokenizer)
    if kept is None or kept[0] != len(known.ids):
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        # nothing may cut, pad or trim: the ids are those of the bare text
        state.update(post_processor=None, truncation=None, padding=None)
        plain = Tokenizer.from_str(json.dumps(state))
        names = {token_id: f"{_MARK}{token_id}{_MARK}" for token_id in known.ids.values()}
        twin = Tokenizer.from_str(json.dumps(_renamed(state, known.ids, names)))
        ids = {twin.token_to_id(name): token_id for token_id, name in names.items()}
        kept = (len(known.ids), _Encoders(plain, twin, names, ids))
        _encoders[tokenizer] = kept
    return kept[1]


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


def _words(value: Any) -> list[str]:
    """Every string in ``value``, keys of nested objects included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in [key, *_words(inner)]]
    if isinstance(value, list | tuple):
        return [word for inner in value for word in _words(inner)]
    return []


def _suspect(words: list[str], tokenizer: Any) -> bool:
    """Whether some message could contribute to a control token, whole or at its edge."""
    known = control(tokenizer)
    longest = max(map(len, known.ids), default=0)
    return any(
        known.pattern.search(word)
        or any(
            word[-n:] in known.parts or word[:n] in known.parts
            for n in range(2, min(longest, len(word) + 1))
        )
        for word in words
    )


def _codes(words: list[str]) -> dict[str, str]:
    """A private-use character for each visible character in ``words``."""
    characters = sorted({char for char in set("".join(words)) if _replaced(char)})
    return {char: chr(_FIRST_PRIVATE + n) for n, char in enumerate(characters)}


def _replaced(char: str) -> bool:
    # white space and JSON's own characters steer templates and escaping; private use must go
    return char not in _KEPT and not char.isspace() and (char.isprintable() or ord(char) >= 0xE000)


def _translated(messages: list[dict[str, Any]], codes: dict[str, str]) -> list[dict[str, Any]]:
    table = {ord(old): new for old, new in codes.items()}

    def everything(value: Any) -> Any:
        if isinstance(value, str):
            return value.translate(table)
        if isinstance(value, dict):
            return {key.translate(table): everything(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [everything(inner) for inner in value]
        return value

    def format_kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: entry(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [format_kept(inner) for inner in value]
        return everything(value)

    def entry(key: str, value: Any) -> Any:
        if key == "arguments":
            # here the keys too are the model's words
            return everything(value)
        if key in _FORMAT_KEYS and isinstance(value, str) and value.isidentifier():
            return value
        return format_kept(value)

    return [format_kept(message) for message in messages]

"""A rendered text as token ids, cut where the model takes over from the prompt.

What a server feeds a model ends at the header of the turn to come. Where encoding the whole text
at once would join characters over the last such border, the text is encoded in two pieces there,
so that the prompt's ids are always the beginning of the trained ids. Borders before it stand in
history, which the server encodes at once too; where one of those is joined, that is told.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from train.control import Occurrence, RenderError, Vocabulary

Part = tuple[int, int]


class Text(NamedTuple):
    """What is encoded.

    Attributes:
        text: the render.
        genuine: the control tokens in it that the template wrote.
        foreign: whether it holds the text of others.
        parts: ``(start, end)`` of what the model emits, in characters, in order.
        trained: ``(start, end)`` of what is trained of that.
        border: the part at whose start a prompt would end; the last one that is trained.
    """

    text: str
    genuine: list[Occurrence]
    foreign: bool
    parts: list[Part]
    trained: list[Part]
    border: int | None


class Tokens(NamedTuple):
    """An encoded text.

    Attributes:
        ids: token ids.
        trained: half-open token positions of what is trained.
        joined: starts of parts (characters) over which the encoding joins what a server's prompt
            would end with and what the model emits.
    """

    ids: list[int]
    trained: list[Part]
    joined: list[int]


class _Token(NamedTuple):
    id: int
    start: int
    end: int


class Encoder:
    """Encodes renders of one tokenizer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._encoders = vocabulary.encoders
        self._control = vocabulary.control.steering
        size = max([vocabulary.encoders.size, *(one + 1 for one in self._control)])
        self._is_control = np.zeros(size, np.bool_)
        self._is_control[list(self._control)] = True
        self._find = vocabulary.control.find
        self._tails: dict[tuple[int | None, str], list[int]] = {}

    def encode(self, texts: Sequence[Text]) -> list[Tokens | RenderError]:
        """Encode many; those of one call are encoded side by side by the library."""
        return self._placed(texts, self._whole(texts))

    def encode_one(self, text: Text) -> Tokens:
        """Encode a single text.

        Raises:
            RenderError: the tokenizer does not keep its control tokens apart from text.
        """
        (done,) = self.encode([text])
        if isinstance(done, RenderError):
            raise done
        return done

    def encode_each(
        self, batches: Iterable[Sequence[Text]]
    ) -> Iterator[list[Tokens | RenderError]]:
        """Encode batch after batch, each while the next one is still being made."""
        with ThreadPoolExecutor(1) as beside:
            waiting: tuple[Sequence[Text], Future[list[Any]]] | None = None
            for texts in batches:
                job = beside.submit(self._whole, texts)
                if waiting is not None:
                    yield self._placed(waiting[0], waiting[1].result())
                waiting = (texts, job)
            if waiting is not None:
                yield self._placed(waiting[0], waiting[1].result())

    def _whole(self, texts: Sequence[Text]) -> list[Any]:
        """Encodings of the texts without foreign control tokens, by the tokenizer alone."""
        whole = [one.text for one in texts if not one.foreign]
        encodings: list[Any] = self._encoders.plain.encode_batch_fast(
            whole, add_special_tokens=False
        )
        return encodings

    def _placed(self, texts: Sequence[Text], encodings: list[Any]) -> list[Tokens | RenderError]:
        given = iter(encodings)
        placed: list[Tokens | RenderError] = []
        for one in texts:
            tokens = None if one.foreign else self._by_control(one, next(given).ids)
            placed.append(tokens or self._in_pieces_or_refused(one))
        return placed

    def _by_control(self, one: Text, ids: list[int]) -> Tokens | None:
        """Positions by the control tokens around each border; None where that does not do."""
        known = self._control
        at = np.flatnonzero(self._is_control[np.fromiter(ids, np.int64, len(ids))]).tolist()
        genuine = [occurrence for occurrence in one.genuine if occurrence.id in known]
        if len(at) != len(genuine):
            return None
        for n, occurrence in zip(at, genuine, strict=True):
            if ids[n] != occurrence.id:
                return None
        before: dict[int, tuple[int, int | None]] = {
            0: (0, None)
        }  # end of a control token -> position after it, its id
        for n, occurrence in zip(at, genuine, strict=True):
            before[occurrence.end] = (n + 1, occurrence.id)
        found: dict[int, int] = {}
        k = 0
        for border in sorted({border for part in (*one.parts, *one.trained) for border in part}):
            while k < len(genuine) and genuine[k].end <= border:
                k += 1
            end = genuine[k - 1].end if k else 0
            n, control = before[end]
            if end < border:
                tail = self._tail(control, one.text[end:border])
                if tail is None or ids[n : n + len(tail)] != tail:
                    return None
                n += len(tail)
            found[border] = n
        return Tokens(ids, [(found[start], found[end]) for start, end in one.trained], [])

    def _tail(self, control: int | None, text: str) -> list[int] | None:
        """The ids of what a server's prompt ends with, after its last control token."""
        key = (control, text)
        kept = self._tails.get(key)
        if kept is None:
            if control is None:
                kept = self._encoders.plain.encode(text, add_special_tokens=False).ids
            else:
                name = self._text_of(control)
                ids = self._encoders.plain.encode(name + text, add_special_tokens=False).ids
                if control not in ids:
                    return None
                kept = ids[ids.index(control) + 1 :]
            if len(self._tails) < 4096:
                self._tails[key] = kept
        return kept

    def _text_of(self, control: int) -> str:
        return str(self._encoders.plain.id_to_token(control))

    def _in_pieces_or_refused(self, one: Text) -> Tokens | RenderError:
        try:
            return self._in_pieces(one)
        except RenderError as error:
            return error

    def _in_pieces(self, one: Text) -> Tokens:
        """By the characters of each token; in two pieces where the border asks for it."""
        tokens = self._cut(one, [])
        if one.border and not self._ends(tokens, one, one.border):
            pieces = self._cut(one, [one.border])
            if self._decoded(pieces) == self._decoded(tokens):
                tokens = pieces
        joined = [start for start, _ in one.parts if not self._ends(tokens, one, start)]
        trained = [_positions(tokens, part, one.text) for part in one.trained]
        return Tokens([token for token, _, _ in tokens], trained, joined)

    def _ends(self, tokens: list[_Token], one: Text, border: int) -> bool:
        """Whether the tokens before ``border`` are those of a prompt that ends there."""
        control = max((g.end for g in one.genuine if g.end <= border), default=0)
        if control == border:
            return True
        start = max((g.start for g in one.genuine if g.end <= border), default=0)
        prompt = self._piece(one, start, border)
        first = sum(1 for token in tokens if token.end <= start)
        ids = [token.id for token in tokens[first : first + len(prompt)]]
        return ids == [token.id for token in prompt]

    def _decoded(self, tokens: list[_Token]) -> str:
        ids = [token.id for token in tokens]
        return str(self._encoders.plain.decode(ids, skip_special_tokens=False))

    def _cut(self, one: Text, borders: list[int]) -> list[_Token]:
        # what follows the first control token after a border is encoded as if there was none
        after = [next((g.start for g in one.genuine if g.start >= at), None) for at in borders]
        edges = [0, *sorted({*borders, *(at for at in after if at is not None)}), len(one.text)]
        return [token for low, high in pairwise(edges) for token in self._piece(one, low, high)]

    def _piece(self, one: Text, low: int, high: int) -> list[_Token]:
        genuine = [
            g for g in one.genuine if low <= g.start and g.end <= high and g.id in self._control
        ]
        moved = [Occurrence(g.id, g.start - low, g.end - low) for g in genuine]
        # a control token keeps what follows it apart from what lies before
        continued = low > 0 and not (genuine and genuine[0].start == low)
        ids, offsets = self._encoders.encode(
            one.text[low:high], moved, foreign=one.foreign, continued=continued
        )
        self._check(ids, genuine)
        places = iter(genuine)
        tokens: list[_Token] = []
        for token, (start, end) in zip(ids, offsets, strict=True):
            if token in self._control:
                # one may swallow the white space around it; it stands for itself
                tokens.append(_Token(*next(places)))
            else:
                tokens.append(_Token(token, start + low, end + low))
        return tokens

    def _check(self, ids: list[int], genuine: list[Occurrence]) -> None:
        if [token for token in ids if token in self._control] != [one.id for one in genuine]:
            raise RenderError(
                "the tokenizer does not keep the template's control tokens apart from text",
                "use the tokenizer that belongs to this chat template",
            )


def _positions(tokens: list[_Token], part: Part, text: str) -> Part:
    """The tokens of ``text[start:end]``; one that also stands for other text is left out."""
    start, end = part
    if start == end:
        n = sum(1 for _, _, last in tokens if last <= start)
        return n, n
    first = len(tokens)
    for n, (_, low, high) in enumerate(tokens):
        # a word may take the white space before it along: some vocabularies know it only so
        shared = low < start and not text[low:start].strip() and text[start:high].strip()
        if high > start and (low >= start or shared):
            first = n
            break
    last = first
    for n in range(first, len(tokens)):
        _, low, high = tokens[n]
        if low >= end and high > low:
            break
        if high <= end:
            last = n + 1
    return first, last

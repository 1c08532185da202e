"""What each character of a conversation's text is: emitted by the model, or not, or not known."""

from typing import Any, NamedTuple

from mask_reference import (
    Control,
    Message,
    Prompt,
    Stretch,
    controls,
    genuine,
    prompts,
    stretches,
    usual_header,
)

EMITTED, OTHER, HEADER, TAIL = "+", "-", "h", "t"
FREE = "?"
"""The stock renders cannot say."""
SECOND = "s"
"""A further stop token behind the first; whether it is emitted is the generation loop's choice."""


class Turn(NamedTuple):
    """Where an assistant message stands; characters of the text.

    Attributes:
        message: its index.
        start: where its emission begins; None: not known.
        first: its first shown word; None: none shown.
        last: the end of its last shown word.
        stop: the token that ends it; None: there is none, or none that is sure.
        header_end: where the prompt has no known end, the end of what of it is shown.
        sure: whether it can be said that there is no stop.
        broken: a stop token stands within its words.
    """

    message: int
    start: int | None
    first: int | None
    last: int
    stop: Control | None
    header_end: int
    sure: bool
    broken: Control | None


class Page:
    def __init__(
        self,
        text: str,
        messages: list[Message],
        tools: Any,
        tokenizer: Any,
        stops: tuple[str, ...],
        closers: tuple[str, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.text, self.messages, self.stops = text, messages, set(stops)
        self.tokens = [one.content for one in tokenizer.added_tokens_decoder.values()]
        self.special = {
            one.content for one in tokenizer.added_tokens_decoder.values() if one.special
        }
        self.stretches = stretches(text, messages, tools, tokenizer.chat_template)
        self.genuine = genuine(tokenizer, text, messages, tools, self.tokens, **kwargs)
        self.closing = self.stops | set(closers)
        self.usual = usual_header(tokenizer, **kwargs)
        self.turns: list[Turn] = []
        for i, message in enumerate(messages):
            if message["role"] == "assistant":
                self.turns.append(self._turn(i, prompts(tokenizer, messages, tools, i, **kwargs)))

    def _own(self, i: int) -> list[Stretch]:
        return [one for one in self.stretches if one.message == i]

    def _controls(self) -> list[Control]:
        found = controls(self.text, self.tokens) if self.genuine is None else self.genuine
        if self.genuine is not None:
            return found
        # the template looks into the messages: what stands within their words may be theirs
        inside = [(one.start, one.end) for one in self.stretches]
        return [c for c in found if not any(a <= c.start and c.end <= b for a, b in inside)]

    def _turn(self, i: int, around: Prompt) -> Turn:
        own = self._own(i)
        first, last = (self._first(own[0]), max(one.end for one in own)) if own else (None, 0)
        prompt = around.prompt
        fits = prompt is not None and self.text.startswith(prompt) and self._same_tokens(around)
        start = len(prompt) if prompt is not None and fits else None
        if start is not None and first is not None and first < start:
            if own[0].word < start:
                start = None
            else:
                first = start  # the prompt opens with what the message's own text opens with
        if first is None and not self._shown_whole(around, start):
            return Turn(i, None, None, 0, None, 0, False, None)
        begin = last if first is not None else (start or 0)
        stop, sure = self._stop(i, begin, around)
        broken = next(
            (
                c
                for c in self._controls()
                if c.token in self.stops and first is not None and first <= c.start < last
            ),
            None,
        )
        floor = max((t.stop.end for t in self.turns if t.stop), default=0)
        header_end = floor
        if first is not None:
            before = [s.end for s in self.stretches if s.message != i and s.end <= first]
            floor = max([floor, *before])
            header_end = self._header_end(floor, first, around.header or self.usual)
        if start is not None and not around.header and self.usual:
            # no generation prompt after this message: whether the model would write the header
            # itself is not for the judge to say
            start, header_end = (start, start) if first is None else (None, start)
        return Turn(i, start, first, last, stop, header_end, sure, broken)

    def _first(self, one: Stretch) -> int:
        """Where a message's words surely begin: a tag before them may be the template's."""
        before = self.text[one.start : one.word]
        return one.word if controls(before, self.tokens) else one.start

    def _same_tokens(self, around: Prompt) -> bool:
        """Whether the header's control tokens are control tokens in the whole text too.

        Where a message's own words take their place (``<think>`` in the content), the served
        prompt and the row agree in text and differ in ids.
        """
        if around.prompt is None:
            return True
        begin = len(around.prompt) - len(around.header)
        have = {one.start for one in self._controls()}
        return all(begin + one.start in have for one in controls(around.header, self.tokens))

    def _shown_whole(self, around: Prompt, start: int | None) -> bool:
        """Whether a message without words of its own is shown where the prompt ends."""
        through = (around.through or "").rstrip()
        return (
            start is not None
            and self.text.startswith(through)
            and any(c.token in self.closing and start <= c.start < len(through)
                    for c in self._controls())
        )  # fmt: skip

    def _stop(self, i: int, begin: int, around: Prompt) -> tuple[Control | None, bool]:
        limit = min(
            (s.start for s in self.stretches if s.message != i and s.start >= begin),
            default=len(self.text),
        )
        follower = self.messages[i + 1] if i + 1 < len(self.messages) else None
        sure = True
        if follower is not None and not self._own(i + 1):
            # the next message shows no word of its own: the stop could be that message's
            through = (around.through or "").rstrip()
            sure = bool(through) and self.text.startswith(through)
            limit = min(limit, len(through)) if sure else begin
        found = (c for c in self._controls() if c.token in self.closing and c.start >= begin)
        stop = next((c for c in found if c.start < limit), None)
        return stop, sure

    def _header_end(self, floor: int, first: int, header: str) -> int:
        """Where the part of the header that is shown before ``first`` ends, or ``floor``."""
        zone = self.text[floor:first]
        whole = header.strip()
        have = {one.start for one in self._controls()}
        marks = controls(whole, self.tokens)
        for length in (len(whole), *(mark.end for mark in reversed(marks))):
            at = zone.rfind(whole[:length]) if length else -1
            tokens = [floor + at + mark.start for mark in marks if mark.end <= length]
            if at >= 0 and have.issuperset(tokens):
                return floor + at + length
        return floor

    def letters(self) -> list[str]:
        """A letter for each character of the text."""
        out = [OTHER] * len(self.text)
        floor = 0
        for n, turn in enumerate(self.turns):
            if turn.first is None and turn.start is None:
                self._paint_unknown(out, turn.message, floor)
                continue
            floor = self._paint(out, turn, n)
        for one in self.stretches:
            if self.messages[one.message]["role"] != "assistant":
                out[one.start : one.end] = OTHER * (one.end - one.start)
        return out

    def _paint_unknown(self, out: list[str], i: int, floor: int) -> None:
        """A message without words stands somewhere behind the one before it."""
        spoken = [j for j in range(i - 1, -1, -1) if self._own(j)]
        # a template may show the system's message anywhere, so another's place tells more
        spoken.sort(key=lambda j: self.messages[j]["role"] == "system")
        start = max([floor, *(s.end for s in self._own(spoken[0]))] if spoken else [floor])
        after = (s.start for s in self.stretches if s.start >= start and s.message > i)
        end = min(after, default=len(out))
        out[start:end] = FREE * (end - start)

    def _paint(self, out: list[str], turn: Turn, n: int) -> int:
        begin = turn.start
        if begin is None:
            assert turn.first is not None
            begin = turn.first
            zone = range(min(turn.header_end, begin), begin)
            for at in zone:
                out[at] = FREE
        elif turn.first is not None and turn.header_end <= begin:
            for at in range(turn.header_end - 1, begin):
                out[at] = HEADER
        end = turn.stop.end if turn.stop else max(turn.last, begin)
        if turn.broken:
            out[begin : turn.broken.end] = EMITTED * (turn.broken.end - begin)
            out[turn.broken.end : end] = FREE * (end - turn.broken.end)
            return end
        out[begin:end] = EMITTED * (end - begin)
        if turn.stop is None:
            after = [s.start for s in self.stretches if s.start >= end]
            limit = min(after, default=len(out))
            out[end:limit] = FREE * (limit - end)
        else:
            self._paint_tail(out, end)
        return end

    def _paint_tail(self, out: list[str], end: int) -> None:
        after = min((s.start for s in self.stretches if s.start >= end), default=len(out))
        out[end:after] = TAIL * (after - end)
        for one in self._controls():
            # stop tokens in a row, with nothing or white space between
            near = one.start >= end and not self.text[end : one.start].strip()
            if near and one.token in self.stops and one.end <= after:
                out[end : one.end] = SECOND * (one.end - end)
                end = one.end

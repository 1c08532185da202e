"""The independent judge of a loss mask: stock renders, words and bytes, nothing of the renderer.

Right is: trained is exactly what the model itself emits after the generation prompt, through the
token that stops it. Each character of the text gets one of four letters; where the stock renders
cannot say, the letter is FREE and the judge says nothing.
"""

from typing import Any, NamedTuple

from mask_alignment import Alignment, Misaligned, align
from mask_reference import (
    Control,
    Message,
    Prompt,
    Stretch,
    controls,
    genuine,
    prompts,
    stock,
    stretches,
    usual_header,
)
from mask_source import found_stops

FREE, EMITTED, OTHER, HEADER, TAIL = "?", "+", "-", "h", "t"


class Fault(NamedTuple):
    """What is wrong with a mask.

    Attributes:
        kind: ``text`` (the ids spell another text), ``control`` (a control id that the template
            did not write, or one missing), ``missed``, ``leak``, ``header``, ``stop``, ``tail``
            (text after the stop token), ``scaffold``, ``runs``.
        hard: False: white space, or template text where the prompt is no prefix.
        message: index of the message, where known.
        place: position of the token and why.
    """

    kind: str
    hard: bool
    message: int | None
    place: str


def check(
    messages: list[Message],
    tools: Any,
    tokenizer: Any,
    ids: list[int],
    mask: list[int],
    *,
    stops: tuple[str, ...] = (),
    closers: tuple[str, ...] = (),
    **template_kwargs: Any,
) -> list[Fault]:
    """Every fault of a mask that trains all assistant messages.

    Args:
        messages: the conversation.
        tools: tool definitions.
        tokenizer: its tokenizer.
        ids: T token ids.
        mask: T ones and zeros.
        stops: tokens at which a generation loop ends; empty: the end-of-sequence token and what
            known families stop at.
        closers: tokens that close a turn in history only.
        **template_kwargs: for the template.
    """
    text = stock(tokenizer, messages, tools, **template_kwargs)
    if len(ids) != len(mask) or set(mask) - {0, 1}:
        return [Fault("text", True, None, "the mask is not one bit a token")]
    try:
        spelled = align(list(ids), tokenizer, text)
    except Misaligned as error:
        return [Fault("text", True, None, str(error))]
    ends = stops or (tokenizer.eos_token, *found_stops(tokenizer.chat_template))
    page = _Page(text, messages, tools, tokenizer, ends, closers, template_kwargs)
    letters = page.letters()
    return [
        *_control_faults(page, spelled),
        *_token_faults(page, spelled, letters, list(mask)),
        *page.faults(spelled, list(mask)),
    ]


class _Turn(NamedTuple):
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


class _Page:
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
        self.turns: list[_Turn] = []
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

    def _turn(self, i: int, around: Prompt) -> _Turn:
        own = self._own(i)
        first, last = (own[0].start, max(one.end for one in own)) if own else (None, 0)
        prompt = around.prompt
        fits = prompt is not None and self.text.startswith(prompt)
        start = len(prompt) if prompt is not None and fits else None
        if start is not None and first is not None and first < start:
            start = None
        if first is None and not self._shown_whole(around, start):
            return _Turn(i, None, None, 0, None, 0, False, None)
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
        return _Turn(i, start, first, last, stop, header_end, sure, broken)

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
        if whole and (at := zone.rfind(whole)) >= 0:
            return floor + at + len(whole)
        for mark in reversed(controls(whole, self.tokens)):
            if (at := zone.rfind(whole[: mark.end])) >= 0:
                return floor + at + mark.end
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
        before = [s.end for s in self.stretches if s.message < i]
        after = [s.start for s in self.stretches if s.message > i]
        start, end = max([floor, *before]), min(after, default=len(out))
        out[start:end] = FREE * max(0, end - start)

    def _paint(self, out: list[str], turn: _Turn, n: int) -> int:
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
            after = [s.start for s in self.stretches if s.start >= end]
            for at in range(end, min(after, default=len(out))):
                out[at] = TAIL
        return end

    def faults(self, spelled: Alignment, mask: list[int]) -> list[Fault]:
        """What no single token shows."""
        found = [self._unstopped(n, spelled, mask) for n in range(len(self.turns))]
        runs = sum(1 for a, b in zip([0, *mask], mask, strict=False) if b and not a)
        if runs > len(self.turns) and not any(turn.broken for turn in self.turns):
            found.append(Fault("runs", True, None, f"{runs} runs, {len(self.turns)} turns"))
        return [one for one in found if one is not None]

    def _unstopped(self, n: int, spelled: Alignment, mask: list[int]) -> Fault | None:
        """A turn that is trained and has no stop token to be trained."""
        turn = self.turns[n]
        if turn.stop is not None or not turn.sure or turn.first is None:
            return None
        following = self.messages[turn.message + 1 : turn.message + 2]
        if following and following[0]["role"] == "assistant":
            return None  # two messages in one turn: the second's stop ends both
        lo, hi = spelled.at[turn.first], spelled.at[turn.last]
        trained = any(
            bit and lo <= a and b <= hi for bit, (a, b) in zip(mask, spelled.spans, strict=True)
        )
        return (
            Fault("stop", True, turn.message, "trained, and no stop token follows")
            if trained
            else None
        )


def _control_faults(page: _Page, spelled: Alignment) -> list[Fault]:
    if page.genuine is None:
        return []
    wanted = {spelled.at[one.start] for one in page.genuine}
    have = {span[0] for span, added in zip(spelled.spans, spelled.added, strict=True) if added}
    allowed = set()
    for one in controls(page.text, page.tokens):
        owner = next((s for s in page.stretches if s.start <= one.start and one.end <= s.end), None)
        mine = owner is not None and page.messages[owner.message]["role"] == "assistant"
        if mine and one.token not in page.special:
            # a tag such as <think> in the assistant's own words: it may well have emitted the id
            allowed.add(spelled.at[one.start])
    extra, lost = len(have - wanted - allowed), len(wanted - have)
    found = []
    if extra:
        found.append(Fault("control", True, None, f"{extra} control ids came from messages"))
    if lost:
        found.append(Fault("control", True, None, f"{lost} control tokens became text"))
    return found


def _token_faults(
    page: _Page, spelled: Alignment, letters: list[str], mask: list[int]
) -> list[Fault]:
    text, at = page.text, spelled.at
    owner = [-1] * len(text)
    for one in page.stretches:
        owner[one.start : one.end] = [one.message] * (one.end - one.start)
    found: list[Fault] = []
    char = 0
    for n, ((a, b), bit) in enumerate(zip(spelled.spans, mask, strict=True)):
        while at[char + 1 :] and at[char + 1] <= a:
            char += 1
        inside = []
        one = char
        while one < len(text) and at[one] < b:
            inside.append(one)
            one += 1
        visible = [c for c in inside if not text[c].isspace()]
        fault = _token_fault(n, bit, visible or inside, bool(visible), letters, owner, page)
        if fault is not None:
            found.append(fault)
    return found


def _token_fault(
    n: int,
    bit: int,
    chars: list[int],
    visible: bool,
    letters: list[str],
    owner: list[int],
    page: _Page,
) -> Fault | None:
    have = {letters[c] for c in chars}
    who = next((owner[c] for c in chars if owner[c] >= 0), None)
    place = f"token {n} at character {chars[0] if chars else '-'}"
    if bit and who is not None and page.messages[who]["role"] != "assistant":
        return Fault("leak", True, who, place)
    if bit and have and have <= {OTHER, HEADER, TAIL}:
        kind = "tail" if TAIL in have else "header"
        return Fault(kind, visible, who, place)
    if not bit and have == {EMITTED} and n > 0:
        stop = any(t.stop and t.stop.start in chars for t in page.turns)
        kind = "stop" if stop else "scaffold" if who is None else "missed"
        return Fault(kind, visible, who, place)
    return None

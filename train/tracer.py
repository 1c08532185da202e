"""What one render tells: who was being written where, and how far the template had looked.

The statements of :mod:`train.instrument` call the tracer; the messages it hands the template know
their place and tell when they are looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

from train.provenance import spans_of, traced
from train.provenance_spans import Span

# keys under which chat templates look for what a model thought
REASONING = ("reasoning_content", "thinking", "reasoning")


class Segment(NamedTuple):
    """``text[start:end]`` was written while ``message`` was; ``None``: while no message was."""

    start: int
    end: int
    message: int | None


class Trace(NamedTuple):
    """A render and what made it.

    Attributes:
        text: equal to the tokenizer's own render.
        spans: what messages and tools contributed, in order; zero-length ones stand for empty text.
        segments: without gaps, in order.
        unforeseen: messages before whose segment the template looked at nothing that comes later.
        body_end: where the text that follows the last loop starts.
    """

    text: str
    spans: list[Span]
    segments: list[Segment]
    unforeseen: set[int]
    body_end: int


class _Turn(dict[str, Any]):
    """A message that knows its place."""

    __slots__ = ("_place",)
    _place: int


def _turn(plain: Mapping[str, Any], i: int) -> _Turn:
    turn = _Turn()
    turn._place = i
    for key, value in plain.items():
        if key == "role":
            turn[key] = value
        elif isinstance(value, str | list | dict | tuple):
            turn[key] = traced(value, i, "reasoning" if key in REASONING else key)
        else:
            turn[key] = value
    return turn


class _Frame:
    """What a running loop puts back when it ends."""

    __slots__ = ("current", "locked", "seen")

    def __init__(self, current: int | None, locked: bool, seen: float) -> None:
        self.current = current
        self.locked = locked
        self.seen = seen  # how far the template had looked when the last round was over


class Tracer:
    """Takes the output of one render and the events of its loops."""

    def __init__(self) -> None:
        self.seen: float = -1  # the furthest message looked at; infinity once the end was
        self._current: int | None = None
        self._locked = False
        self._frames: list[_Frame] = []
        self._chunks: list[str] = []
        self._spans: list[Span] = []
        self._segments: list[Segment] = []
        self._unforeseen: set[int] = set()
        self._foresaw = False
        self._position = 0
        self._body_end = 0

    def watched(self, messages: Sequence[Mapping[str, Any]]) -> "_Watched":
        """The messages as the template is to have them."""
        return _Watched([_turn(one, i) for i, one in enumerate(messages)], self, 0)

    def write(self, chunk: str) -> None:
        """Take the next piece of output."""
        start = self._position
        if spans := spans_of(chunk):
            if start:
                self._spans += [Span(s + start, e + start, m, f) for s, e, m, f in spans]
            else:
                self._spans += spans
        self._position = start + len(chunk)
        self._chunks.append(chunk)
        last = self._segments[-1] if self._segments else None
        if last and last.message == self._current:
            self._segments[-1] = Segment(last.start, self._position, last.message)
        elif chunk:
            self._segments.append(Segment(start, self._position, self._current))

    def push(self) -> str:
        """A loop starts."""
        self._frames.append(_Frame(self._current, self._locked, self.seen))
        self._locked = True
        return ""

    def pop(self) -> str:
        """The loop ends."""
        frame = self._frames.pop()
        self._current, self._locked = frame.current, frame.locked
        if not self._frames:
            self._body_end = self._position
        return ""

    def enter(self, value: Any) -> str:
        """A round of the loop starts, with this item."""
        frame = self._frames[-1]
        if type(value) is not _Turn:
            self._current, self._locked = frame.current, False
            return ""
        self._current, self._locked = value._place, True
        if frame.seen >= value._place:
            self._foresaw = True
        if self._foresaw:
            self._unforeseen.discard(value._place)
        else:
            self._unforeseen.add(value._place)
        # unless this round is seen to its end, the next one cannot tell what was looked at
        frame.seen = float("inf")
        return ""

    def leave(self) -> str:
        """The round ends."""
        self._frames[-1].seen = self.seen
        return ""

    def assigned(self, value: Any) -> str:
        """Inside a round something was assigned."""
        if not self._locked and type(value) is _Turn:
            self._current, self._locked = value._place, True
        return ""

    def done(self) -> Trace:
        """What was told."""
        text = str.join("", self._chunks)
        return Trace(text, self._spans, self._segments, self._unforeseen, self._body_end)


EVENTS: dict[str, Callable[..., str]] = {
    "tm_push": Tracer.push,
    "tm_pop": Tracer.pop,
    "tm_enter": Tracer.enter,
    "tm_leave": Tracer.leave,
    "tm_assigned": Tracer.assigned,
}
"""What the statements put into a template call, on the tracer of the render."""


class _Watched(list[Any]):
    """The messages, or what follows one of them; tells the tracer how far they were looked at."""

    __slots__ = ("_first", "_tracer")

    def __init__(self, turns: list[Any], tracer: Tracer, first: int) -> None:
        super().__init__(turns)
        self._tracer = tracer
        self._first = first

    def _saw(self, i: float) -> None:
        self._tracer.seen = max(self._tracer.seen, self._first + i)

    def __bool__(self) -> bool:
        self._saw(0)
        return super().__len__() > 0

    def __len__(self) -> int:
        self._saw(float("inf"))
        return super().__len__()

    def __iter__(self) -> Iterator[Any]:
        for i in range(super().__len__()):
            self._saw(i)
            yield super().__getitem__(i)
        self._saw(float("inf"))

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        if isinstance(at, slice):
            start = at.start or 0
            if at.stop is None and at.step in (None, 1) and start >= 0:
                self._saw(start - 1)
                return _Watched(super().__getitem__(at), self._tracer, self._first + start)
            self._saw(float("inf"))
            return super().__getitem__(at)
        i = int(at)
        self._saw(i if i >= 0 else float("inf"))
        return super().__getitem__(at)

    def __reversed__(self) -> Iterator[Any]:
        self._saw(float("inf"))
        return super().__reversed__()

    def __contains__(self, value: object) -> bool:
        self._saw(float("inf"))
        return super().__contains__(value)

    def __add__(self, other: Any) -> Any:
        self._saw(float("inf"))
        return super().__add__(other)

    def __eq__(self, other: object) -> bool:
        self._saw(float("inf"))
        return super().__eq__(other)

    __hash__ = None

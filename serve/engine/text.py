"""From token ids to text, piece by piece: whole characters only, stop strings cut out.

The text of a stream joined together equals the text of an answer given at once, because both
come through here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_UNFINISHED = "\ufffd"
# a character has at most 4 bytes; a longer tail of U+FFFD is junk that will never become text
_MAX_UNFINISHED = 16


class Detokenizer:
    """Incremental decoding of one answer.

    Some tokens are parts of a character and some decoders treat the first token of a text
    differently, so a token cannot be decoded alone. Each step decodes a short window that
    begins with a token already sent and sends what is new and certain: not a trailing run of
    U+FFFD, which the next token may turn into a character.

    Args:
        decode: text of a list of ids, U+FFFD for incomplete bytes.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._sent = 0

    def push(self, token_id: int) -> str:
        """The text that became certain with this token, maybe empty."""
        self._window.append(token_id)
        text = self._decode(self._window)
        if len(text) < self._sent:
            # junk bytes merged into fewer characters than were sent: begin anew after them
            self._restart()
            return ""
        settled = text.rstrip(_UNFINISHED)
        if settled == text or len(self._window) > _MAX_UNFINISHED:
            new = text[self._sent :]
            self._restart()
            return new
        new = settled[self._sent :]
        self._sent = max(self._sent, len(settled))
        return new

    def flush(self) -> str:
        """The rest at the end of the answer, where half a character shows as U+FFFD."""
        new = self._decode(self._window)[self._sent :]
        self._restart()
        return new

    def _restart(self) -> None:
        self._window = self._window[-1:]
        self._sent = len(self._decode(self._window))


class StopStrings:
    """Cuts the text at the first stop string, also when it comes in pieces.

    Args:
        stops: non-empty strings.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The part of the text so far that cannot belong to a stop string; sets :attr:`hit`."""
        if self.hit:
            return ""
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.hit = True
            out, self._held = self._held[: min(places)], ""
            return out
        keep = max((self._overlap(stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        out, self._held = self._held[:cut], self._held[cut:]
        return out

    def flush(self) -> str:
        """What was held back, at the end of an answer that met no stop string."""
        out, self._held = self._held, ""
        return out

    def _overlap(self, stop: str) -> int:
        """Length of the longest end of the held text that begins ``stop``."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)


@dataclass(frozen=True)
class TextPiece:
    """New text and the indices of the tokens that are fully out with it.

    Attributes:
        text: new text, maybe empty.
        tokens: indices (0 = first token of the answer), each released once, in order. Tokens
            that lie wholly in or after a stop string are never released.
        stopped: a stop string was met; the answer ends here.
    """

    text: str
    tokens: range
    stopped: bool = False


class TextStream:
    """Detokenizer and stop strings together, with account of which tokens are out.

    Args:
        decode: see :class:`Detokenizer`.
        stops: see :class:`StopStrings`.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._detokenizer = Detokenizer(decode)
        self._stop_strings = StopStrings(stops)
        self._ends: list[int] = []  # characters decoded up to and with token i
        self._out = 0
        self._released = 0

    def push(self, token_id: int) -> TextPiece:
        """Take the next token."""
        new = self._detokenizer.push(token_id)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(new))
        return self._piece(self._stop_strings.push(new))

    def flush(self) -> TextPiece:
        """Everything still held back, at the end of the answer."""
        new = self._detokenizer.flush()
        text = self._stop_strings.push(new)
        if not self._stop_strings.hit:
            text += self._stop_strings.flush()
        if self._ends:
            self._ends[-1] += len(new)
        return self._piece(text)

    def _piece(self, text: str) -> TextPiece:
        self._out += len(text)
        first = self._released
        while self._released < len(self._ends) and self._is_out(self._released):
            self._released += 1
        return TextPiece(text, range(first, self._released), self._stop_strings.hit)

    def _is_out(self, index: int) -> bool:
        if self._stop_strings.hit:
            # the token in which the stop string begins is out with the text before it
            return (self._ends[index - 1] if index else 0) < self._out
        return self._ends[index] <= self._out

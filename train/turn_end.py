"""Where an assistant turn ends: with the token that stops the model."""

from collections.abc import Sequence
from typing import NamedTuple

from train.control import Occurrence, RenderError
from train.page import Page
from train.provenance_spans import Span


class _Run(NamedTuple):
    """A stretch of one message's words that no other message interrupts.

    Attributes:
        start: where it starts.
        last: the end of its last word.
        interrupted: where the control token stands that opens what interrupts it.
    """

    start: int
    last: int
    interrupted: int | None


def parts_of(
    page: Page, i: int, start: int, said: list[Span]
) -> tuple[list[tuple[int, int]], int | None]:
    """From ``start`` to the stop token, without what other messages put in between."""
    parts: list[tuple[int, int]] = []
    unwritten = None
    for run in _runs(page, i, start, said):
        if run.interrupted is not None:
            end = _end_interrupted(page, i, run.last, run.interrupted)
        else:
            end, unwritten = _end(page, i, run.last)
        parts.append((run.start, end))
    return parts, unwritten


def _runs(page: Page, i: int, start: int, said: list[Span]) -> list[_Run]:
    last = _last_word(said, start)
    others = [
        one
        for one in page.trace.spans
        if one.message != i and one.end > one.start and start < one.end and one.start < last
    ]
    if not others:
        return [_Run(start, max(last, start), None)]
    runs: list[_Run] = []
    at = start
    for block in others:
        around = page.around(block)
        if around is None or around[0] < start:
            raise RenderError(
                f"the template writes another message into message {i}, without a border",
                "choose a base model whose template keeps messages apart",
            )
        opens, closes = around
        inside = [one.end for one in said if at <= one.start and one.end <= opens]
        if inside and (not runs or max(inside) > at):
            runs.append(_Run(at, max(inside), opens))
        at = max(at, closes)
    inside = [one.end for one in said if at <= one.start < one.end]
    if inside:
        runs.append(_Run(at, max(inside), None))
    return runs


def _last_word(said: Sequence[Span], default: int) -> int:
    """Where the last word ends; without any, where the empty text stands."""
    words = [one.end for one in said if one.end > one.start]
    return max(words or [one.end for one in said], default=default)


def _end_interrupted(page: Page, i: int, last: int, interrupted: int) -> int:
    """Where the model stops for what interrupts it.

    That is with the token that opens the interruption, if it is its stop token, else with the
    marks that close its words.
    """
    stop = _stop_as_last(page, i)[0]
    opening = next((one for one in page.genuine if one.start >= interrupted), None)
    if opening is not None and opening.start == interrupted and opening.id == stop:
        return opening.end
    closers = [one.end for one in page.genuine if last <= one.start < interrupted]
    return max(closers, default=last)


def _end(page: Page, i: int, last: int) -> tuple[int, int | None]:
    """The end of the stop token after the last word of message ``i``, and its id if unwritten."""
    segment = page.segment(i)
    if segment is not None and segment.end >= last:
        closing = _closing(page, i, last, segment.end)
        if closing is not None:
            return closing, None
    if (joined := _joined_by_next(page, i, last)) is not None:
        return joined, None
    stop, closing_text = _stop_as_last(page, i)
    if stop is not None:
        if page.text.startswith(closing_text, last):
            return last + len(closing_text), None
        at = next((one for one in page.genuine if one.start >= last), None)
        # only white space may differ before it
        if at is not None and at.id == stop and not page.text[last : at.start].strip():
            return at.end, None
    elif (opened := _opening_of_next(page, i, last)) is not None:
        return opened
    raise RenderError(
        f"message {i} does not end with a stop token",
        "the template must close an assistant message with a special token",
    )


def _closing(page: Page, i: int, last: int, end: int) -> int | None:
    """The stop token among the control tokens with which the template closes message ``i``."""
    if any(
        one.message != i and one.end > one.start and last <= one.start < end
        for one in page.trace.spans
    ):
        return None
    closers = [one for one in page.genuine if last <= one.start and one.end <= end]
    stop = _certain(page, closers)
    if stop is not None:
        return stop.end
    if not closers or page.usual_stop() is None:
        return None
    # another token than usual: what the template writes when nothing follows says which
    _, closing = _stop_as_last(page, i)
    if closing and page.text.startswith(closing, last):
        return last + len(closing)
    return closers[-1].end


def _certain(page: Page, closers: Sequence[Occurrence]) -> Occurrence | None:
    """The first of the control tokens that certainly stops the model."""
    known = page.eos | {page.usual_stop()}
    return next((one for one in closers if one.id in known), None)


def _stop(page: Page, closers: Sequence[Occurrence]) -> Occurrence | None:
    """Which of the control tokens that close a last message stops the model."""
    certain = _certain(page, closers)
    if certain is not None:
        return certain
    # where plain words go without a stop token, what closes a tool call is none either
    return closers[-1] if closers and page.usual_stop() is not None else None


def _joined_by_next(page: Page, i: int, last: int) -> int | None:
    """Where the next assistant message goes on in the same turn, if it does."""
    after = i + 1
    if after >= len(page.messages) or page.messages[after]["role"] != "assistant":
        return None
    if not page.said[after]:
        return None
    first = page.said[after][0].start
    return first if page.runs_on(last, first) else None


def _stop_as_last(page: Page, i: int) -> tuple[int | None, str]:
    """What closes message ``i`` when nothing follows it.

    Returns:
        The id of the stop token and the text from the last word through it; None where none does.
    """
    shown = page if i + 1 == len(page.messages) else page.through(i)
    end = _last_word(shown.said[i], -1)
    if end < 0:
        try:
            end = len(page.served(i))
        except RenderError:
            return None, ""
    stop = _stop(shown, [one for one in shown.genuine if end <= one.start])
    return (stop.id, shown.text[end : stop.end]) if stop else (None, "")


def _opening_of_next(page: Page, i: int, last: int) -> tuple[int, int | None] | None:
    """Where the template closes no turn: the token that opens the next message stops the model."""
    if i + 1 < len(page.messages):
        if page.messages[i + 1]["role"] == "assistant":
            return None
        segment = page.segment(i)
        end = max(last, segment.end) if segment else last
        at = next((one for one in page.genuine if one.start >= end), None)
        if at is None or at.id not in page.eos or page.text[end : at.start].strip():
            return None
        return at.end, None
    follower = {"role": "user", "content": "a"}
    if page.messages[i].get("tool_calls"):
        follower = {"role": "tool", "content": "a"}
    try:
        longer = page.followed_by(follower)
    except RenderError:
        return None
    end = _last_word(longer.said[i], -1)
    tail = page.text[last:]
    if end < 0 or not longer.text.startswith(tail, end):
        return None
    at = next((one for one in longer.genuine if one.start >= end + len(tail)), None)
    if at is None or at.id not in page.eos or longer.text[end + len(tail) : at.start].strip():
        return None
    return len(page.text), at.id

"""Where in a rendered conversation each assistant turn starts and ends.

A turn starts where the generation prompt (the header) ends and ends with the token that stops the
model. Both are found from what made the text (:mod:`train.page`); the text of the messages before,
as the server would show it, decides wherever that leaves a choice. What cannot be shown is refused.
"""

from typing import NamedTuple

from train.control import RenderError
from train.page import Page
from train.turn_end import parts_of
from train.turn_start import start_of


class Turn(NamedTuple):
    """What the model emits for one assistant message.

    Attributes:
        message: its index.
        parts: ``(start, end)`` in characters, in order; more than one where the template writes
            tool results into the middle of it.
        served: whether the text before it is what the server would show; None: not looked at yet.
        unwritten: id of the token that stops the model where the text ends before it: the one
            with which the template opens the next message.
    """

    message: int
    parts: list[tuple[int, int]]
    served: bool | None
    unwritten: int | None = None


def is_served(page: Page, turn: Turn) -> bool:
    """Whether the text before a turn is what the server would show."""
    if turn.served is not None:
        return turn.served
    try:
        shown = page.served(turn.message)
    except RenderError:
        return False
    return len(shown) == turn.parts[0][0] and page.text.startswith(shown)


def turn_of(page: Page, i: int) -> Turn:
    """The turn of assistant message ``i``.

    Raises:
        RenderError: it cannot be shown where it starts or ends.
    """
    said = page.said_in_place(i)
    start, served = start_of(page, i, said)
    parts, unwritten = parts_of(page, i, start, said)
    return Turn(i, parts, served, unwritten)

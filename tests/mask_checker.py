"""The independent judge of a loss mask: stock renders, words and bytes, nothing of the renderer.

Right is: trained is exactly what the model itself emits after the generation prompt, through the
token that stops it. Each character of the text gets one of four letters; where the stock renders
cannot say, the letter is FREE and the judge says nothing.
"""

from typing import Any, NamedTuple

from mask_alignment import Alignment, Misaligned, align
from mask_judgement import EMITTED, HEADER, OTHER, SECOND, TAIL, Page
from mask_reference import Message, controls, stock
from mask_source import found_stops


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
    page = Page(text, messages, tools, tokenizer, ends, closers, template_kwargs)
    letters = page.letters()
    return [
        *_control_faults(page, spelled),
        *_token_faults(page, spelled, letters, list(mask)),
        *_turn_faults(page, spelled, list(mask)),
    ]


def _turn_faults(page: Page, spelled: Alignment, mask: list[int]) -> list[Fault]:
    """What no single token shows."""
    found = [_unstopped(page, n, spelled, mask) for n in range(len(page.turns))]
    runs = sum(1 for a, b in zip([0, *mask], mask, strict=False) if b and not a)
    if runs > len(page.turns) and not any(turn.broken for turn in page.turns):
        found.append(Fault("runs", True, None, f"{runs} runs, {len(page.turns)} turns"))
    return [one for one in found if one is not None]


def _unstopped(page: Page, n: int, spelled: Alignment, mask: list[int]) -> Fault | None:
    """A turn that is trained and has no stop token to be trained."""
    turn = page.turns[n]
    if turn.stop is not None or not turn.sure or turn.first is None:
        return None
    following = page.messages[turn.message + 1 : turn.message + 2]
    if following and following[0]["role"] == "assistant":
        return None  # two messages in one turn: the second's stop ends both
    lo, hi = spelled.at[turn.first], spelled.at[turn.last]
    trained = any(
        bit and lo <= a and b <= hi for bit, (a, b) in zip(mask, spelled.spans, strict=True)
    )
    return (
        Fault("stop", True, turn.message, "trained, and no stop token follows") if trained else None
    )


def _control_faults(page: Page, spelled: Alignment) -> list[Fault]:
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
    page: Page, spelled: Alignment, letters: list[str], mask: list[int]
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
    page: Page,
) -> Fault | None:
    have = {letters[c] for c in chars}
    who = next((owner[c] for c in chars if owner[c] >= 0), None)
    place = f"token {n} at character {chars[0] if chars else '-'}"
    if bit and who is not None and page.messages[who]["role"] != "assistant":
        return Fault("leak", True, who, place)
    if bit and have and have <= {OTHER, HEADER, TAIL, SECOND}:
        kind = "tail" if have & {TAIL, SECOND} else "header"
        return Fault(kind, visible and have != {SECOND}, who, place)
    if not bit and have == {EMITTED} and n > 0:
        stop = any(t.stop and t.stop.start in chars for t in page.turns)
        kind = "stop" if stop else "scaffold" if who is None else "missed"
        return Fault(kind, visible, who, place)
    return None

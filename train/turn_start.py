"""Where the header of an assistant message ends, that is, where the model takes over."""

from train.control import RenderError
from train.page import Page
from train.provenance_spans import Span


def start_of(page: Page, i: int, said: list[Span]) -> tuple[int, bool | None]:
    """Where the header of message ``i`` ends, and whether the server shows the same before it.

    ``None``: that takes another render to tell.

    Args:
        page: the conversation.
        i: an assistant message.
        said: what it says, in its place.

    Raises:
        RenderError: there is no telling.
    """
    first = said[0].start if said else None
    segment = page.segment(i)
    header = page.template.header(**page.kwargs)
    if page.template.constant_tail and segment and header is not None and i > 0:
        at = segment.start
        start = at + len(header)
        foreseen = None if i not in page.trace.unforeseen else True
        # an empty header is everywhere: it proves nothing where the template looks ahead
        proves = bool(header or foreseen)
        if proves and page.text.startswith(header, at) and (first is None or start <= first):
            return start, foreseen
    try:
        shown = page.served(i)
    except RenderError:
        return _start_alone(page, i, first, header), False
    if page.text.startswith(shown) and _between(page, i, len(shown), first):
        return _after_silent_header(page, i, len(shown), first, header), True
    return _start_rewritten(page, i, first, shown, header), False


def _between(page: Page, i: int, start: int, first: int | None) -> bool:
    """Whether ``start`` lies after all that came before and before what message ``i`` says."""
    segment = page.segment(i)
    if first is not None:
        low = max((s.end for said in page.said[:i] for s in said if s.end <= first), default=0)
        return low <= start <= first
    return segment is not None and segment.start <= start <= segment.end


def _after_silent_header(
    page: Page, i: int, start: int, first: int | None, header: str | None
) -> int:
    """``start``, or where the header ends where the prompt adds none though the text has it."""
    if not header or not page.text.startswith(header, start):
        return start
    end = start + len(header)
    if first is not None and end > first:
        return start
    closed = page.template.text(page.messages[:i], tools=page.tools, **page.kwargs)
    return end if len(closed) == start else start


def _start_alone(page: Page, i: int, first: int | None, header: str | None) -> int:
    """The start where the template refuses the messages before on their own (there are none)."""
    segment = page.segment(i)
    low = segment.start if segment else _last_said_before(page, first)
    if header:
        return _after_header(page, i, low, first, header)
    if first is not None and header is not None:
        start = max((one.end for one in page.genuine if one.end <= first), default=low)
        if not page.text[start:first].strip():
            return max(start, low)
    raise _no_start(i)


def _start_rewritten(page: Page, i: int, first: int | None, shown: str, header: str | None) -> int:
    """The start where the template shows other text before message ``i`` than the server does."""
    before = page.template.text(page.messages[:i], tools=page.tools, **page.kwargs)
    own = shown[len(before) :] if shown.startswith(before) else header
    segment = page.segment(i)
    low = segment.start if segment else _last_said_before(page, first)
    if joined := _joins(page, i, first):
        return joined
    for known in dict.fromkeys(one for one in (own, header) if one):
        try:
            return _after_header(page, i, low, first, known)
        except RenderError:
            continue
    if not own and first is not None and (segment or not page.text[low:first].strip()):
        # the server adds nothing: all of the message is the model's
        return low
    if i and first is not None and page.messages[i - 1]["role"] == "assistant":
        # a second message of the assistant may go without a header of its own
        low = max(
            [_last_said_before(page, first), *(o.end for o in page.genuine if o.end <= first)]
        )
        if not page.text[low:first].strip():
            return first
    raise _no_start(i)


def _after_header(page: Page, i: int, low: int, first: int | None, header: str) -> int:
    """Where ``header``, or the part of it that history shows, ends after ``low``."""
    segment = page.segment(i)
    high = first if first is not None else segment.end if segment else None
    if high is None:
        raise _no_start(i)
    found = _place(page.text, header, low, high)
    if found is None:
        found = _place_of_words(page.text, header, low, high)
    if found is not None:
        return found
    # a prompt that opens more than history shows (a block of thoughts): the part they share
    shared = _shared(header, page, low, high)
    if shared is None:
        raise _no_start(i)
    return shared


def _place(text: str, header: str, low: int, high: int) -> int | None:
    """The end of the only place of ``header`` in ``text[low:high]``."""
    at = text.find(header, low, high)
    if at < 0 or text.find(header, at + 1, high) >= 0:
        return None
    return at + len(header)


def _place_of_words(text: str, header: str, low: int, high: int) -> int | None:
    """The same where the white space around the header differs; what both have after it counts."""
    words = header.strip()
    end = _place(text, words, low, high) if words else None
    if end is None:
        return None
    after = header[len(header.rstrip()) :]
    while after and end < high and text[end] == after[0]:
        end, after = end + 1, after[1:]
    return end


def _shared(header: str, page: Page, low: int, high: int) -> int | None:
    marks = page.finder(header)
    borders = sorted({one.start for one in marks} | {one.end for one in marks}, reverse=True)
    for length in borders:
        # white space alone tells nothing
        if not header[:length].strip():
            continue
        at = page.text.find(header[:length], low, high)
        if at >= 0 and page.text.find(header[:length], at + 1, high) < 0:
            return at + length
    longest = 0
    at = low
    while low + longest < high and page.text[low : low + longest + 1] == header[: longest + 1]:
        longest += 1
    at = low + longest
    return at if longest and at == high else None


def _joins(page: Page, i: int, first: int | None) -> int | None:
    """Where message ``i`` goes on with the assistant message before it, in one turn."""
    if i == 0 or first is None or page.messages[i - 1]["role"] != "assistant":
        return None
    said = page.said[i - 1]
    return first if said and page.runs_on(said[-1].end, first) else None


def _last_said_before(page: Page, first: int | None) -> int:
    if first is None:
        return 0
    ends = (one.end for one in page.trace.spans if one.end <= first and one.start < first)
    return max(ends, default=0)


def _no_start(i: int) -> RenderError:
    return RenderError(
        f"it cannot be shown where the header of message {i} ends",
        "look at the conversation with 'turnmill mask', or choose another base model",
    )

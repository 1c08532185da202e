"""One conversation as text: what each message says in it, and which control tokens are its own."""

from collections.abc import Callable, Sequence
from typing import Any

from train.control import Occurrence, RenderError
from train.provenance_spans import Span
from train.template import ChatTemplate, Messages
from train.tracer import Segment

# fields that a template writes around what an assistant says
_ABOUT = frozenset({"name", "tool_call_id", "id"})


class Page:
    """One conversation rendered, with its control tokens sorted by who wrote them.

    Attributes:
        text: as the tokenizer's own render gives it.
        genuine: control tokens that the template wrote.
        foreign: texts of control tokens that came with messages or tools.
        segments_hold: whether each message's words lie in its own segment. If not, segments are
            not used: the template writes messages at other places than it reads them.
    """

    def __init__(
        self,
        messages: Messages,
        template: ChatTemplate,
        finder: Callable[[str], list[Occurrence]],
        *,
        tools: list[dict[str, Any]] | None,
        eos: frozenset[int],
        kwargs: dict[str, Any],
        generation: bool = False,
    ) -> None:
        self.messages = messages
        self.template = template
        self.finder = finder
        self.tools = tools
        self.eos = eos
        self.kwargs = kwargs
        trace = template.trace(messages, tools=tools, generation=generation, **kwargs)
        if trace.text != template.text(messages, tools=tools, generation=generation, **kwargs):
            raise RenderError(
                "the template's render cannot be followed: it differs from the tokenizer's own",
                "choose another base model, and report this template",
            )
        self.text = trace.text
        self.trace = trace
        self.genuine, self.foreign = sorted_by_origin(finder(trace.text), trace.spans)
        self.said = _said(trace.spans, len(messages))
        self.segments_hold = _hold(self.said, trace.segments)
        self._runs = _by_message(trace.segments) if self.segments_hold else {}
        self._through: dict[int, Page] = {}

    def served(self, i: int) -> str:
        """What the server shows the model before message ``i``."""
        return self.template.text(
            self.messages[:i], tools=self.tools, generation=True, **self.kwargs
        )

    def through(self, i: int) -> "Page":
        """The conversation that ends with message ``i``; rendered once."""
        if i not in self._through:
            self._through[i] = self._with(self.messages[: i + 1])
        return self._through[i]

    def followed_by(self, message: dict[str, Any]) -> "Page":
        """The conversation with one message more."""
        return self._with([*self.messages, message])

    def _with(self, messages: Messages) -> "Page":
        return Page(
            messages,
            self.template,
            self.finder,
            tools=self.tools,
            eos=self.eos,
            kwargs=self.kwargs,
        )

    def usual_stop(self) -> int | None:
        """The control token that the template writes after what the assistant says plainly."""
        return self.template.usual_stop(self.finder, self.eos, self.kwargs)

    def segment(self, i: int) -> Segment | None:
        """Where message ``i`` was written, as far as its own loop round says."""
        runs = self._runs.get(i)
        return Segment(runs[0].start, runs[-1].end, i) if runs else None

    def around(self, span: Span) -> tuple[int, int] | None:
        """Where what another message put into a turn starts and ends, with its wrapping."""
        for runs in self._runs.values():
            for run in runs:
                if run.start <= span.start and span.end <= run.end:
                    return (run.start, run.end) if run.message == span.message else None
        opens = max((one.start for one in self.genuine if one.end <= span.start), default=None)
        closes = min((one.end for one in self.genuine if one.start >= span.end), default=None)
        return None if opens is None or closes is None else (opens, closes)

    def runs_on(self, end: int, start: int) -> bool:
        """Whether only white space, and no control token, parts ``end`` from ``start``."""
        if start < end or any(end <= one.start and one.end <= start for one in self.genuine):
            return False
        return not self.text[end:start].strip()

    def shows(self, i: int) -> bool:
        """Whether the text holds anything of what message ``i`` says, if it says anything."""
        shown = any(span.end > span.start for span in self.said[i])
        return shown or not _has_words(self.messages[i])

    def said_in_place(self, i: int) -> list[Span]:
        """What message ``i`` says where it is being written.

        Raises:
            RenderError: its words stand at several places.
        """
        said = self.said[i]
        runs = self._runs.get(i)
        if not runs or not said:
            return said
        # a name that a later message repeats (the tool that answers) is not said there
        inside = [
            one
            for one in said
            if any(run.start <= one.start and one.end <= run.end for run in runs)
        ]
        outside = [one for one in said if one not in inside and one.end > one.start]
        if any(one.field != "tool_calls" for one in outside):
            raise RenderError(
                f"the template writes message {i} in more than one place",
                "choose a base model whose template writes each message once",
            )
        return inside


def sorted_by_origin(
    found: Sequence[Occurrence], spans: Sequence[Span]
) -> tuple[list[Occurrence], list[Occurrence]]:
    """Control tokens that the template wrote alone, and those that messages had a part in."""
    genuine: list[Occurrence] = []
    foreign: list[Occurrence] = []
    k = 0
    for one in found:
        while k < len(spans) and spans[k].end <= one.start:
            k += 1
        # zero-length spans contribute no character
        touching = k
        while touching < len(spans) and spans[touching].start < one.end:
            if spans[touching].end > spans[touching].start:
                break
            touching += 1
        hit = touching < len(spans) and spans[touching].start < one.end
        (foreign if hit else genuine).append(one)
    return genuine, foreign


def _said(spans: Sequence[Span], messages: int) -> list[list[Span]]:
    said: list[list[Span]] = [[] for _ in range(messages)]
    for span in spans:
        if 0 <= span.message < messages and span.field not in _ABOUT:
            said[span.message].append(span)
    return said


def _has_words(message: Any) -> bool:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return bool((content or "").strip() or message.get("tool_calls"))


def _hold(said: list[list[Span]], segments: Sequence[Segment]) -> bool:
    """Whether every word stands where its own message was being written."""
    k = 0
    own = sorted(one for spans in said for one in spans if one.end > one.start)
    for span in own:
        while k < len(segments) and segments[k].end <= span.start:
            k += 1
        at = k
        while at < len(segments) and segments[at].start < span.end:
            if segments[at].message != span.message and not _elsewhere(span, segments[at]):
                return False
            at += 1
    return True


def _elsewhere(span: Span, segment: Segment) -> bool:
    # tools' names are repeated with their results; a system message is often written before the
    # loop, or into the first user's turn
    return span.field == "tool_calls" or segment.message is None or span.message < segment.message


def _by_message(segments: Sequence[Segment]) -> dict[int, list[Segment]]:
    found: dict[int, list[Segment]] = {}
    for one in segments:
        if one.message is not None:
            found.setdefault(one.message, []).append(one)
    return found

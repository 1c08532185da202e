"""A chat template's render, and what made each character of it.

One instrumented render answers, for the very text that the tokenizer's own render gives: which
message was being written where (segments, by statements put into the template's syntax tree that
print nothing), which characters a message contributed (spans, by strings that remember where they
came from), and whether the template had looked at later messages by then.
"""

import functools
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import jinja2

from train.control import Occurrence, RenderError
from train.instrument import TRACER, instrument, tail_is_constant
from train.provenance import TOOLS, traced
from train.provenance_jinja import prepare, rewrite
from train.sandbox import ChatSandbox
from train.tracer import EVENTS, REASONING, Trace, Tracer

Messages = Sequence[Mapping[str, Any]]


class ChatTemplate:
    """One chat template with the special tokens of one tokenizer.

    Args:
        source: Jinja.
        special_tokens: by the name under which templates know them, as ``bos_token``.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        self.source = source
        self._special = dict(special_tokens)
        self._stock, self._traced, self.constant_tail = _compiled(source)
        self._headers: dict[str, str | None] = {}
        self._stops: dict[tuple[str, frozenset[int]], int | None] = {}

    def text(
        self,
        messages: Messages,
        *,
        tools: list[dict[str, Any]] | None = None,
        generation: bool = False,
        **kwargs: Any,
    ) -> str:
        """The tokenizer's own render.

        Raises:
            RenderError: the template refuses these messages.
        """
        variables = {**self._special, **kwargs, "messages": [_plain(one) for one in messages]}
        with _Refusals(self.source, len(messages)):
            variables |= {"tools": tools, "documents": None, "add_generation_prompt": generation}
            return "".join(self._stock.root_render_func(self._stock.new_context(variables)))

    def trace(
        self,
        messages: Messages,
        *,
        tools: list[dict[str, Any]] | None = None,
        generation: bool = False,
        **kwargs: Any,
    ) -> Trace:
        """The same render with what made each character.

        Raises:
            RenderError: the template refuses these messages.
        """
        tracer = Tracer()
        variables = {
            **self._special,
            **kwargs,
            "messages": tracer.watched([_plain(one) for one in messages]),
            "tools": traced(tools, TOOLS, "tools") if tools else tools,
            "documents": None,
            "add_generation_prompt": generation,
            TRACER: tracer,
        }
        with _Refusals(self.source, len(messages)):
            context = self._traced.new_context(variables)
            for chunk in self._traced.root_render_func(context):
                tracer.write(chunk)
        return tracer.done()

    def usual_stop(
        self, finder: Callable[[str], list[Occurrence]], eos: frozenset[int], kwargs: dict[str, Any]
    ) -> int | None:
        """The control token that closes what the assistant says plainly, nothing after it.

        Args:
            finder: finds control tokens in a text.
            eos: ids that stop the model for certain; the first of them counts, else the last token
                that closes any turn.
            kwargs: passed on to the template.
        """
        key = (_key(kwargs), eos)
        if key not in self._stops:
            try:
                closers = [one.id for one in finder(self._after_answer([], kwargs))]
            except RenderError:
                return None
            # what also closes a turn in the middle; more may follow the last one
            follower = {"role": "user", "content": "c"}
            try:
                middle = [one.id for one in finder(self._after_answer([follower], kwargs))]
            except RenderError:
                middle = []
            pairs = itertools.takewhile(
                lambda pair: pair[0] == pair[1], zip(closers, middle, strict=False)
            )
            shared = [one for one, _ in pairs] or closers
            certain = [one for one in shared if one in eos]
            self._stops[key] = certain[0] if certain else shared[-1] if shared else None
        return self._stops[key]

    def _after_answer(self, followers: list[dict[str, str]], kwargs: dict[str, Any]) -> str:
        """What the template writes after a plain answer, up to the words of who follows."""
        probe = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        trace = self.trace([*probe, *followers], **kwargs)
        end = max((one.end for one in trace.spans if one.message == 1), default=0)
        words = [one.start for one in trace.spans if one.message == 2]
        return trace.text[end : min(words, default=len(trace.text))]

    def header(self, **kwargs: Any) -> str | None:
        """The generation prompt that follows a user message; None where there is no telling.

        The same for every conversation when ``constant_tail`` is true.
        """
        key = _key(kwargs)
        if key not in self._headers:
            probe = [{"role": "user", "content": "a"}]
            try:
                if self.constant_tail:
                    trace = self.trace(probe, generation=True, **kwargs)
                    self._headers[key] = trace.text[trace.body_end :]
                else:
                    closed = self.text(probe, **kwargs)
                    opened = self.text(probe, generation=True, **kwargs)
                    added = opened.startswith(closed)
                    self._headers[key] = opened[len(closed) :] if added else None
            except RenderError:
                self._headers[key] = None
        return self._headers[key]


def _key(kwargs: dict[str, Any]) -> str:
    return json.dumps(kwargs, sort_keys=True, default=repr) if kwargs else ""


def template_of(tokenizer: Any, tools: list[dict[str, Any]] | None = None) -> ChatTemplate:
    """The template by which a tokenizer renders a conversation with or without tools.

    Raises:
        RenderError: it has none, or one that is not valid Jinja.
    """
    template = tokenizer.chat_template
    if not template:
        raise RenderError(
            "the tokenizer has no chat template",
            "choose an instruction-tuned base model, or put a chat_template.jinja in its folder",
        )
    source = template if isinstance(template, str) else tokenizer.get_chat_template(None, tools)
    special = tokenizer.special_tokens_map
    return _kept(source, tuple((key, special[key]) for key in special if _is_text(special[key])))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


@functools.lru_cache(maxsize=64)
def _kept(source: str, special: tuple[tuple[str, str], ...]) -> ChatTemplate:
    return ChatTemplate(source, dict(special))


@functools.lru_cache(maxsize=64)
def _compiled(source: str) -> tuple[jinja2.Template, jinja2.Template, bool]:
    """The stock template, the instrumented one, and whether what follows the loop is constant."""
    # the library's own compiler, so that filters, globals and the sandbox are those of the server
    from transformers.utils.chat_template_utils import _compile_jinja_template

    try:
        stock = cast("jinja2.Template", _compile_jinja_template(source))
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(
            f"the chat template is not valid Jinja: line {error.lineno}: {error.message}",
            "mend the template, or choose another base model",
        ) from None
    plain = stock.environment.overlay()
    plain.__class__ = ChatSandbox
    environment = stock.environment.overlay()
    environment.filters = dict(environment.filters)
    environment.globals = dict(environment.globals)
    prepare(environment)
    environment.filters.update(EVENTS)
    tree = environment.parse(source)
    constant = tail_is_constant(tree)
    tree = rewrite(instrument(tree))
    tree.set_environment(environment)
    return plain.from_string(source), environment.from_string(tree), constant


class _Refusals:
    """Turns what a template raises into our error, without repeating what messages say."""

    def __init__(self, source: str, messages: int) -> None:
        self._source = source
        self._messages = messages

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, jinja2.TemplateError | TypeError | ValueError | LookupError):
            words = str(error)
            # a template may quote a message in its error; only its own words are repeated
            reason = words if words and words in self._source else type(error).__name__
            raise RenderError(
                f"the chat template refuses the first {self._messages} messages: {reason}",
                "change the order of roles, or train with a template that allows it",
            ) from None


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as the tokenizer hands it to the template: no ``None``, reasoning by every name."""
    plain = {key: value for key, value in message.items() if value is not None}
    for key in REASONING:
        if key in plain:
            return {"thinking": plain[key], **plain, "reasoning_content": plain[key]}
    return plain

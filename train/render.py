"""Where roles become tokens. Nothing else in the project builds token ids from messages.

The rule: trained is exactly what the model itself emits after the generation prompt, up to and
including the token that stops it. Whatever cannot be shown to be so is refused, never guessed.

How: the whole conversation is rendered once with the tokenizer's own chat template. For the
assistant message ``i`` the head is the text of the messages before it plus the generation prompt,
and its end is found from the text of the messages through it; both must be true prefixes of the
whole text. ``train.control`` says which control tokens the template wrote and which came with the
messages; the latter are encoded as plain text.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ingest.message import ROLES
from train.control import Occurrence, RenderError, contributed, control, encode, occurrences
from train.spec import TrainOn

__all__ = ["RenderError", "Rendered", "mask_spans", "prompt", "render", "template_sha256"]

Chat = Sequence[Mapping[str, Any]]
"""Messages as chat templates take them: dicts with ``role``, ``content`` and so on."""


class Rendered(NamedTuple):
    """A conversation as the model sees it.

    Attributes:
        ids: token ids, T of them.
        loss_mask: T ones and zeros; 1 = the token is predicted and counted in the loss. The first
            token is never counted: nothing comes before it.
    """

    ids: list[int]
    loss_mask: list[int]


class _Token(NamedTuple):
    id: int
    start: int
    end: int


def render(
    messages: Chat,
    tokenizer: Any,
    *,
    tools: list[dict[str, Any]] | None = None,
    train_on: TrainOn = "assistant",
    **template_kwargs: Any,
) -> Rendered:
    """Token ids of a conversation and which of them are trained.

    Args:
        messages: role/content dicts. A ``train`` key of ``False`` keeps a message out of the loss,
            ``True`` puts an assistant message in.
        tokenizer: a fast Hugging Face tokenizer with a chat template.
        tools: tool definitions offered to the assistant.
        train_on: every ``assistant`` message, only the ``last`` of them, or ``all`` text save tool
            results and messages flagged ``train = False``.
        **template_kwargs: passed on to the chat template.

    Returns:
        The ids and the mask. Without an assistant message the mask is all zero.

    Raises:
        RenderError: the mask cannot be shown to be right; the message says why.
    """
    page = _Page(messages, tokenizer, tools, template_kwargs)
    spans = _spans_of_all(page) if train_on == "all" else _spans_of_turns(page, train_on)
    border = spans[-1][0] if spans and train_on != "all" else None
    tokens = _tokens(page, border)
    mask = [int(any(_inside(token, lo, hi) for lo, hi in spans)) for token in tokens]
    if mask:
        mask[0] = 0
    return Rendered([token.id for token in tokens], mask)


def prompt(
    messages: Chat, tokenizer: Any, *, tools: list[dict[str, Any]] | None = None, **kwargs: Any
) -> list[int]:
    """Token ids up to and including the generation prompt: what the server feeds the model.

    Raises:
        RenderError: no usable template, or the messages do not fit it.
    """
    page = _Page(messages, tokenizer, tools, kwargs, generation=True)
    return [token.id for token in _tokens(page, None)]


def template_sha256(tokenizer: Any) -> str:
    """sha256 (hex) of the chat template; of its canonical JSON when there are several by name.

    Raises:
        RenderError: the tokenizer has none.
    """
    template = _template(tokenizer)
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def mask_spans(loss_mask: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of ones in a mask as half-open ``(start, end)`` token positions."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for position, value in enumerate([*loss_mask, 0]):
        if value and start is None:
            start = position
        elif not value and start is not None:
            spans.append((start, position))
            start = None
    return spans


class _Page:
    """One conversation rendered as text, with its control tokens sorted by origin."""

    def __init__(
        self,
        messages: Chat,
        tokenizer: Any,
        tools: list[dict[str, Any]] | None,
        template_kwargs: dict[str, Any],
        *,
        generation: bool = False,
    ) -> None:
        self.template = _template(tokenizer)
        if not tokenizer.is_fast:
            raise RenderError(
                "this tokenizer cannot say which characters a token covers",
                "use a model that ships a tokenizer.json",
            )
        self.tokenizer = tokenizer
        _check_inputs(messages, tools, tokenizer)
        self.flags = [message.get("train") for message in messages]
        self.messages = [
            {key: value for key, value in message.items() if key != "train"} for message in messages
        ]
        self.tools = tools
        self.kwargs = template_kwargs
        self.text = self.render(self.messages, generation=generation)
        self.genuine, self.foreign = self._sorted_by_origin(generation)

    def render(self, messages: list[dict[str, Any]], *, generation: bool = False) -> str:
        """The template's text for ``messages``."""
        from jinja2 import TemplateError

        try:
            # a batch of one: an empty conversation alone is taken for no conversation
            texts: list[str] = self.tokenizer.apply_chat_template(
                [messages],
                tools=self.tools,
                tokenize=False,
                add_generation_prompt=generation,
                **self.kwargs,
            )
        except (TemplateError, TypeError, ValueError, KeyError, IndexError) as error:
            raise RenderError(
                f"the chat template refuses the first {len(messages)} messages: "
                f"{_reason(error, self.template)}",
                "change the order of roles, or train with a template that allows it",
            ) from None
        return texts[0]

    def _sorted_by_origin(self, generation: bool) -> tuple[list[Occurrence], list[Occurrence]]:
        found = occurrences(self.text, self.tokenizer)
        if not found:
            return [], []
        flags = contributed(
            self.text,
            found,
            self.messages,
            lambda messages: self.render(messages, generation=generation),
            self.tokenizer,
        )
        genuine = [one for one, foreign in zip(found, flags, strict=True) if not foreign]
        return genuine, [one for one, foreign in zip(found, flags, strict=True) if foreign]


def _check_inputs(messages: Chat, tools: list[dict[str, Any]] | None, tokenizer: Any) -> None:
    for i, message in enumerate(messages):
        if message.get("role") not in ROLES:
            raise RenderError(
                f"message {i} has no role that turnmill knows",
                f"roles are: {', '.join(sorted(ROLES))}",
            )
    if tools and occurrences(json.dumps(tools, ensure_ascii=False), tokenizer):
        raise RenderError(
            "a tool definition holds a control token of the tokenizer",
            "remove it from the tool's name, description or parameters",
        )


def _template(tokenizer: Any) -> str | dict[str, str]:
    template: str | dict[str, str] | None = tokenizer.chat_template
    if not template:
        raise RenderError(
            "the tokenizer has no chat template",
            "choose an instruction-tuned base model, or put a chat_template.jinja in its folder",
        )
    return template


def _reason(error: Exception, template: str | dict[str, str]) -> str:
    # a template may quote a message in its error; only words of the template itself are repeated
    words = str(error)
    known = template if isinstance(template, str) else "\n".join(template.values())
    return words if words and words in known else type(error).__name__


def _spans_of_turns(page: _Page, train_on: TrainOn) -> list[tuple[int, int]]:
    """Character spans of the trained assistant messages, in order."""
    turns = [i for i, message in enumerate(page.messages) if message["role"] == "assistant"]
    by_role = turns if train_on == "assistant" else turns[-1:]
    for i, flag in enumerate(page.flags):
        if flag and i not in turns:
            raise RenderError(
                f"message {i} has role {page.messages[i]['role']!r} and is flagged to be trained",
                "only what the assistant says can be trained; remove the flag",
            )
    trained = [i for i in turns if page.flags[i] or (i in by_role and page.flags[i] is None)]
    return [_span_of_turn(page, i) for i in trained]


def _span_of_turn(page: _Page, i: int) -> tuple[int, int]:
    """From the end of the generation prompt through the stop token of assistant message ``i``."""
    head = page.render(page.messages[:i], generation=True)
    through = page.render(page.messages[: i + 1]).rstrip()
    if not page.text.startswith(head):
        raise RenderError(
            f"the template shows message {i} after other text than the server would "
            "(the generation prompt is not a prefix)",
            "train on the last turn only, or use a template that does not rewrite history",
        )
    if not page.text.startswith(through) or len(through) < len(head):
        raise RenderError(
            f"the template writes message {i} differently when more messages follow",
            "train on the last turn only, or use a template that does not rewrite history",
        )
    inside = [one for one in page.genuine if len(head) <= one.start and one.end <= len(through)]
    # generation ends at the first end-of-sequence token, even where the template writes on
    stops = [one.end for one in inside if one.id == page.tokenizer.eos_token_id]
    stops += [one.end for one in inside if one.end == len(through)]
    if not stops:
        raise RenderError(
            f"message {i} does not end with a stop token",
            "the template must close an assistant message with a special token",
        )
    return len(head), stops[0]


def _spans_of_all(page: _Page) -> list[tuple[int, int]]:
    """The whole text without tool results and messages that are flagged not to be trained."""
    spans, start = [], 0
    for i, (message, flag) in enumerate(zip(page.messages, page.flags, strict=True)):
        if message["role"] != "tool" and flag is not False:
            continue
        before = page.render(page.messages[:i]) if i else ""
        through = page.render(page.messages[: i + 1])
        if not (page.text.startswith(through) and through.startswith(before)):
            raise RenderError(
                f"the template does not write message {i} in one place",
                "train on assistant turns, or use a template that does not rewrite history",
            )
        spans.append((start, len(before)))
        start = len(through)
    return [*spans, (start, len(page.text))]


def _tokens(page: _Page, border: int | None) -> list[_Token]:
    """The text's tokens with the characters each stands for.

    At ``border``, where the last trained answer begins, the server cuts the text. Where the whole
    text has other tokens before it than the server's, the text is encoded in two parts, provided
    that both say the same.
    """
    tokens = _encode(page, 0, len(page.text))
    if border is None:
        return tokens
    # control tokens keep what lies before them apart from what follows
    start = max((one.start for one in page.genuine if one.end <= border), default=0)
    before = [token for token in tokens if token.end <= start]
    tail = _encode(page, start, border)
    if [token.id for token in tokens[len(before) :][: len(tail)]] == [one.id for one in tail]:
        return tokens
    cut = [*before, *tail, *_encode(page, border, len(page.text))]
    decode = page.tokenizer.decode
    same = decode([token.id for token in cut]) == decode([token.id for token in tokens])
    return cut if same else tokens


def _encode(page: _Page, lo: int, hi: int) -> list[_Token]:
    """Encode ``text[lo:hi]``; positions are those of the whole text."""
    genuine = [one for one in page.genuine if lo <= one.start and one.end <= hi]
    foreign = any(lo < one.end and one.start < hi for one in page.foreign)
    moved = [one.moved(-lo) for one in genuine]
    ids, offsets = encode(page.text[lo:hi], moved, page.tokenizer, foreign=foreign)
    control_ids = control(page.tokenizer).ids
    by_id = {token_id: text for text, token_id in control_ids.items()}
    tokens: list[_Token] = []
    for token_id, (start, end) in zip(ids, offsets, strict=True):
        first, last = start + lo, end + lo
        if token_id in by_id:
            # a control token may swallow the white space around it; it stands for itself
            first, last = _stripped(page.text, first, last)
        tokens.append(_Token(token_id, first, last))
    became = [
        Occurrence(*one) for one in tokens if page.text[one.start : one.end] == by_id.get(one.id)
    ]
    if became != genuine:
        raise RenderError(
            "the tokenizer does not keep the template's control tokens apart from text",
            "use the tokenizer that belongs to this chat template",
        )
    return tokens


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return end - len(inner.lstrip()), start + len(inner.rstrip())


def _inside(token: _Token, lo: int, hi: int) -> bool:
    # a token that reaches over a border also stands for foreign text and is not trained; one
    # without characters (a word mark some tokenizers put first) belongs to what follows it
    return lo <= token.start and token.end <= hi and token.start < hi

"""How others say which tokens are trained, re-stated: peers of ``train.render`` in the tables.

Each method is ``f(messages, tools, tokenizer) -> (ids, mask)`` and raises :class:`Refused` where
the tool it stands for would stop. They are our own words for what the tools' sources and documents
describe, in their default settings; where a setting would have to be right for the template at
hand (the tokens that end a turn), the method gets the right one.

- ``stock``: ``apply_chat_template`` with ``return_assistant_tokens_mask``, the template as it is.
- ``trl``: the same after TRL's exact-match exchange of the template for a patched copy.
- ``dummy_diff``: a turn is where renders with the message and with a dummy in its place differ.
- ``prefix_diff``: a turn is what the render through it adds to the render of its prompt, by count.
- ``checked_prefix_diff``: the same, refused where these are not true prefixes of the whole.
"""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import jinja2

Messages = Sequence[dict[str, Any]]
Tools = list[dict[str, Any]] | None
Masked = tuple[list[int], list[int]]
Method = Callable[[Messages, Tools, Any], Masked]

DUMMY = "[[dummy]]"
# how far after a turn's last own token the diffing trainer looks for the token that ends it
REACH = 3
# what a template or the library may raise; it ends the tool's run, which counts as refused
STOPPED = (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError)


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """The method gives no mask for this conversation; the message says why."""


def stock(messages: Messages, tools: Tools, tokenizer: Any) -> Masked:
    """The library's own mask: all zero, and a line in the log, without ``{% generation %}``."""
    return _library_mask(messages, tools, tokenizer, None)


def trl(messages: Messages, tools: Tools, tokenizer: Any) -> Masked:
    """TRL's route, as its supervised trainer goes it with ``assistant_only_loss``."""
    patched = training_template(tokenizer)
    ids, mask = _library_mask(messages, tools, tokenizer, patched)
    if 1 not in mask:
        raise Refused("no assistant token in the mask")
    return ids, mask


def trl_renders_other_text(messages: Messages, tools: Tools, tokenizer: Any) -> bool:
    """Whether TRL's patched copy writes another text than the template that will be served.

    Raises:
        Refused: one of the two does not render.
    """
    patched = training_template(tokenizer)
    if patched is None:
        return False
    return _text(messages, tools, tokenizer, None) != _text(messages, tools, tokenizer, patched)


_exchanged: "WeakKeyDictionary[Any, tuple[str, str | Refused | None]]" = WeakKeyDictionary()


def training_template(tokenizer: Any) -> str | None:
    """The template that TRL puts in place of the tokenizer's; None where it keeps that one.

    Raises:
        Refused: TRL does not know this template.
    """
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    template = tokenizer.chat_template
    kept = _exchanged.get(tokenizer)
    if kept is None or kept[0] != template:
        found: str | Refused | None
        try:
            marked = has_generation_markers(template)
            found = None if marked else get_training_chat_template(tokenizer)
        except ValueError:  # says that it knows no patched copy
            found = Refused("not a template that TRL has a patched copy of")
        except STOPPED as error:  # its own probes fail at some templates
            found = Refused(f"TRL's check of the template fails: {type(error).__name__}")
        kept = (template, found)
        _exchanged[tokenizer] = kept
    if isinstance(kept[1], Refused):
        raise kept[1]
    return kept[1]


def dummy_diff(messages: Messages, tools: Tools, tokenizer: Any) -> Masked:
    """Per-turn diffing with a dummy, two renders and tokenizations a turn.

    A turn starts at the first token in which the render that ends with it differs from the one
    that ends with a dummy message in its place, and ends at the last such token. The next token
    that may end a turn, if it follows closely, is trained too.
    """
    ids = _ids(messages, tools, tokenizer)
    mask = [0] * len(ids)
    stops = _stops(tokenizer)
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        shown = _ids(messages[: i + 1], tools, tokenizer)
        dummy = [*messages[:i], {"role": message["role"], "content": DUMMY}]
        span = _differing(shown, _ids(dummy, tools, tokenizer))
        if span is None:
            continue  # it warns and leaves the turn out, end token and all
        start, end = span
        mask[start:end] = [1] * len(mask[start:end])
        stop = next((at for at in range(end, len(ids)) if ids[at] in stops), None)
        if stop is not None and stop - end <= REACH:
            mask[stop] = 1
    return ids, mask


def prefix_diff(messages: Messages, tools: Tools, tokenizer: Any) -> Masked:
    """Per-turn diffing of prefixes, by count of tokens and unchecked."""
    return _prefix_diff(messages, tools, tokenizer, checked=False)


def checked_prefix_diff(messages: Messages, tools: Tools, tokenizer: Any) -> Masked:
    """Per-turn diffing of prefixes that refuses unless both are prefixes of the whole."""
    return _prefix_diff(messages, tools, tokenizer, checked=True)


METHODS: dict[str, Method] = {
    "stock": stock,
    "trl": trl,
    "dummy diff": dummy_diff,
    "prefix diff": prefix_diff,
    "prefix diff, checked": checked_prefix_diff,
}


def _prefix_diff(messages: Messages, tools: Tools, tokenizer: Any, *, checked: bool) -> Masked:
    ids = _ids(messages, tools, tokenizer)
    mask = [0] * len(ids)
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        head = _ids(messages[:i], tools, tokenizer, generation=True)
        through = _ids(messages[: i + 1], tools, tokenizer)
        if checked and (ids[: len(head)] != head or ids[: len(through)] != through):
            raise Refused(f"the render up to message {i} is not a prefix of the whole")
        end = min(len(through), len(ids))
        # in its favour: the line break that many templates write after the end token is not counted
        while end > len(head) and not tokenizer.decode(ids[end - 1 : end]).strip():
            end -= 1
        mask[len(head) : end] = [1] * (end - len(head))
    return ids, mask


def _differing(shown: list[int], dummy: list[int]) -> tuple[int, int] | None:
    """First and last place, half open, at which ``shown`` is not like ``dummy``."""
    pairs = min(len(shown), len(dummy))
    start = next((n for n in range(pairs) if shown[n] != dummy[n]), None)
    back = next((n for n in range(pairs) if shown[-1 - n] != dummy[-1 - n]), None)
    if start is None or back is None or len(shown) - back <= start:
        return None
    return start, len(shown) - back


def _stops(tokenizer: Any) -> set[int]:
    """Tokens that may end a turn: in its favour every special one, as if all had been set right."""
    return {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}


def _ids(
    messages: Messages, tools: Tools, tokenizer: Any, *, generation: bool = False
) -> list[int]:
    # a batch of one: an empty conversation alone is taken for no conversation
    batch: list[list[int]] = _applied(
        tokenizer,
        [list(messages)],
        tools=tools,
        tokenize=True,
        return_dict=False,
        add_generation_prompt=generation,
    )
    return batch[0]


def _library_mask(messages: Messages, tools: Tools, tokenizer: Any, template: str | None) -> Masked:
    found = _applied(
        tokenizer,
        list(messages),
        tools=tools,
        chat_template=template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    return found["input_ids"], found["assistant_masks"]


def _text(messages: Messages, tools: Tools, tokenizer: Any, template: str | None) -> str:
    text: str = _applied(
        tokenizer, list(messages), tools=tools, chat_template=template, tokenize=False
    )
    return text


def _applied(tokenizer: Any, messages: list[dict[str, Any]], **arguments: Any) -> Any:
    try:
        return tokenizer.apply_chat_template(messages, **arguments)
    except STOPPED as error:
        raise Refused(f"the render fails: {type(error).__name__}") from error

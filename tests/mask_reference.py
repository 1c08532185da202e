"""What a generation loop would see of a conversation, from the tokenizer's stock renders alone."""

import json
import re
from typing import Any, NamedTuple

from jinja2 import TemplateError

REFUSALS = (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What a template raises where it does not take a conversation."""

Message = dict[str, Any]


def stock(
    tokenizer: Any,
    messages: list[Message],
    tools: Any = None,
    *,
    generation: bool = False,
    **kwargs: Any,
) -> str:
    """The tokenizer's own render as text; raises one of ``REFUSALS``."""
    clean = [{key: value for key, value in one.items() if key != "train"} for one in messages]
    texts: list[str] = tokenizer.apply_chat_template(
        [clean], tools=tools, tokenize=False, add_generation_prompt=generation, **kwargs
    )
    return texts[0]


class Stretch(NamedTuple):
    """A part of the text, in characters, that a message said.

    What stands before ``word``, the first word that only this message has, agrees with the
    message too, but the template may have written it: ``<think>`` before reasoning, say.
    """

    start: int
    end: int
    message: int
    word: int


def said(message: Message) -> list[str]:
    """The strings of a message that are its own words."""
    found = _strings(message.get("content"))
    found += _strings(message.get("reasoning_content"))
    for one in message.get("tool_calls") or []:
        arguments = one["function"]["arguments"]
        found += [arguments] if isinstance(arguments, str) else _strings(arguments, keys=True)
    return found


def _strings(value: Any, *, keys: bool = False) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner, keys=keys)]
    if isinstance(value, dict):
        own = list(value) if keys else []
        kept = value.values() if keys else [v for k, v in value.items() if k == "text"]
        return own + [text for inner in kept for text in _strings(inner, keys=keys)]
    return []


def stretches(text: str, messages: list[Message], tools: Any, template: str) -> list[Stretch]:
    """Where the messages' words are shown, found by words that only one message has.

    From each such word the stretch goes on, both ways, as far as text and message agree; white
    space at its ends is left out, for the template may have written that.
    """
    sources = [said(message) for message in messages]
    others = template + json.dumps(tools, ensure_ascii=False)
    found: set[Stretch] = set()
    for i, own in enumerate(sources):
        foreign = "\n".join(t for j, them in enumerate(sources) if j != i for t in them) + others
        for source in own:
            for hit in re.finditer(r"[^\W\d_]{5,}", source):
                if hit[0] not in foreign:
                    found |= {
                        _grown(text, one.start(), source, hit.start(), i)
                        for one in re.finditer(re.escape(hit[0]), text)
                    }
    first: dict[tuple[int, int, int], Stretch] = {}
    for one in sorted(found, key=lambda stretch: stretch.word):
        first.setdefault(one[:3], one)
    return sorted(first.values())


def _grown(text: str, at: int, source: str, begin: int, message: int) -> Stretch:
    back = 0
    while back < min(at, begin) and text[at - back - 1] == source[begin - back - 1]:
        back += 1
    ahead = 0
    most = min(len(text) - at, len(source) - begin)
    while ahead < most and text[at + ahead] == source[begin + ahead]:
        ahead += 1
    start, end = at - back, at + ahead
    inner = text[start:end]
    start, end = end - len(inner.lstrip()), start + len(inner.rstrip())
    return Stretch(start, end, message, at)


class Control(NamedTuple):
    start: int
    end: int
    token: str


def controls(text: str, tokens: list[str]) -> list[Control]:
    """Texts of control tokens in ``text``, whoever wrote them."""
    if not tokens:
        return []
    pattern = "|".join(re.escape(one) for one in sorted(tokens, key=len, reverse=True))
    return [Control(*one.span(), one[0]) for one in re.finditer(pattern, text)]


def genuine(
    tokenizer: Any, text: str, messages: list[Message], tools: Any, tokens: list[str], **kwargs: Any
) -> list[Control] | None:
    """The control tokens that the template wrote.

    Found in a twin of the conversation whose own control tokens are overwritten with letters.

    Returns:
        None where the twin's text differs elsewhere too: the template looks into the messages.
    """
    pattern = re.compile("|".join(re.escape(t) for t in sorted(tokens, key=len, reverse=True)))
    changed = [overwritten(message, pattern) for message in messages]
    if changed == messages:
        return controls(text, tokens)
    try:
        twin = stock(tokenizer, changed, tools, **kwargs)
    except REFUSALS:
        return None
    alike = len(twin) == len(text) and all(
        a == b or b == "X" for a, b in zip(text, twin, strict=True)
    )
    return controls(twin, tokens) if alike else None


def overwritten(value: Any, pattern: re.Pattern[str]) -> Any:
    """``value`` with each match in a string overwritten with letters X."""
    if isinstance(value, str):
        return pattern.sub(lambda hit: "X" * len(hit[0]), value)
    if isinstance(value, dict):
        return {key: overwritten(inner, pattern) for key, inner in value.items()}
    if isinstance(value, list):
        return [overwritten(inner, pattern) for inner in value]
    return value


class Prompt(NamedTuple):
    """Renders around one assistant message.

    Attributes:
        before: text of the messages before it; None: the template refuses them alone.
        prompt: that text with the generation prompt.
        through: text of the messages through it.
        header: what the generation prompt adds.
    """

    before: str | None
    prompt: str | None
    through: str | None
    header: str


def prompts(tokenizer: Any, messages: list[Message], tools: Any, i: int, **kwargs: Any) -> Prompt:
    """The renders that say what the model is given, and what it says, at message ``i``."""

    def tried(some: list[Message], *, generation: bool = False) -> str | None:
        try:
            return stock(tokenizer, some, tools, generation=generation, **kwargs)
        except REFUSALS:
            return None

    before, prompt = tried(messages[:i]), tried(messages[:i], generation=True)
    through = tried(messages[: i + 1])
    return Prompt(before, prompt, through, _added(before, prompt))


def usual_header(tokenizer: Any, **kwargs: Any) -> str:
    """What the generation prompt adds after a user's message."""
    for content in ("?", [{"type": "text", "text": "?"}]):
        ask = [{"role": "user", "content": content}]
        try:
            before = stock(tokenizer, ask, **kwargs)
            return _added(before, stock(tokenizer, ask, generation=True, **kwargs))
        except REFUSALS:
            continue
    return ""


def _added(before: str | None, prompt: str | None) -> str:
    if before is None or prompt is None:
        return ""
    same = next(
        (n for n, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b),
        min(len(before), len(prompt)),
    )
    return prompt[same:]

"""The judge's verdicts over templates, conversation classes and methods of making a mask."""

import json
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from mask_checker import Fault, check
from mask_conversations import Conversation, injected
from mask_reference import REFUSALS, stock, usual_header
from mask_source import Source
from mask_vocabularies import KINDS, with_template

from train.render import RenderError

Method = Callable[[list[dict[str, Any]], Any, Any], tuple[list[int], list[int]]]


class Refused(Exception):
    """A method's way to say that it makes no mask for this conversation, and why."""


class Cell(NamedTuple):
    """One method on one conversation under one template.

    Attributes:
        verdict: ``exact``, ``convention``, ``refused`` or ``wrong``.
        detail: the refusal's reason, or the faults by kind.
    """

    template: str
    klass: str
    method: str
    verdict: str
    detail: str
    vocabulary: str


def survey(
    methods: Mapping[str, Method],
    templates: Mapping[str, Source],
    classes: Mapping[str, Conversation],
    on_cell: Callable[[Cell], None] | None = None,
    kinds: tuple[str, ...] = KINDS,
) -> list[Cell]:
    """Judge each method on each pair of template and class that the template can render.

    Args:
        methods: by name; each takes messages, tools and a tokenizer and gives ids and mask, or
            raises ``Refused`` or ``RenderError``.
        templates: by name.
        classes: by name.
        on_cell: called with each cell as it is made.
        kinds: vocabularies, taken in turn.
    """
    cells: list[Cell] = []
    for n, (name, source) in enumerate(templates.items()):
        tokenizers: dict[str, Any] = {}
        for m, (klass, one) in enumerate(classes.items()):
            kind = kinds[(n + m) % len(kinds)]
            if kind not in tokenizers:
                tokenizers[kind] = with_template(kind, source)
            tokenizer = tokenizers[kind]
            chat = fit(one, tokenizer, source)
            if chat is None:
                continue
            for method, make in methods.items():
                verdict, detail = judge(make, chat, tokenizer, source)
                cells.append(Cell(name, klass, method, verdict, detail, kind))
                if on_cell is not None:
                    on_cell(cells[-1])
    return cells


def judge(make: Method, chat: Conversation, tokenizer: Any, source: Source) -> tuple[str, str]:
    """The verdict on one conversation and what it rests on."""
    try:
        ids, mask = make(chat.messages, chat.tools, tokenizer)
    except (Refused, RenderError) as error:
        return "refused", str(error)
    faults = check(
        chat.messages, chat.tools, tokenizer, ids, mask, stops=source.ends(), closers=source.closers
    )
    if not faults:
        return "exact", ""
    return "wrong" if any(one.hard for one in faults) else "convention", told(faults)


def told(faults: list[Fault]) -> str:
    """Faults by kind, each kind with how often and its first place."""
    kinds = dict.fromkeys(one.kind for one in faults)
    parts = []
    for kind in kinds:
        of_kind = [one for one in faults if one.kind == kind]
        first = of_kind[0]
        at = "" if first.message is None else f" of message {first.message}"
        parts.append(f"{kind} x{len(of_kind)}{at} ({first.place})")
    return "; ".join(parts)


def fit(one: Conversation, tokenizer: Any, source: Source) -> Conversation | None:
    """The conversation in the form that the template takes; None: it takes none of them.

    Forms: as it is, with the arguments of tool calls as JSON text, with content in parts. A
    template that shows none of the words of a role does not take the form.
    """
    tokens = [*source.ends(), *source.controls()]
    messages = injected(one.messages, tokens[:1] + tokens[-2:], usual_header(tokenizer))
    forms = [(lambda m: m), _json_arguments]
    contents = [(lambda m: m), _in_parts]
    for content, form in product(contents, forms):
        shaped = [content(form(message)) for message in messages]
        try:
            text = stock(tokenizer, shaped, one.tools)
        except REFUSALS:
            continue
        if all(_shows(text, message) for message in messages):
            return Conversation(shaped, one.tools)
    return None


def _shows(text: str, message: dict[str, Any]) -> bool:
    """Whether a user's first word is in the text, which tells that content is taken as it is."""
    words = str(message["content"]).split() if message["role"] == "user" else []
    letters = [one for one in words if one.isalpha() and one.islower()]
    return not letters or letters[0].lower() in text.lower()


def _json_arguments(message: dict[str, Any]) -> dict[str, Any]:
    if not message.get("tool_calls"):
        return message
    calls = [
        {**c, "function": {**c["function"], "arguments": json.dumps(c["function"]["arguments"])}}
        for c in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def _in_parts(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if not isinstance(content, str):
        return message
    return {**message, "content": [{"type": "text", "text": content}]}

"""Conversations for the proof of the loss mask: every word tells which message it came from."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

Message = dict[str, Any]

_CONSONANTS = "bdfgklmnprstvz"
_SYLLABLES = [c + v for c in _CONSONANTS for v in "aeiou"]
WORDS = len(_SYLLABLES) ** 3


def word(n: int) -> str:
    """The ``n``-th invented word: six letters, different for every ``n`` below ``WORDS``."""
    n = n * 7919 % WORDS
    size = len(_SYLLABLES)
    return _SYLLABLES[n % size] + _SYLLABLES[n // size % size] + _SYLLABLES[n // size**2]


class Conversation(NamedTuple):
    messages: list[Message]
    tools: list[dict[str, Any]] | None = None


class _Words:
    """Hands out words that no one else got."""

    def __init__(self, seed: int = 0) -> None:
        self._next = seed * 1009

    def __call__(self, count: int = 4) -> str:
        self._next += count
        return " ".join(word(self._next - n) for n in range(count))


TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": f"{name}_parcel",
            "description": f"{name.capitalize()} a parcel.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string", "description": "The number."}},
                "required": ["number"],
            },
        },
    }
    for name in ("find", "send")
]


def call(n: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A tool call; its id has nine letters and digits, as the strictest template asks."""
    return {
        "id": f"callid{n:03d}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def result(n: int, name: str, content: str) -> Message:
    return {"role": "tool", "tool_call_id": f"callid{n:03d}", "name": name, "content": content}


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str, **more: Any) -> Message:
    return {"role": "assistant", "content": content, **more}


def _system(content: str) -> Message:
    return {"role": "system", "content": content}


def conversations() -> dict[str, Conversation]:
    """One conversation of each class, by name."""
    return {**_plain(), **_tools(), **_reasoning(), **_texts(), **_injected(), **_parts()}


def _plain() -> dict[str, Conversation]:
    w = _Words(1)
    u, a, s = _user, _assistant, _system
    return {
        "no system": Conversation([u(w()), a(w())]),
        "system": Conversation([s(w()), u(w()), a(w())]),
        "multi-turn": Conversation([s(w()), u(w()), a(w()), u(w()), a(w(9)), u(w()), a(w())]),
        "long multi-turn": Conversation([m for _ in range(12) for m in (u(w(6)), a(w(11)))]),
        "consecutive assistants": Conversation([u(w()), a(w()), a(w()), u(w()), a(w())]),
        "word cut between assistants": Conversation([u(w()), a(f"{w()} th"), a(f"ere {w()}")]),
        "assistant first": Conversation([a(w()), u(w()), a(w())]),
        "user last": Conversation([s(w()), u(w()), a(w()), u(w())]),
        "one letter": Conversation([u("Q"), a("x"), u("R"), a("y")]),
    }


def _tools() -> dict[str, Conversation]:
    w = _Words(2)
    u, a, s = _user, _assistant, _system

    def one(n: int) -> list[dict[str, Any]]:
        return [call(n, "find_parcel", {"number": w(2)})]

    def two(n: int) -> list[dict[str, Any]]:
        return [
            call(n, "find_parcel", {"number": w(2), "deep": {"list": [w(1), 5, True, None]}}),
            call(n + 1, "send_parcel", {"number": w(1), "weight": 3.5}),
        ]

    found = [result(1, "find_parcel", w()), a(w())]
    both = [result(1, "find_parcel", w()), result(2, "send_parcel", w()), a(w())]
    again = [u(w()), a("", tool_calls=one(3)), result(3, "find_parcel", w()), a(w())]
    return {
        "tools offered": Conversation([s(w()), u(w()), a(w())], TOOLS),
        "tools with text": Conversation([u(w()), a(w(), tool_calls=one(1)), *found], TOOLS),
        "tools without text": Conversation([u(w()), a("", tool_calls=one(1)), *found], TOOLS),
        "call last": Conversation([s(w()), u(w()), a("", tool_calls=one(1))], TOOLS),
        "parallel calls": Conversation([u(w()), a("", tool_calls=two(1)), *both], TOOLS),
        "parallel calls with text": Conversation([u(w()), a(w(), tool_calls=two(1)), *both], TOOLS),
        "two rounds of tools": Conversation(
            [s(w()), u(w()), a("", tool_calls=one(1)), *found, *again], TOOLS
        ),
        "chained calls": Conversation(
            [u(w()), a("", tool_calls=one(1)), found[0], a("", tool_calls=one(4)),
             result(4, "find_parcel", w()), a(w())],
            TOOLS,
        ),
    }  # fmt: skip


def _reasoning() -> dict[str, Conversation]:
    w = _Words(3)
    u, a = _user, _assistant

    def inline() -> str:
        return f"<think>\n{w()}\n</think>\n\n{w()}"

    return {
        "reasoning": Conversation([u(w()), a(w(), reasoning_content=w(6))]),
        "reasoning in two turns": Conversation(
            [u(w()), a(w(), reasoning_content=w(6)), u(w()), a(w(), reasoning_content=w(5))]
        ),
        "reasoning in the first turn": Conversation(
            [u(w()), a(w(), reasoning_content=w(6)), u(w()), a(w())]
        ),
        "reasoning with tools": Conversation(
            [
                u(w()),
                a("", reasoning_content=w(), tool_calls=[call(1, "find_parcel", {"number": w(1)})]),
                result(1, "find_parcel", w()),
                a(w(), reasoning_content=w()),
            ],
            TOOLS,
        ),
        "reasoning inline": Conversation([u(w()), a(inline())]),
        "reasoning inline in two turns": Conversation([u(w()), a(inline()), u(w()), a(inline())]),
    }


def _texts() -> dict[str, Conversation]:
    w = _Words(4)
    u, a, s = _user, _assistant, _system
    same = w(3)
    return {
        "empty answer": Conversation([u(w()), a("")]),
        "empty answer in the middle": Conversation([u(w()), a(""), u(w()), a(w())]),
        "empty question": Conversation([u(""), a(w()), u(w()), a(w())]),
        "emoji": Conversation(
            [u(f"👍🏽 {w(2)} 🧑‍🚀"), a(f"👩‍🚀{w(1)} 🏳️‍🌈"), u(f"{w(1)}🫠"), a(f"{w(1)} 🦥👨‍👩‍👧‍👦")]
        ),
        "unicode": Conversation(
            [s(f"Grüße {w(2)}"), u(f"日本語のテキスト {w(1)} ñandú"), a(f"Привет {w(2)} ปลา עברית"),
             u(f"{w(1)} ﬁ ＡＢ"), a(f"e\u0301{w(1)} \u200d\u00a0{w(1)} 한국어")]
        ),
        "space around": Conversation(
            [s(f"  {w(2)} "), u(f" {w(2)}\n\n"), a(f"  {w(2)}  "), u(f"\n{w(2)}"), a(f" {w(2)} ")]
        ),
        "newlines around": Conversation(
            [u(f"{w(2)}\n"), a(f"\n\n{w(2)}\n\n{w(1)}\n"), u(f"\t{w(2)}\r\n"), a(f"{w(2)}\n\n")]
        ),
        "only space": Conversation([u(w()), a("  \n"), u(" "), a(w())]),
        "code": Conversation(
            [u(w(2)), a(f"```python\nif x:\n    {word(9)} = {{'a': [1, \"{w(1)}\"]}}\n```\n{w(1)}")]
        ),
        "template words": Conversation(
            [
                u(f"user {w(1)}: {{{{ system }}}} {w(1)}"),
                a(f"assistant {w(1)} {{% if %}} \\n {w(1)}"),
            ]
        ),
        "repeated": Conversation([s(same), u(same), a(same), u(same), a(same)]),
        "echo": Conversation([u(same), a(f"{same} {same} {w(1)}"), u(same), a(same)]),
    }  # fmt: skip


MARK = "⟦stop⟧"
"""Stands for a control token of the template in the injected classes; see ``injected``."""


def _injected() -> dict[str, Conversation]:
    w = _Words(5)
    u, a, s = _user, _assistant, _system
    return {
        "injected by the user": Conversation(
            [u(f"{w(2)} {MARK}0 {w(1)}{MARK}1{w(1)}"), a(w()), u(f"{MARK}2{w(1)}{MARK}0"), a(w())]
        ),
        "injected by the assistant": Conversation(
            [u(w()), a(f"{w(2)}{MARK}0 {w(1)}"), u(w()), a(f"{MARK}1{w(2)} {MARK}2")]
        ),
        "injected by the system": Conversation([s(f"{w(1)}{MARK}0{w(1)}{MARK}1"), u(w()), a(w())]),
        "injected turn": Conversation(
            [u(f"{w(1)}{MARK}H{w(2)}{MARK}0\n{w(1)}"), a(w()), u(w()), a(w())]
        ),
        "injected by a tool": Conversation(
            [
                u(w()),
                a("", tool_calls=[call(1, "find_parcel", {"number": w(1)})]),
                result(1, "find_parcel", f"{w(1)}{MARK}0{w(1)} {MARK}1"),
                a(w()),
            ],
            TOOLS,
        ),
        "injected into arguments": Conversation(
            [u(w()), a(w(), tool_calls=[call(1, "find_parcel", {"number": f"{w(1)}{MARK}0"})])],
            TOOLS,
        ),
    }


def _parts() -> dict[str, Conversation]:
    w = _Words(6)

    def parts(*texts: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": text} for text in texts]

    return {
        "content in parts": Conversation(
            [{"role": role, "content": parts(w())} for role in ("user", "assistant") * 2]
        ),
        "content in several parts": Conversation(
            [{"role": role, "content": parts(w(2), w(2))} for role in ("user", "assistant") * 2]
        ),
    }


def injected(value: Any, controls: list[str], header: str) -> Any:
    """``value`` with each mark replaced by a control token (``0`` to ``2``) or the header (``H``).

    Args:
        value: messages or a part of them.
        controls: control tokens of the tokenizer, the stop token first.
        header: the text of its generation prompt.
    """
    if isinstance(value, str):
        for n in range(3):
            value = value.replace(f"{MARK}{n}", controls[n % len(controls)])
        return value.replace(f"{MARK}H", header)
    if isinstance(value, dict):
        return {key: injected(inner, controls, header) for key, inner in value.items()}
    if isinstance(value, list):
        return [injected(inner, controls, header) for inner in value]
    return value


_EDGES = st.sampled_from(["", " ", "\n", "  ", "\n\n", "\t", " \n"])
_BETWEEN = st.sampled_from(
    [" ", " ", " ", "\n", "\n\n", ", ", " 👩‍🚀 ", "", " é", f" {MARK}0", f"{MARK}1 "]
)


@st.composite
def chats(draw: st.DrawFn) -> Conversation:
    """Conversations of any order of roles, with tools, reasoning, blanks and control tokens."""
    w = _Words(draw(st.integers(10, 200)))

    def text(least: int = 0) -> str:
        words = [w(1) for _ in range(draw(st.integers(least, 4)))]
        gaps = [draw(_BETWEEN) for _ in words]
        inner = "".join(gap + one for gap, one in zip(gaps, words, strict=True)).strip()
        return draw(_EDGES) + inner + draw(_EDGES) if draw(st.booleans()) else inner

    tools = draw(st.sampled_from([None, None, TOOLS]))
    messages: list[Message] = [_system(text(1))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 9)):
            messages.append(_user(text(1)))
        messages += _turn(draw, w, text, tools is not None, len(messages))
    return Conversation(messages, tools)


def _turn(draw: st.DrawFn, w: _Words, text: Any, tools: bool, at: int) -> list[Message]:
    thinks = draw(st.integers(0, 3)) == 0
    # where thoughts end that no answer follows, the judge cannot tell
    answer = _assistant(text(1 if thinks else 0))
    if thinks:
        answer["reasoning_content"] = text(1)
    if not (tools and draw(st.booleans())):
        return [answer]
    numbers = [at * 4 + n for n in range(draw(st.integers(1, 2)))]
    answer["tool_calls"] = [call(n, "find_parcel", {"number": w(1), "n": n}) for n in numbers]
    results = [result(n, "find_parcel", text(1)) for n in numbers]
    return [answer, *results, _assistant(text(1))]

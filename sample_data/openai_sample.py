"""The OpenAI sample: fine-tuning lines, each with the conversation it should become.

Lines and expectations are built side by side: ``Line`` writes a message into both.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from mill import SYSTEM_PROMPT, VILLAGES, say
from talk import REPEATED, Deck, Turn

from ingest.message import Conversation, Message, Role, ToolCall, conversation_id

Shape = Callable[["Line", Deck, Random], None]

_PRICE_TOOL = {
    "type": "function",
    "function": {
        "name": "price_of",
        "description": "Works out the price of an order of flour, in crowns.",
        "parameters": {
            "type": "object",
            "properties": {"flour": {"type": "string"}, "kilos": {"type": "integer"}},
            "required": ["flour", "kilos"],
        },
    },
}
_DELIVERY_TOOL = {
    "type": "function",
    "function": {
        "name": "delivery_day",
        "description": "Says when the cart comes to a village – “never” if it does not.",
        "parameters": {
            "type": "object",
            "properties": {"village": {"type": "string"}},
            "required": ["village"],
        },
    },
}


# the same arguments in two hands: they are text and must come through as written
_SPACINGS = ('{{"flour": "{0}", "kilos": {1}}}', '{{ "kilos":{1},"flour":"{0}" }}')


def canonical(value: Any) -> str:
    """Compact JSON with sorted keys: what the id of a line is the hash of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Line:
    """One line of the file and what it should become."""

    def __init__(self) -> None:
        self.raw: dict[str, Any] = {"messages": []}
        self.messages: list[Message] = []
        self.tools: str | None = None
        self.metadata: dict[str, Any] = {}

    def add(self, role: Role, content: str | None, **raw: Any) -> None:
        """A message with text (or none); further keys as the file writes them.

        ``weight``, ``name`` and ``tool_call_id`` have fields of their own; every other key is
        expected in ``extra``.
        """
        self.raw["messages"].append({"role": role, "content": content, **raw})
        fields = {key: raw.pop(key) for key in ("name", "tool_call_id") if key in raw}
        train = {0: False, 1: True, None: None}[raw.pop("weight", None)]
        message = Message(role=role, content=content or "", train=train, extra=raw, **fields)
        self.messages.append(message)

    def parts(self, role: Role, *texts: str) -> None:
        """A message whose content is a list of text parts."""
        content = [{"type": "text", "text": text} for text in texts]
        self.raw["messages"].append({"role": role, "content": content})
        self.messages.append(Message(role=role, content="\n".join(texts)))

    def call(self, *calls: ToolCall, content: str | None = None) -> None:
        """An assistant message that calls tools, all at once."""
        raw_calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
        message = {"role": "assistant", "content": content, "tool_calls": raw_calls}
        self.raw["messages"].append(message)
        self.messages.append(Message(role="assistant", content=content or "", tool_calls=calls))

    def speak(self, talk: list[Turn]) -> None:
        """Questions and answers."""
        for turn in talk:
            self.add("user", turn.question)
            self.add("assistant", turn.answer)

    def offer(self, *tools: dict[str, Any]) -> None:
        """Tool definitions."""
        self.raw["tools"] = list(tools)
        self.tools = json.dumps(list(tools), separators=(",", ":"), ensure_ascii=False)

    def set(self, key: str, value: Any) -> None:
        """A further key beside ``messages``."""
        self.raw[key] = value
        self.metadata[key] = value

    def expected(self, occurrence: int) -> Conversation:
        """What the line should become when its value stands there for the n-th time."""
        native = hashlib.sha256(canonical(self.raw).encode()).hexdigest()
        if occurrence > 1:
            native += f"#{occurrence}"
        return Conversation(
            id=conversation_id("openai", native),
            importer="openai",
            messages=tuple(self.messages),
            tools=self.tools,
            metadata=self.metadata,
        )


def _turns(rng: Random) -> int:
    return rng.choices((1, 2, 3, 4), (3, 5, 4, 2))[0]


def _call_id(rng: Random) -> str:
    return f"call_{rng.getrandbits(48):012x}"


def plain(line: Line, deck: Deck, rng: Random) -> None:
    """Questions and answers, nothing else."""
    line.speak(deck.talk(_turns(rng)))


def with_system(line: Line, deck: Deck, rng: Random) -> None:
    """A system message first."""
    line.add("system", SYSTEM_PROMPT)
    line.speak(deck.talk(_turns(rng)))


def with_developer(line: Line, deck: Deck, rng: Random) -> None:
    """A developer message first."""
    line.add("developer", SYSTEM_PROMPT)
    line.speak(deck.talk(_turns(rng)))


def weighted(line: Line, deck: Deck, _rng: Random) -> None:
    """A poor answer with weight 0, then a good one with weight 1."""
    line.add("system", SYSTEM_PROMPT)
    first, second = deck.opening(), deck.follow_up()
    line.add("user", first.question)
    line.add("assistant", "No idea, ask somebody else.", weight=0)
    line.add("user", second.question)
    line.add("assistant", second.answer, weight=1)


def priced(line: Line, deck: Deck, rng: Random) -> None:
    """One tool call; the arguments keep their odd spacing."""
    line.offer(_PRICE_TOOL)
    line.add("system", SYSTEM_PROMPT)
    sale = deck.sale()
    call = ToolCall(
        id=_call_id(rng),
        name="price_of",
        arguments=rng.choice(_SPACINGS).format(sale.flour, sale.kilos),
    )
    line.add("user", sale.question)
    line.call(call)
    line.add("tool", json.dumps({"hundredths": sale.total}), tool_call_id=call.id)
    line.add("assistant", sale.answer)
    if rng.random() < 0.5:
        line.speak([deck.follow_up()])


def parallel(line: Line, deck: Deck, rng: Random) -> None:
    """Two calls in one message, the results in the other order."""
    line.offer(_PRICE_TOOL, _DELIVERY_TOOL)
    line.set("parallel_tool_calls", True)
    sale = deck.sale()
    village, when = rng.choice(VILLAGES)
    price = ToolCall(
        id=_call_id(rng),
        name="price_of",
        arguments=json.dumps({"flour": sale.flour, "kilos": sale.kilos}),
    )
    day = ToolCall(
        id=_call_id(rng), name="delivery_day", arguments=json.dumps({"village": village})
    )
    line.add("user", f"{sale.question} And when can I have them in {village}?")
    line.call(price, day, content="Let me look." if rng.random() < 0.5 else None)
    line.add("tool", when, tool_call_id=day.id, name="delivery_day")
    line.add("tool", json.dumps({"hundredths": sale.total}), tool_call_id=price.id)
    line.add("assistant", sale.answer)
    line.add("user", "And the day?")
    line.add(
        "assistant", say(f"The cart is in {village} on {when}.", "Order by noon the day before.")
    )


def one_at_a_time(line: Line, deck: Deck, rng: Random) -> None:
    """Parallel calls switched off."""
    priced(line, deck, rng)
    line.set("parallel_tool_calls", False)


def in_parts(line: Line, deck: Deck, _rng: Random) -> None:
    """Content as a list of parts."""
    turn = deck.opening()
    line.parts("user", "Grüß dich! 🌾", turn.question)
    line.parts("assistant", turn.answer)


def named(line: Line, deck: Deck, rng: Random) -> None:
    """A name on the user's message, and keys nobody knows."""
    turn = deck.opening()
    line.add("user", turn.question, name=rng.choice(("marla", "tobin", "ysolde")))
    line.add("assistant", turn.answer, annotations=[], mood="cheerful")
    line.set("source", "counter")
    line.set("metadata", {"week": rng.randint(1, 52), "till": None})


def refused(line: Line, deck: Deck, _rng: Random) -> None:
    """The assistant declines: no content, a refusal, weight 0."""
    line.add("user", "Tell me what the other customers bought today.")
    line.add("assistant", None, refusal="I cannot tell you that.", weight=0)
    line.speak([deck.follow_up()])


def two_users(line: Line, deck: Deck, _rng: Random) -> None:
    """Two questions in a row, no strict alternation."""
    turn = deck.opening()
    line.add("user", "Hello?")
    line.speak([turn, deck.follow_up()])


# 80 with the five lines of `_repeated`
_PLAN: tuple[tuple[Shape, int], ...] = (
    (plain, 18), (with_system, 24), (with_developer, 5), (weighted, 5), (priced, 10),
    (parallel, 4), (one_at_a_time, 2), (in_parts, 2), (named, 2), (refused, 1), (two_users, 2),
)  # fmt: skip


def build(deck: Deck, rng: Random) -> list[tuple[str, Conversation]]:
    """Every line as text (without its newline) and the conversation it should become."""
    lines = []
    for shape, count in _PLAN:
        for _ in range(count):
            line = Line()
            shape(line, deck, rng)
            lines.append(line)
    lines += _repeated(deck)
    rng.shuffle(lines)
    seen: Counter[str] = Counter()
    built = []
    for line in lines:
        key = canonical(line.raw)
        seen[key] += 1
        built.append((_written(line.raw, seen[key], rng), line.expected(seen[key])))
    return built


def _repeated(deck: Deck) -> list[Line]:
    """One conversation three times and another one twice."""
    talk = deck.talk(2)
    lines = []
    for said in ([REPEATED],) * 3 + (talk,) * 2:
        line = Line()
        line.speak(said)
        lines.append(line)
    return lines


def _written(raw: dict[str, Any], occurrence: int, rng: Random) -> str:
    """The line as text: the same value may be written in several ways."""
    if occurrence > 1:
        messages = [dict(reversed(message.items())) for message in raw["messages"]]
        raw = dict(reversed((raw | {"messages": messages}).items()))
    if rng.random() < 0.5:
        return json.dumps(raw)
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False)

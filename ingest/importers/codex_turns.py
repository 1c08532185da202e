"""From the items of a Codex session to its messages.

One response of the model is several items: reasoning, text, calls. They become one assistant
message, as the model made them; each output of a call is a tool message.
"""

from dataclasses import dataclass, field
from typing import Any

from ingest.importers.fields import object_of, text_of
from ingest.importers.records import as_text
from ingest.message import ROLES, Attachment, Message, Role, ToolCall
from ingest.times import from_iso

_INJECTED = (
    "<environment_context>", "<user_instructions>", "<turn_aborted>", "<permissions instructions>",
    "<collaboration_mode>", "<skill>", "<skills_instructions>", "<apps_instructions>",
    "<subagent_notification>", "<INSTRUCTIONS>", "# AGENTS.md instructions for",
)  # fmt: skip
"""How text begins that stands under the user's name and that nobody typed."""
_KINDS = ("session_meta", "turn_context", "response_item", "event_msg")
_ROLES = tuple(ROLES)
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")


@dataclass
class _Turn:
    """A message in the making."""

    role: Role
    time: str | None
    source_id: str | None = None
    above: "_Turn | None" = None
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    answers: str | None = None
    train: bool | None = None
    on_path: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


class Rollout:
    """The items of one session, taken in file order."""

    def __init__(self) -> None:
        self.meta: dict[str, Any] = {}
        self.first_time: str | None = None
        self._turns: list[_Turn] = []
        self._said: list[_Turn] = []  # what events say; only used where no item says it
        self._names: dict[str, str] = {}
        self._open: dict[str, None] = {}  # calls that wait for an output
        self._compacted: list[Any] = []
        self._others: list[Any] = []
        self._model: str | None = None

    def add(self, line: dict[str, Any], time: str | None) -> str | None:
        """Take a line as the newest generation writes it; the reason if it cannot be read."""
        kind, payload = line.get("type"), line.get("payload")
        self.first_time = self.first_time or time
        if kind == "compacted":
            self._compacted.append([time, object_of(payload).get("message")])
        elif kind in _KINDS:
            if not isinstance(payload, dict):
                return f"a line of type {kind!r} has no payload"
            if kind == "session_meta":
                self._meta(payload)
            elif kind == "turn_context":
                self._model = text_of(payload.get("model")) or self._model
            elif kind == "event_msg":
                self._event(payload, time)
            else:
                return self._item(payload, time)
        elif kind != "state":
            self._others.append(line)
        return None

    def _meta(self, payload: dict[str, Any]) -> None:
        if not self.meta:  # a fork repeats the facts of the session that it came from
            self.meta = payload | object_of(payload.get("meta"))

    def _event(self, payload: dict[str, Any], time: str | None) -> None:
        """Events repeat what items say; only what no item says is taken from them."""
        kind = payload.get("type")
        roles: dict[Any, Role] = {"user_message": "user", "agent_message": "assistant"}
        if kind in tuple(roles) and isinstance(payload.get("message"), str):
            self._said.append(_Turn(roles[kind], time, texts=[payload["message"]]))
        elif kind == "turn_aborted":
            self._interrupt()
        elif kind == "thread_rolled_back" and isinstance(payload.get("num_turns"), int):
            self._roll_back(payload["num_turns"])

    def _interrupt(self) -> None:
        """The last answer was cut off, unless a user's turn came after it."""
        for turn in reversed(self._turns):
            if turn.role == "user" and turn.train is None:
                return
            if turn.role == "assistant":
                turn.train = False
                turn.extra["interrupted"] = True
                return

    def _roll_back(self, turns: int) -> None:
        """The user took back his last turns with all that followed."""
        live = [turn for turn in self._turns if turn.on_path]
        starts = [at for at, turn in enumerate(live) if turn.role == "user" and turn.train is None]
        if turns > 0 and starts:
            for turn in live[starts[max(len(starts) - turns, 0)] :]:
                turn.on_path = False

    def _item(self, item: dict[str, Any], time: str | None) -> str | None:
        kind = item.get("type", "message" if "role" in item else None)
        if kind == "message":
            return self._message(item, time)
        if kind == "reasoning":
            self._reasoning(item, time)
        elif kind in tuple(_CALLS):
            name = text_of(item.get("name"))
            if name is None:
                return f"a {kind} has no name"
            self._call(item, name, item.get(_CALLS[kind]), time)
        elif kind == "local_shell_call":
            self._call(item, "local_shell", item.get("action"), time)
        elif kind in _OUTPUTS:
            self._output(item, time)
        elif self._turns:
            self._turns[-1].extra.setdefault("items", []).append(item)
        else:
            self._others.append(item)
        return None

    def _message(self, item: dict[str, Any], time: str | None) -> str | None:
        role = item.get("role")
        if role not in _ROLES:
            return "a message has no known role"
        source_id = text_of(item.get("id"))
        if role == "assistant":
            turn = self._assistant(time)
            if turn.texts or turn.calls:
                turn = self._new(_Turn("assistant", time))
            turn.source_id = turn.source_id or source_id
        else:
            turn = self._new(_Turn(role, time, source_id))
        self._content(turn, item.get("content"))
        begins = turn.texts[0].lstrip() if turn.texts else ""
        if role in ("system", "developer") or (role == "user" and begins.startswith(_INJECTED)):
            turn.train = False
        return None

    def _reasoning(self, item: dict[str, Any], time: str | None) -> None:
        turn = self._assistant(time)
        if turn.texts or turn.calls:
            turn = self._new(_Turn("assistant", time))
        for key in ("summary", "content"):
            part = _Turn("assistant", None)
            self._content(part, item.get(key))
            turn.thoughts += part.texts
        if text_of(item.get("encrypted_content")):
            turn.extra.setdefault("encrypted_content", []).append(item["encrypted_content"])

    def _call(self, item: dict[str, Any], name: str, arguments: Any, time: str | None) -> None:
        call = text_of(item.get("call_id")) or text_of(item.get("id"))
        call = call or f"call_{len(self._names)}"
        written = "{}" if arguments in (None, "") else as_text(arguments)
        self._assistant(time).calls.append(ToolCall(call, name, written))
        self._names[call] = name
        self._open[call] = None

    def _output(self, item: dict[str, Any], time: str | None) -> None:
        call = text_of(item.get("call_id")) or next(iter(self._open), None)
        if call is not None:
            self._open.pop(call, None)
        turn = self._new(_Turn("tool", time, answers=call))
        output = item.get("output")
        if isinstance(output, list):
            self._content(turn, output)
        elif output is not None:
            turn.texts.append(as_text(output))

    def _assistant(self, time: str | None) -> _Turn:
        """The response that is being written, or a new one."""
        last = self._turns[-1] if self._turns else None
        if last is not None and last.role == "assistant" and last.on_path and last.train is None:
            return last
        return self._new(_Turn("assistant", time))

    def _new(self, turn: _Turn) -> _Turn:
        if turn.role == "assistant" and self._model:
            turn.extra["model"] = self._model
        turn.above = next((each for each in reversed(self._turns) if each.on_path), None)
        self._turns.append(turn)
        return turn

    def _content(self, turn: _Turn, content: Any) -> None:
        parts = [content] if isinstance(content, str) else content
        for part in parts if isinstance(parts, list) else []:
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(part, str):
                turn.texts.append(part)
            elif kind in _TEXTS and isinstance(part.get("text"), str):
                turn.texts.append(part["text"])
            elif kind == "input_image":
                turn.attachments.append(_image(part.get("image_url")))
            else:
                turn.extra.setdefault("content", []).append(part)

    def messages(self) -> tuple[Message, ...]:
        """The messages, each after the one that it followed."""
        turns = self._turns
        if not any(turn.role in ("user", "assistant") and turn.texts for turn in turns):
            turns = [*turns, *self._said]
        instructions = self.meta.get("base_instructions") or self.meta.get("instructions")
        text = text_of(instructions) or text_of(object_of(instructions).get("text"))
        if text and turns:
            system = _Turn("system", None, texts=[text], train=False)
            for turn in turns:
                turn.above = turn.above or system
            turns = [system, *turns]
        if all(turn.on_path for turn in turns):
            return tuple(self._made(turn, turn.source_id, None) for turn in turns)
        # turns taken back make a tree, and a tree needs ids
        keys = {id(turn): f"item-{at}" for at, turn in enumerate(turns)}
        return tuple(
            self._made(turn, keys[id(turn)], keys[id(turn.above)] if turn.above else None)
            for turn in turns
        )

    def _made(self, turn: _Turn, key: str | None, parent: str | None) -> Message:
        return Message(
            role=turn.role,
            content="\n".join(turn.texts),
            name=self._names.get(turn.answers) if turn.answers else None,
            reasoning="\n\n".join(turn.thoughts) or None,
            tool_calls=tuple(turn.calls),
            tool_call_id=turn.answers,
            attachments=tuple(turn.attachments),
            created_at=from_iso(turn.time),
            train=turn.train,
            source_id=key,
            parent_id=parent,
            on_path=turn.on_path,
            extra=turn.extra,
        )

    def facts(self) -> dict[str, Any]:
        """Facts of the session for its ``metadata``."""
        facts = {"compacted": self._compacted, "other": self._others}
        return {key: value for key, value in facts.items() if value}


def _image(url: Any) -> Attachment:
    """A picture by its address; one that is written out is no reference and is left out."""
    if not isinstance(url, str):
        return Attachment("image")
    if url.startswith("data:"):
        return Attachment("image", mime_type=url[5:].partition(";")[0])
    return Attachment("image", uri=url)

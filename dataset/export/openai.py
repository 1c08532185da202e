"""OpenAI's chat fine-tuning: JSON lines ``{"messages", "tools", "parallel_tool_calls"}``."""

import re
from typing import Any

from dataset.export.base import Misfit, Record, Row
from dataset.export.chat import chat_message
from dataset.export.checks import functions, require_assistant
from dataset.export.lines import Lines

# as the API's documentation of messages and of function definitions says
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class OpenAI(Lines):
    """The shape that OpenAI's fine-tuning takes and that most tools read."""

    name = "openai"
    title = "OpenAI chat fine-tuning: messages, tools, weight (JSON lines)"
    cannot = frozenset({"tail", "reasoning"})

    def record(self, row: Row) -> Record:
        """The messages with their weights, and the tools."""
        require_assistant(row)
        tools = functions(row)
        messages = [_message(each) for each in row["messages"]]
        _check_calls(row["messages"])
        value: dict[str, Any] = {"messages": messages}
        if tools:
            value["tools"] = tools
        if any(len(each["tool_calls"] or ()) > 1 for each in row["messages"]):
            value["parallel_tool_calls"] = True
        unsaid = any(each["name"] and not _has_name(each) for each in row["messages"]
                     if each["role"] != "tool")  # fmt: skip
        return Record(value, frozenset({"names that the API refuses"} if unsaid else ()))


def _has_name(message: dict[str, Any]) -> bool:
    # a result has none in the API's schema: its call names the tool
    name = message["name"]
    return message["role"] != "tool" and bool(name and _NAME.fullmatch(name))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    chat = chat_message(message, keep=frozenset({"name"} if _has_name(message) else ()))
    if message["role"] == "assistant":
        if message["train"] is not None:
            chat["weight"] = int(message["train"])
    elif message["train"]:
        raise Misfit("cannot say train=true of a message that is not the assistant's")
    return chat


def _check_calls(messages: list[dict[str, Any]]) -> None:
    made: set[str] = set()
    for message in messages:
        for call in message["tool_calls"] or ():
            if not _FUNCTION.fullmatch(call["name"]):
                raise Misfit("a tool name with other than letters, digits, _ and -, or over 64")
            made.add(call["id"])
        if message["role"] == "tool" and message["tool_call_id"] not in made:
            raise Misfit("a tool result without its call")

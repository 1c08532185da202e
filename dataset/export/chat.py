"""Messages in the shape of OpenAI's chat API, tool arguments as text: what three formats share."""

from typing import Any


def chat_message(message: dict[str, Any], *, keep: frozenset[str] = frozenset()) -> dict[str, Any]:
    """One message of a row with the keys that say something.

    Args:
        message: of a row.
        keep: of ``name`` and ``reasoning_content``, what the format has.

    Returns:
        ``role``, ``content``, and where present ``tool_calls`` (arguments as text: Arrow has no
        type for objects of differing shapes), ``tool_call_id`` and what is in ``keep``.
    """
    chat: dict[str, Any] = {"role": message["role"], "content": message["content"] or ""}
    for key, field in (("name", "name"), ("reasoning_content", "reasoning")):
        if key in keep and message[field] is not None:
            chat[key] = message[field]
    if message["tool_calls"]:
        chat["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for call in message["tool_calls"]
        ]
    if message["tool_call_id"] is not None:
        chat["tool_call_id"] = message["tool_call_id"]
    return chat

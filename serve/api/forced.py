"""Grammars that a request asks for: JSON answers, and answers that are tool calls."""

import json
from collections.abc import Sequence

from serve.api.tool_format import ToolFormat, is_special
from serve.engine.base import Engine, Grammar
from serve.protocol import ChatRequest, JsonObjectFormat, JsonSchemaFormat, NamedToolChoice, Tool


def answer_grammar(body: ChatRequest, engine: Engine, tools: ToolFormat | None) -> Grammar | None:
    """What the answer's text must look like, if the request says so."""
    match body.response_format:
        case JsonObjectFormat():
            return Grammar("json_object")
        case JsonSchemaFormat(json_schema=schema):
            return Grammar("json_schema", json.dumps(schema.definition))
        case _:
            pass
    if body.tool_choice in (None, "none", "auto"):
        return None
    assert tools is not None, "checked when the tools were"
    offered = body.tools or []
    if isinstance(body.tool_choice, NamedToolChoice):
        name = body.tool_choice.function.name
        offered = [tool for tool in offered if tool.function.name == name]
    many = body.tool_choice == "required" and body.parallel_tool_calls is not False
    return Grammar("lark", _calls(engine, tools, offered, many=many))


def _calls(engine: Engine, tools: ToolFormat, offered: Sequence[Tool], *, many: bool) -> str:
    """A Lark grammar of one call, or of several where the format has markers to part them."""
    schemas = [
        {
            "type": "object",
            "properties": {
                tools.name_key: {"const": tool.function.name},
                tools.arguments_key: tool.function.parameters or {"type": "object"},
            },
            "required": [tools.name_key, tools.arguments_key],
            "additionalProperties": False,
        }
        for tool in offered
    ]
    one: dict[str, object] = {"anyOf": schemas} if len(schemas) > 1 else dict(schemas[0])
    if tools.listed:
        one = {"type": "array", "items": one, "minItems": 1} | ({} if many else {"maxItems": 1})
    # white space between the parts would be tokens for nothing, and a weak model's never ends
    one["x-guidance"] = {"whitespace_flexible": False}
    call = f"{_literal(engine, tools.opener)} json {_literal(engine, tools.closer)}".strip()
    repeated = many and tools.opener and tools.closer and not tools.listed
    start = 'call ("\\n" call)*' if repeated else "call"
    return f"start: {start}\ncall: {call}\njson: %json {json.dumps(one)}\n"


def _literal(engine: Engine, text: str) -> str:
    """``text`` for Lark; a special token in it as the token that it is."""
    parts: list[str] = []
    plain = b""
    for token in engine.tokenize(text):
        if is_special(engine, token):
            parts += [json.dumps(plain.decode("utf-8"))] if plain else []
            parts.append(f"<[{token}]>")
            plain = b""
        else:
            plain += engine.token_bytes(token)
    if plain:
        parts.append(json.dumps(plain.decode("utf-8", "replace").strip()))
    return " ".join(parts)

"""Checks exchanges with the RunPod emulator against RunPod's OpenAPI document.

The document is RunPod's and is not kept here: its path comes from ``TURNMILL_RUNPOD_OPENAPI``.
"""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from runpod_emulator import Exchange


@cache
def contract() -> "Contract | None":
    """The contract, or None where no document is given."""
    path = os.environ.get("TURNMILL_RUNPOD_OPENAPI")
    return Contract(json.loads(Path(path).read_text("utf-8"))) if path else None


class Contract:
    """An OpenAPI 3.1 document, asked about exchanges."""

    def __init__(self, document: dict[str, Any]) -> None:
        import jsonschema
        import referencing
        import referencing.jsonschema

        specification = referencing.jsonschema.DRAFT202012
        resource = referencing.Resource(contents=document, specification=specification)
        registry = referencing.Registry().with_resource("urn:api", resource)
        self._document = document

        def validator(pointer: str) -> Any:
            return jsonschema.Draft202012Validator(
                {"$ref": f"urn:api#{pointer}"}, registry=registry
            )

        self._validator = cache(validator)

    def violations(self, exchange: Exchange) -> list[str]:
        """What is wrong with a request and its reply; one that a fault made is not looked at."""
        found = self._operation(exchange)
        if found is None:
            return [f"{exchange.method} {exchange.path}: not in the document"]
        pointer, operation, item = found
        errors = self._parameters(
            exchange, [*item.get("parameters", []), *operation.get("parameters", [])]
        )
        content = operation.get("requestBody", {}).get("content", {})
        if exchange.body and exchange.status != 422:
            if "application/json" not in content:
                errors.append("a body where none is expected")
            else:
                errors += self._errors(
                    f"{pointer}/requestBody/content/application~1json/schema",
                    json.loads(exchange.body),
                )
        if exchange.status is not None and not exchange.scripted:
            errors += self._reply(exchange, pointer, operation)
        return [f"{exchange.method} {exchange.path} {exchange.status}: {error}" for error in errors]

    def _operation(self, exchange: Exchange) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        method = exchange.method.lower()
        for template, item in self._document["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, exchange.path) and method in item:
                pointer = "/paths/" + template.replace("~", "~0").replace("/", "~1") + f"/{method}"
                return _fragment(pointer), item[method], item
        return None

    def _resolved(self, value: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        if "$ref" not in value:
            return None, value
        pointer = value["$ref"].removeprefix("#")
        target: Any = self._document
        for part in pointer.strip("/").split("/"):
            target = target[part]
        return pointer, target

    def _parameters(self, exchange: Exchange, declared: list[dict[str, Any]]) -> list[str]:
        known = [self._resolved(one)[1] for one in declared]
        names = {one["name"] for one in known if one["in"] == "query"}
        errors = [f"query {name} is not in the document" for name in exchange.query.keys() - names]
        for one in known:
            where = exchange.query if one["in"] == "query" else exchange.headers
            value = where.get(one["name"] if one["in"] == "query" else one["name"].lower())
            if value is None or one["in"] == "path":
                continue
            schema = self._resolved(one["schema"])[1]
            errors += [f"{one['name']}: {e}" for e in self._plain(schema, _typed(value, schema))]
        return errors

    def _plain(self, schema: dict[str, Any], value: Any) -> list[str]:
        import jsonschema

        items = schema.get("items", {})
        if "$ref" in items:
            schema = {**schema, "items": self._resolved(items)[1]}
        return [
            error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)
        ]

    def _reply(self, exchange: Exchange, pointer: str, operation: dict[str, Any]) -> list[str]:
        responses = operation["responses"]
        key = str(exchange.status) if str(exchange.status) in responses else "default"
        if key not in responses or (key == "default" and (exchange.status or 0) < 400):
            return [f"status {exchange.status} is not in the document"]
        place, response = self._resolved(responses[key])
        place = place or f"{pointer}/responses/{key}"
        content = response.get("content", {})
        if not content:
            return ["a body where none is expected"] if exchange.reply is not None else []
        if exchange.content_type not in content:
            return [f"{exchange.content_type} is not in the document"]
        if "json" not in exchange.content_type:
            return []
        kind = exchange.content_type.replace("/", "~1")
        return self._errors(f"{place}/content/{kind}/schema", exchange.reply)

    def _errors(self, pointer: str, value: Any) -> list[str]:
        return [f"{e.json_path}: {e.message}" for e in self._validator(pointer).iter_errors(value)]


def _fragment(pointer: str) -> str:
    return pointer.replace("{", "%7B").replace("}", "%7D")


def _typed(value: str, schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer":
        return int(value) if re.fullmatch(r"-?\d+", value) else value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value.split(",") if kind == "array" else value

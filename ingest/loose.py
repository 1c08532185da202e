"""JSON that strict decoders refuse, read with its faults replaced: no record is lost to one."""

import json
import math
import re
import types
import typing
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

TOO_DEEP = "nested too deeply"
_SURROGATE = re.compile("[\ud800-\udfff]")


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _integer(text: str) -> float | None:
    if len(text) > len(str(-(2**63))):
        return _number(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


_LOOSE = json.JSONDecoder(
    parse_int=_integer, parse_float=_number, parse_constant=lambda _: None, strict=False
)


def loads_loose(raw: bytes) -> Any:
    """Decode JSON that a strict decoder refuses.

    Bad UTF-8 and lone surrogates become U+FFFD, integers beyond 64 bits floats, numbers beyond
    floats (and NaN) None; control characters inside strings stand.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        value = _LOOSE.decode(raw.decode("utf-8", "replace").strip(" \t\r\n"))
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    return json.loads(_SURROGATE.sub("\ufffd", text)) if _SURROGATE.search(text) else value


def convert_loose(value: Any, record: type[T]) -> tuple[T, tuple[str, ...]]:
    """A decoded value as a typed record, whatever some of its fields hold.

    A field of the wrong type gets its default, an element of a list that is none of its type is
    left out; both are named.

    Returns:
        (record, faults): ``faults`` are places such as ``messages[3].time``.

    Raises:
        msgspec.ValidationError: it is no object, or a field without a default is wrong.
    """
    faults: list[str] = []
    return _convert(value, record, "", faults), tuple(faults)


def _convert(value: Any, wanted: Any, place: str, faults: list[str]) -> Any:
    try:
        return msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError:
        inner = _without_none(wanted)
        origin, inside = typing.get_origin(inner), typing.get_args(inner)
        if (
            isinstance(value, dict)
            and isinstance(inner, type)
            and issubclass(inner, msgspec.Struct)
        ):
            return _convert_struct(value, inner, place, faults)
        if isinstance(value, list) and origin is list:
            pairs = ((f"{place}[{at}]", each) for at, each in enumerate(value))
            found = (_attempt(each, inside[0], where, faults) for where, each in pairs)
            return [each for each in found if each is not _MISSING]
        if isinstance(value, dict) and origin is dict:
            # keys are the export's: they name no place that may be shown
            found = (_attempt(each, inside[1], f"{place}[...]", faults) for each in value.values())
            items = zip(value, found, strict=True)
            return {key: each for key, each in items if each is not _MISSING}
        raise


_MISSING: Any = object()


def _attempt(value: Any, wanted: Any, place: str, faults: list[str]) -> Any:
    try:
        return _convert(value, wanted, place, faults)
    except msgspec.ValidationError:
        faults.append(place)
        return _MISSING


def _convert_struct(
    value: dict[str, Any], record: type[msgspec.Struct], place: str, faults: list[str]
) -> Any:
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        if field.encode_name not in value:
            continue
        where = f"{place}.{field.encode_name}" if place else field.encode_name
        if field.required:
            kept[field.name] = _convert(value[field.encode_name], field.type, where, faults)
        elif (
            found := _attempt(value[field.encode_name], field.type, where, faults)
        ) is not _MISSING:
            kept[field.name] = found
    missing = [f.name for f in msgspec.structs.fields(record) if f.required and f.name not in kept]
    if missing:
        raise msgspec.ValidationError(f"no field {missing[0]!r}")
    return record(**kept)


def _without_none(wanted: Any) -> Any:
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(wanted) if each is not type(None)]
        return rest[0] if len(rest) == 1 else wanted
    return wanted

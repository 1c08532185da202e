"""JSON that strict decoders refuse, read with its faults replaced: no record is lost to one."""

import json
import math
import re
from typing import Any

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

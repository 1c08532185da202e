"""Changes of structure: what Hypothesis draws, and how it changes a document."""

import copy
from typing import Any, NamedTuple

from fuzz_documents import RAW, REPEATED, RUN_LENGTH, RUNS, paths, raw, value_at
from hypothesis import strategies as st

_TIMES: list[Any] = [
    1e300, -1, 0, -1e18, 10**30, 253402300800, 253402300799999, -62135596801, 1e-9, "0000-00-00",
    "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999+14:00", "0001-01-01T00:00:00-23:59",
    "2026-02-30T25:61:61Z", "2026-03-02T10:00:00+99:99", "now", "2026-W01-1", "1772440000000000000",
    "٢٠٢٦-٠٣-٠٢", "2026-03-02T10:00:00.123456789012345678Z", "31/12/0000, 99:99",
]  # fmt: skip
_ODD: list[Any] = [
    None, True, False, 0, 1, -1, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 1e300, "",
    " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e\u200f", "\u2028", "\n\r\n",
    "\x1b[2J", "NaN", "null", "../../../etc/passwd", "=1+1", "<b>&amp;&#0;</b>", "%s{}$", "0", "-1",
    [], {}, [None], [[]], [{}], {"": None}, {"a": {"b": {"c": []}}}, [1, "a", None, {}],
    "x" * 70_000, "é" * 300, "\U0010ffff\U0001f600", "data:image/png;base64,AAAA", "//////", "{",
    "]", '"', "\\", "'", *[raw(name) for name in RAW],
]  # fmt: skip
_KEYS = ("", "\0", "\ud800", "id", "type", "parent", "messages", "content", "role", "a" * 300, "#1")
_SWEPT = 200
"""Places that one sweeping change reaches at most."""

odd_values = st.one_of(
    st.sampled_from(_ODD),
    st.sampled_from(_TIMES),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=4,
    ),
)

INSIDE = (
    "drop",
    "odd",
    "odd",
    "all odd",
    "all gone",
    "wrap",
    "unwrap",
    "rename",
    "cut",
    "long run",
)
"""Changes that stay inside the record they are made in."""
ANYWHERE = (
    *INSIDE,
    "repeat key",
    "repeat",
    "repeat often",
    "turn round",
    "swap",
    "relink",
    "copy",
    "stray",
)


class Change(NamedTuple):
    """One change. ``place`` and ``other`` are taken modulo the places there are."""

    kind: str
    place: int
    other: int
    value: Any


def changes(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Change]]:
    """One to four changes."""
    places = st.integers(0, 1 << 20)
    one = st.builds(Change, st.sampled_from(kinds), places, places, odd_values)
    return st.lists(one, min_size=1, max_size=4)


def changed(value: Any, drawn: list[Change]) -> Any:
    """A copy of a document's value with the changes made."""
    value = copy.deepcopy(value)
    for change in drawn:
        places = list(paths(value))
        if not places:
            break
        path = places[change.place % len(places)]
        _CHANGES[change.kind](value, path, places, change)
    return value


def _drop(value: Any, path: Any, places: Any, change: Change) -> None:
    del value_at(value, path[:-1])[path[-1]]


def _odd(value: Any, path: Any, places: Any, change: Change) -> None:
    value_at(value, path[:-1])[path[-1]] = copy.deepcopy(change.value)


def _same(path: Any, places: Any) -> list[tuple[Any, ...]]:
    """The places with the same key, the last ones first so that earlier ones stay right."""
    return [each for each in places if each[-1] == path[-1] and len(each) == len(path)][:_SWEPT][
        ::-1
    ]


def _all_odd(value: Any, path: Any, places: Any, change: Change) -> None:
    for each in _same(path, places):
        _odd(value, each, places, change)


def _all_gone(value: Any, path: Any, places: Any, change: Change) -> None:
    for each in _same(path, places):
        _drop(value, each, places, change)


def _wrap(value: Any, path: Any, places: Any, change: Change) -> None:
    inner = value_at(value, path)
    value_at(value, path[:-1])[path[-1]] = [inner] if change.other % 2 else {"value": inner}


def _unwrap(value: Any, path: Any, places: Any, change: Change) -> None:
    inner = value_at(value, path)
    if isinstance(inner, dict | list) and inner:
        first = next(iter(inner.values())) if isinstance(inner, dict) else inner[0]
        value_at(value, path[:-1])[path[-1]] = first


def _rename(value: Any, path: Any, places: Any, change: Change) -> None:
    inner = value_at(value, path[:-1])
    if isinstance(inner, dict):
        inner[_KEYS[change.other % len(_KEYS)]] = inner.pop(path[-1])


def _cut(value: Any, path: Any, places: Any, change: Change) -> None:
    """Half of a list, an object or a text."""
    inner = value_at(value, path)
    if isinstance(inner, dict):
        for key in list(inner)[len(inner) // 2 :]:
            del inner[key]
    elif isinstance(inner, list | str | bytes):
        value_at(value, path[:-1])[path[-1]] = inner[: len(inner) // 2]


def _long_run(value: Any, path: Any, places: Any, change: Change) -> None:
    texts = [each for each in places if isinstance(value_at(value, each), str)]
    if texts:
        place = texts[change.place % len(texts)]
        text, run = value_at(value, place), RUNS[change.other % len(RUNS)]
        at = change.other % (len(text) + 1)
        longer = text[:at] + run * (RUN_LENGTH // len(run)) + text[at:]
        value_at(value, place[:-1])[place[-1]] = longer


def _repeat_key(value: Any, path: Any, places: Any, change: Change) -> None:
    inner = value_at(value, path[:-1])
    if isinstance(inner, dict) and isinstance(path[-1], str):
        inner[REPEATED + path[-1]] = copy.deepcopy(change.value)


def _repeat(value: Any, path: Any, places: Any, change: Change, times: int = 1) -> None:
    inner = value_at(value, path[:-1])
    if isinstance(inner, list):
        copies = [copy.deepcopy(inner[path[-1]]) for _ in range(times)]
        at = change.other % (len(inner) + 1)
        inner[at:at] = copies


def _repeat_often(value: Any, path: Any, places: Any, change: Change) -> None:
    _repeat(value, path, places, change, 50)


def _turn_round(value: Any, path: Any, places: Any, change: Change) -> None:
    inner = value_at(value, path)
    if isinstance(inner, list):
        inner.reverse()
    elif isinstance(inner, dict):
        turned = dict(reversed(inner.items()))
        inner.clear()
        inner.update(turned)


def _swap(value: Any, path: Any, places: Any, change: Change) -> None:
    other = places[change.other % len(places)]
    shared = min(len(path), len(other))
    if path[:shared] != other[:shared]:
        one, two = value_at(value, path), value_at(value, other)
        value_at(value, path[:-1])[path[-1]] = two
        value_at(value, other[:-1])[other[-1]] = one


def _copy(value: Any, path: Any, places: Any, change: Change) -> None:
    """The value of another place: a repeated id, a parent elsewhere, a message inside a message."""
    other = value_at(value, places[change.other % len(places)])
    value_at(value, path[:-1])[path[-1]] = copy.deepcopy(other)


def _relink(value: Any, path: Any, places: Any, change: Change) -> None:
    """An id where another stood: cycles, doubles, parents that are not there."""
    names = [each for each in places if isinstance(each[-1], str) and _is_link(each[-1])
             and isinstance(value_at(value, each), str | int)]  # fmt: skip
    if names:
        to, of = names[change.place % len(names)], names[change.other % len(names)]
        value_at(value, to[:-1])[to[-1]] = value_at(value, of)


def _is_link(key: str) -> bool:
    key = key.lower()
    return key.endswith(("id", "ids", "parent", "ts", "uuid", "current_node", "guid", "key"))


def _stray(value: Any, path: Any, places: Any, change: Change) -> None:
    """Something nobody expects, put between what is there."""
    inner = value_at(value, path[:-1])
    if isinstance(inner, list):
        inner.insert(change.other % (len(inner) + 1), copy.deepcopy(change.value))
    else:
        inner[_KEYS[change.other % len(_KEYS)]] = copy.deepcopy(change.value)


_CHANGES = {
    "drop": _drop, "odd": _odd, "all odd": _all_odd, "all gone": _all_gone, "wrap": _wrap,
    "unwrap": _unwrap, "rename": _rename, "cut": _cut, "repeat key": _repeat_key, "repeat": _repeat,
    "repeat often": _repeat_often, "turn round": _turn_round, "swap": _swap, "relink": _relink,
    "copy": _copy, "stray": _stray, "long run": _long_run,
}  # fmt: skip

"""The readers of giant files: against ``json.load``, at every block size, with damage in them."""

import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.blocks import Block, CutError, iter_blocks, read_block
from ingest.lines import iter_lines
from ingest.loose import loads_loose
from ingest.stream import Broken, Element, iter_array

decode_any = msgspec.json.Decoder().decode
decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Talk(msgspec.Struct):
    title: str
    body: list[str]


decode_talk = msgspec.json.Decoder(Talk).decode


def split(raw: bytes, decode: Any = decode_object, **options: int) -> list[Element | Broken]:
    return list(iter_array(io.BytesIO(raw), decode, **options))


def values(raw: bytes, decode: Any = decode_object, **options: int) -> list[Any]:
    items = split(raw, decode, **options)
    assert not [item for item in items if isinstance(item, Broken)]
    return [item.value for item in items if isinstance(item, Element)]


def talk(number: int, text: str = "some text") -> bytes:
    return json.dumps({"title": f"t{number}", "body": [text, 'a } , {"title" b', "\\"]}).encode()


def talks(count: int) -> list[bytes]:
    return [talk(number) for number in range(count)]


def array(elements: list[bytes], separator: bytes = b", ") -> bytes:
    return b"[" + separator.join(elements) + b"]"


# -- against json.load ---------------------------------------------------------------------------

TEXT = st.text(st.sampled_from(list('ab"\\{}[],: \nü€😀')), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers(-9, 9) | TEXT
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXT, VALUE, max_size=3), max_size=6)
LIKE_OBJECTS = st.lists(
    st.builds(
        lambda first, rest: {"id": first, "children": rest},
        VALUE,
        st.lists(st.builds(lambda inner: {"id": inner}, SCALAR), max_size=6),
    ),
    max_size=6,
)
STYLES = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


@given(document=st.lists(VALUE, max_size=6), style=STYLES, block=st.integers(1, 70))
def test_any_array_splits_as_json_reads_it(document, style, block):
    raw = json.dumps(document, **style).encode()
    assert values(raw, decode_any, block=block) == json.loads(raw)


@given(document=OBJECTS | LIKE_OBJECTS, style=STYLES, block=st.integers(1, 70))
def test_objects_split_as_json_reads_them_whatever_their_text_and_nesting(document, style, block):
    raw = json.dumps(document, **style).encode()
    assert values(raw, block=block) == json.loads(raw)


@given(document=LIKE_OBJECTS, block=st.integers(1, 70))
def test_offsets_and_bytes_of_elements_are_those_of_the_file(document, block):
    raw = json.dumps(document).encode()
    items = split(raw, block=block)
    assert [raw[item.offset : item.offset + len(item.raw)] for item in items] == [
        item.raw for item in items
    ]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 64, 1 << 20])
def test_a_bom_and_space_around_are_dropped(block):
    raw = b"\xef\xbb\xbf \n [ {} , {} ] \n"
    assert values(raw, block=block) == [{}, {}]


# -- damage --------------------------------------------------------------------------------------

DAMAGE = {
    "wrong type": b'{"title": 5, "body": []}',
    "lone surrogate": b'{"title": "\\ud83d", "body": []}',
    "bad utf-8": b'{"title": "\xff\xfe", "body": []}',
    "deep nesting": b'{"title": "t", "body": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "unclosed string": b'{"title": "t, "body": ["x"]}',
    "unclosed string with brackets in its text": b'{"title": "t, "body": ["}]} {[", "x"]}',
    "unclosed bracket": b'{"title": "t", "body": ["x"}',
    "no closing brace": b'{"title": "t", "body": ["x"]',
    "not an object": b'"just text, with [brackets}"',
    "a number": b"1e400",
    "nothing": b"",
    "garbage": b"\x00\x01 ]]]",
    "control character": b'{"title": "a\nb", "body": []}',
}


@pytest.mark.parametrize("block", [64, 700, 1 << 22])
@pytest.mark.parametrize("place", [0, 2, 500, 999])
@pytest.mark.parametrize("damage", DAMAGE)
def test_one_bad_element_costs_no_other(damage, place, block):
    elements = talks(1000)
    elements[place] = DAMAGE[damage]
    good = [
        item.value.title
        for item in split(array(elements), decode_talk, block=block)
        if isinstance(item, Element) and item.value is not None
    ]
    assert good == [f"t{number}" for number in range(1000) if number != place]


@pytest.mark.parametrize("damage", ["wrong type", "lone surrogate", "bad utf-8", "deep nesting"])
def test_a_whole_element_that_decode_refuses_comes_out_raw(damage):
    elements = talks(5)
    elements[2] = DAMAGE[damage]
    items = split(array(elements), decode_talk)
    assert items[2] == Element(len(array(elements[:2])) + 1, DAMAGE[damage], None)


@pytest.mark.parametrize("damage", ["unclosed string", "unclosed bracket"])
def test_a_damaged_element_is_reported_with_its_place(damage):
    elements = talks(5)
    elements[2] = DAMAGE[damage]
    start = len(array(elements[:2])) + 1
    broken = [item for item in split(array(elements), decode_talk) if isinstance(item, Broken)]
    assert [item.offset for item in broken] == [start]
    assert broken[0].end == start + len(DAMAGE[damage]) + 2


@given(
    places=st.sets(st.integers(0, 29), max_size=8),
    kind=st.sampled_from(["wrong type", "bad utf-8", "unclosed string", "no closing brace"]),
    block=st.integers(1, 300),
)
def test_several_bad_elements_cost_only_themselves(places, kind, block):
    elements = talks(30)
    for place in places:
        elements[place] = DAMAGE[kind]
    items = split(array(elements), decode_talk, block=block)
    good = [i.value.title for i in items if isinstance(i, Element) and i.value is not None]
    assert good == [f"t{number}" for number in range(30) if number not in places]


PART = {"type": "part", "id": 1, "body": "x"}
CASE = {"type": "case", "id": 1, "parts": [PART, PART, PART], "state": "open"}


@pytest.mark.parametrize("block", [16, 1 << 22])
@pytest.mark.parametrize("spaces", [None, 1])
@pytest.mark.parametrize("damage", [b'"case', b'"id"', b'"parts": [', b'"open"'])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_insides_of_a_damaged_element_are_no_elements(block, spaces, damage, place):
    """Its parts begin as it does, and any object decodes."""
    cases = [json.dumps(CASE | {"id": number}, indent=spaces).encode() for number in range(4)]
    cases[place] = cases[place].replace(damage, b"\xff{", 1)
    raw = b'{"total": 4, "cases": ' + array(cases) + b', "next": [{"type": "page"}]}'
    items = list(iter_array(io.BytesIO(raw), decode_object, path=("cases",), block=block))
    found = [item.value["id"] for item in items if isinstance(item, Element)]
    assert found == [number for number in range(4) if number != place]
    assert len(items) == 4


@pytest.mark.parametrize("block", [16, 1 << 22])
@pytest.mark.parametrize(
    "text", [b'{"tXtle": "t", "body": [" ]}', b'{"tit', b'"title": 1, {}', b"{]", b'"']
)
def test_damage_in_the_first_key_of_the_file_costs_no_other(block, text):
    items = split(array([text, *talks(9)]), decode_talk, block=block)
    found = [i.value.title for i in items if isinstance(i, Element) and i.value is not None]
    assert found == [f"t{number}" for number in range(9)]


@pytest.mark.parametrize("block", [16, 1 << 22])
def test_after_damage_elements_that_begin_unlike_the_first_are_found(block):
    others = [b'{"body": [], "title": "a"}', b'{ "body": ["x"], "title": "b"}', talk(7)]
    items = split(
        array([talk(0), b'{"title": "t, "body": ["x"]}', *others]), decode_talk, block=block
    )
    found = [item.value.title for item in items if isinstance(item, Element)]
    assert found == ["t0", "a", "b", "t7"]


@pytest.mark.parametrize("block", [16, 100, 400, 1 << 22])
def test_a_list_whose_element_lost_its_beginning_does_not_end_the_array(block):
    cases = [json.dumps(CASE | {"id": number}).encode() for number in range(8)]
    cases[3] = cases[3].partition(b'"parts": [')[2]
    raw = b'{"cases": ' + array(cases) + b"}"
    items = list(iter_array(io.BytesIO(raw), decode_object, path=("cases",), block=block))
    found = [item.value for item in items if isinstance(item, Element)]
    assert [case["id"] for case in found if "parts" in case] == [0, 1, 2, 4, 5, 6, 7]
    assert blockwise(raw, ("cases",), block) == items


def blockwise(raw: bytes, path: tuple[str, ...], block: int) -> list[Element | Broken]:
    """The array by blocks, as several processes read it: one pass from the first bad block on."""
    found: list[Element | Broken] = []
    for each in iter_blocks(io.BytesIO(raw), path, block=block):
        assert isinstance(each, Block)
        try:
            found += list(read_block(each, decode_object))
        except CutError:
            whole = iter_array(io.BytesIO(raw), decode_object, path=path)
            return found + [item for item in whole if item.offset >= each.offset]
    return found


@pytest.mark.parametrize("block", [16, 1 << 22])
def test_an_element_cut_off_inside_a_list_does_not_take_the_next_ones_for_its_own(block):
    damaged = b'{"title": "x", "body": ["x"'
    items = split(array([talk(0), damaged, talk(2), talk(3)]), decode_talk, block=block)
    found = [item.value.title for item in items if isinstance(item, Element)]
    assert found == ["t0", "t2", "t3"]


# 19: right after the list of parts, which may be the array's end as well
@pytest.mark.parametrize("cut", [*range(2, 19), *range(20, 40)])
def test_a_cut_off_end_gives_no_elements_of_its_own(cut):
    raw = array([json.dumps(CASE).encode()] * 3)
    items = split(raw[:-cut])
    assert [type(item) for item in items] == [Element, Element, Broken]


# -- shapes that mislead the fast path -----------------------------------------------------------


def test_children_that_begin_like_their_parent_do_not_make_it_quadratic():
    tried = 0

    def counting(raw: bytes) -> Any:
        nonlocal tried
        tried += 1
        return decode_object(raw)

    document = [{"id": n, "children": [{"id": c} for c in range(200)]} for n in range(50)]
    assert values(json.dumps(document).encode(), counting) == document
    assert tried <= 50 * 5


def test_a_separator_seen_between_children_is_not_taken_for_that_of_the_elements():
    first = {"id": 0, "children": [{"id": 1}, {"id": 2}]}
    later = [{"id": n, "children": []} for n in range(3, 400)]
    # children stand close, elements on lines of their own
    lines = [json.dumps(each, separators=(",", ":")).encode() for each in (first, *later)]
    raw = array(lines, b",\n")
    read = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            data = super().read(size)
            read += len(data)
            return data

    items = iter_array(Counted(raw), decode_object, block=256)
    assert next(items).value == first
    assert next(items).value == later[0]
    assert read < 2048
    assert [item.value for item in items] == later[1:]


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_first_keys_that_differ_or_hold_an_escaped_quote(block):
    document = [{"a": 1}, {"b": {"a": 2}}, {'q"u': 3}, {'q"u': 4}, {}, {"a": 5}]
    assert values(json.dumps(document).encode(), block=block) == document


@pytest.mark.parametrize("separators", [[b",", b" , ", b",\n"], [b", ", b",", b"\n,\t"]])
def test_spacing_that_changes_on_the_way(separators):
    elements = talks(30)
    raw = b"["
    for number, element in enumerate(elements):
        raw += element + (separators[number % 3] if number < 29 else b"]")
    assert [each.title for each in values(raw, decode_talk)] == [f"t{n}" for n in range(30)]


@pytest.mark.parametrize("block", [64, 1000, 4096])
def test_an_element_longer_than_the_block(block):
    document = [{"id": 1}, {"id": 2, "text": 'x"{[' * 5000}, {"id": 3}]
    assert values(json.dumps(document).encode(), block=block) == document


def test_an_element_longer_than_the_block_is_read_in_growing_pieces():
    sizes: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    raw = json.dumps([{"id": 1}, {"id": 2, "text": "x" * 100_000}, {"id": 3}]).encode()
    assert len(list(iter_array(Counted(raw), decode_object, block=64))) == 3
    assert len(sizes) < 40


@pytest.mark.parametrize("block", [64, 128])
def test_an_element_over_the_cap_is_given_up_and_the_rest_goes_on(block):
    elements = [talk(0), talk(1, "x" * 5000), talk(2), talk(3)]
    items = split(array(elements), decode_talk, block=block, max_element=1000)
    good = [i.value.title for i in items if isinstance(i, Element) and i.value is not None]
    assert good[0] == "t0"
    assert good[-1] == "t3"
    assert any(isinstance(item, Broken) for item in items)


def test_damage_longer_than_the_cap_does_not_fill_the_memory():
    raw = b'[{"title": "a' + b"x" * 300_000 + b", " + talk(1) + b", " + talk(2) + b"]"
    largest = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal largest
            largest = max(largest, size or 0)
            return super().read(size)

    first, *rest = iter_array(Counted(raw), decode_talk, block=256, max_element=4096)
    assert isinstance(first, Broken)
    assert (first.offset, first.end) == (1, raw.index(talk(1)))
    assert [item.value.title for item in rest if isinstance(item, Element)] == ["t1", "t2"]
    assert largest < 4 * 4096


# -- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"[]", b"[ ]", b" [\n]\n"])
def test_an_empty_array_has_no_items(raw):
    assert split(raw) == []


@pytest.mark.parametrize("block", [1, 4096])
def test_one_element(block):
    assert values(b'[{"a": 1}]', block=block) == [{"a": 1}]


@pytest.mark.parametrize("block", [1, 16, 4096])
def test_every_cut_keeps_the_complete_elements_and_reports_one_tail(block):
    elements = talks(3)
    whole = array(elements)
    ends = [len(array(elements[: n + 1])) - 1 for n in range(3)]
    for cut in range(2, len(whole)):
        items = split(whole[:cut], decode_talk, block=block)
        complete = sum(end <= cut for end in ends)
        assert [i.value.title for i in items[:-1] if isinstance(i, Element)] == [
            f"t{n}" for n in range(complete)
        ]
        tail = items[-1]
        assert isinstance(tail, Broken)
        assert ends[complete - 1] <= tail.offset if complete else tail.offset == 1
        assert tail.end == cut


def test_no_closing_bracket_is_reported():
    assert split(b'[{"a": 1}') == [
        Element(1, b'{"a": 1}', {"a": 1}),
        Broken(9, 9, "the array has no end"),
    ]


@pytest.mark.parametrize("block", [1, 4096])
def test_bytes_after_the_array_are_reported_not_dropped(block):
    items = split(b'[{"a": 1}]  [{"a": 2}]\n', block=block)
    assert items == [
        Element(1, b'{"a": 1}', {"a": 1}),
        Broken(12, 23, "bytes after the end of the array"),
    ]


def test_a_comma_before_the_end_and_a_missing_comma_lose_nothing():
    assert values(b'[{"a": 1},{"a": 2} {"a": 3},]') == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_no_array_gives_one_broken():
    assert split(b'{"a": 1}') == [Broken(0, 8, "does not start with '['")]


def test_an_empty_file_gives_one_broken():
    assert [type(item) for item in split(b"")] == [Broken]


@pytest.mark.parametrize("block", range(1, 24))
@pytest.mark.parametrize("backslashes", range(5))
def test_runs_of_backslashes_across_the_blocks(backslashes, block):
    # heads that differ make every element go through the scanner
    document = [{"a": "\\" * backslashes + '" ]} {['}, {"b": "\\" * backslashes}, {"c": 1}]
    assert values(json.dumps(document).encode(), block=block) == document


# -- lines ---------------------------------------------------------------------------------------


def lines(raw: bytes, **options: int) -> list[tuple[int, bytes]]:
    return list(iter_lines(io.BytesIO(raw), **options))


@given(
    raw=st.binary(max_size=200)
    | st.lists(st.sampled_from([b"\n", b"\r\n", b"x", b" ", b"\xff"])).map(b"".join),
    block=st.integers(1, 40),
)
def test_lines_are_those_of_the_file_at_any_block_size(raw, block):
    found = lines(raw, block=block)
    if not raw.startswith(b"\xef\xbb\xbf"):
        expected = [line.rstrip(b"\r") for line in raw.split(b"\n") if line.strip()]
        assert [line for _, line in found] == expected
    for offset, line in found:
        assert raw[offset : offset + len(line)] == line


@pytest.mark.parametrize("block", [1, 2, 3, 4096])
def test_a_bom_before_the_first_line_is_dropped(block):
    assert lines(b"\xef\xbb\xbfa\r\nb", block=block) == [(3, b"a"), (6, b"b")]


def test_a_line_over_the_cap_is_cut():
    found = [line for _, line in lines(b"a" * 100 + b"\nb", block=10, max_line=25)]
    assert b"".join(found) == b"a" * 100 + b"b"
    assert max(map(len, found)) < 2 * 25 + 10


# -- the loose decoder ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"a\\ud83d b"', "a\ufffd b"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\xff"', "\ufffd"),
        (b'{"\\ud83d": ["\\udc00"]}', {"\ufffd": ["\ufffd"]}),
        (b'"plain ?"', "plain ?"),
        (b"[1, 2.5, true, null]", [1, 2.5, True, None]),
        (b"123456789012345678901234567890", 1.2345678901234568e29),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 2.0**64),
        (b"9" * 5000, None),
        (b"1e400", None),
        (b'"a\nb\x00"', "a\nb\0"),
        (b"[NaN, -Infinity]", [None, None]),
    ],
)
def test_what_a_strict_decoder_refuses_is_read_with_replacements(raw, value):
    found = loads_loose(raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": }', b"[" * 100_000, b"[" * 9999 + b"]" * 9999])
def test_what_is_no_json_is_a_value_error(raw):
    with pytest.raises(ValueError, match=r"."):
        loads_loose(raw)


def alike(number: int) -> dict[str, Any]:
    """A record whose inner objects begin with the same key as itself."""
    inner = [{"uuid": f"{number}-{at}", "text": 'a } , {"uuid": "b"'} for at in range(20)]
    return {"uuid": str(number), "name": "x", "inner": inner}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
def test_inner_objects_that_begin_like_their_record_neither_part_nor_slow_it(separators, block):
    records = [alike(number) for number in range(300)]
    calls = 0

    def decode(raw: bytes) -> Any:
        nonlocal calls
        calls += 1
        return msgspec.json.decode(raw)

    text = json.dumps(records, separators=separators).encode()
    found = list(iter_array(io.BytesIO(text), decode, block=block))
    assert [item.value for item in found] == records
    if block > 4096:
        assert calls < 1.2 * len(records)


def test_damage_among_such_records_costs_itself():
    parts = [json.dumps(alike(number)).encode() for number in range(60)]
    parts[40] = parts[40].replace(b'"name": "x"', b'"name": x')
    found = list(iter_array(io.BytesIO(b"[" + b", ".join(parts) + b"]"), msgspec.json.decode))
    assert [isinstance(item, Broken) for item in found] == [at == 40 for at in range(60)]

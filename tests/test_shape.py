"""What a file looks like from its first bytes."""

import json
from time import process_time

import pytest

from ingest.shape import peek_bytes

CASES = [
    (b"", "empty", []),
    (b" \n\t", "empty", []),
    (b"{}", "object", []),
    (b"[]", "array", []),
    (b'{"a": 1, "b": {"c": 2}}', "object", ["a", "b"]),
    (b'[{"a": 1, "b": 2}, {"z": 1}]', "array", ["a", "b"]),
    (b'\n\n  [ {"a": 1} ]', "array", ["a"]),
    (b'\xef\xbb\xbf[{"a": 1}]', "array", ["a"]),
    (b'\xef\xbb\xbf{"a": 1}\n{"b": 1}\n', "lines", ["a"]),
    (b'{"a": 1}\n{"b": 1}\n', "lines", ["a"]),
    (b'{"a": 1}\r\n{"b": 1}', "lines", ["a"]),
    (b'{"a": 1}\n', "object", ["a"]),
    (b'{broken\n{"a": 1}\n{"b": 1}\n', "lines", ["a"]),
    (b'{"a": 1}\n"text"\n', "lines", ["a"]),
    (b'{\n "a": 1,\n "b": 2\n}\n', "object", ["a", "b"]),
    (b"[1, 2]", "array", []),
    (b'["a"]', "array", []),
    (b"[12.01.18, 10:00:00] Anna: hi", "text", []),
    (b"{not json", "object", []),
    (b"{not: json}", "text", []),
    (b"plain text", "text", []),
    (b"caf\xe9", "text", []),
    (b"PK\x03\x04\x00\x00", "binary", []),
    (b'{"a": "\x00"}', "object", ["a"]),
    ('[{"a": 1}]'.encode("utf-16"), "array", ["a"]),
    ("plain".encode("utf-16"), "text", []),
    ("plain".encode("utf-16")[:-1], "text", []),
    (b'[{"a": 1}, {"b": [}, {"c": 1}]', "array", ["a"]),
    (b'[{"a": 1}, {"b": tru}, {"c": 1}]', "array", ["a"]),
    (b'[{"a": "x\ty"}]', "array", ["a"]),
    (b"[" * 5000, "array", []),
    (b"}{", "text", []),
    (b"]", "text", []),
]


@pytest.mark.parametrize(("head", "kind", "keys"), CASES)
def test_kind_and_keys_of_the_first_object(head, kind, keys):
    look = peek_bytes(head, whole=True)
    assert (look.kind, list(look.first)) == (kind, keys)


DOCUMENT = json.dumps(
    [{"title": 'a "quoted" ] one', "mapping": {"x": [1, {"y": None}]}, "end": True}]
).encode()


@pytest.mark.parametrize("cut", range(2, len(DOCUMENT)))
def test_a_document_cut_anywhere_keeps_the_keys_that_are_whole(cut):
    look = peek_bytes(DOCUMENT[:cut], whole=False)
    assert look.kind == "array"
    expected = [key for key in ("title", "mapping", "end") if _value_begun(key) <= cut]
    assert [key for key in look.first if key in expected] == expected


def _value_begun(key: str) -> int:
    """Bytes after which the head surely shows the key with a value."""
    place = DOCUMENT.index(b'"' + key.encode() + b'":')
    return {"title": DOCUMENT.index(b"one") + 5, "mapping": place + 12, "end": len(DOCUMENT)}[key]


def test_the_last_line_of_a_cut_head_does_not_count():
    look = peek_bytes(b'{"a": 1}\n{"b": 1}\n{"c": 1', whole=False)
    assert look.value == [{"a": 1}, {"b": 1}]


def test_one_long_first_line_shows_its_keys():
    look = peek_bytes(b'{"messages": [{"role": "user", "content": "' + b"x" * 500, whole=False)
    assert look.kind == "object"
    assert look.first["messages"][0]["role"] == "user"


@pytest.mark.parametrize("odd", [b"\0", b"\xff\xfe", b'"', b"]", b"tru", b"\0" * 40])
def test_what_stands_before_damage_still_tells_the_format(odd):
    head = b'{"type": "list", "pages": {"page": 1}, "cases": [{"id": 1, "parts": [' + odd
    look = peek_bytes(head + b'{"id": 2}]}]}', whole=True)
    assert look.first["cases"][0]["id"] == 1


def test_text_with_a_nul_is_text_and_a_database_is_none():
    assert peek_bytes(b"12.01.18, 10:00 - Anna: h\0i", whole=True).kind == "text"
    assert peek_bytes(b"SQLite format 3\0 and some text", whole=True).kind == "binary"
    assert peek_bytes(b"abc" + b"\0" * 50, whole=True).kind == "binary"


@pytest.mark.parametrize("deep", [b"[" * 9000 + b"]" * 9000, b'{"a":' * 6000 + b"1" + b"}" * 6000])
def test_what_is_nested_too_deeply_hides_nothing_after_it(deep):
    look = peek_bytes(b'{"cases": [{"title": ' + deep + b', "id": 1}, {"id": 2}]}', whole=True)
    assert [case["id"] for case in look.first["cases"]] == [1, 2]


@pytest.mark.parametrize("head", [b"[" * 65536, b'{"a":' * 13000, b"[{" * 32000])
def test_a_head_of_brackets_is_looked_at_in_no_time(head):
    started = process_time()
    peek_bytes(head, whole=False)
    assert process_time() - started < 1


def test_two_lines_are_lines_though_the_first_is_damaged():
    assert peek_bytes(b'{"a": 1, "b": \\x}\n{"a": 2}\n', whole=True).kind == "lines"
    pretty = b'{"messages": [\n{"a": 1},\n{"a": 2}\n]}'
    assert peek_bytes(pretty, whole=True).kind == "object"


def test_a_number_of_any_length_hides_nothing():
    look = peek_bytes(b'{"cases": [{"n": ' + b"9" * 5000 + b', "id": 1}]}', whole=True)
    assert look.first["cases"][0]["id"] == 1

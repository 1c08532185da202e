"""Strings that remember where their characters come from: one law for each operation of ``str``."""

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from provenance_ground import BLANKS, LETTERS, TEMPLATE, built, check, parts, texts, whole

from train.provenance import (
    TOOLS,
    Span,
    Traced,
    TracedBytes,
    concat,
    lifted,
    opaque,
    origins_of,
    spans_of,
    traced,
)

# each takes two texts and a small number
EXACT = {
    "add": lambda s, t, n: s + t,
    "add literal": lambda s, t, n: "<1" + s + "2>",
    "times": lambda s, t, n: s * n,
    "times left": lambda s, t, n: n * s,
    "get": lambda s, t, n: s[n % len(s)] if s else "",
    "get negative": lambda s, t, n: s[-1 - n % len(s)] if s else "",
    "slice": lambda s, t, n: s[n:],
    "slice end": lambda s, t, n: s[:n],
    "slice both": lambda s, t, n: s[n:-n],
    "slice crossed": lambda s, t, n: s[n : n - 2],
    "slice negative": lambda s, t, n: s[-n:],
    "step": lambda s, t, n: s[n :: abs(n) + 1],
    "step back": lambda s, t, n: s[:: -abs(n) - 1],
    "step back from": lambda s, t, n: s[n:1:-2],
    "reverse": lambda s, t, n: s[::-1],
    "characters": lambda s, t, n: list(s),
    "reversed": lambda s, t, n: list(reversed(s)),
    "strip": lambda s, t, n: s.strip(),
    "lstrip": lambda s, t, n: s.lstrip(),
    "rstrip": lambda s, t, n: s.rstrip(),
    "strip chars": lambda s, t, n: s.strip(t),
    "lstrip chars": lambda s, t, n: s.lstrip(t),
    "rstrip chars": lambda s, t, n: s.rstrip(t),
    "removeprefix": lambda s, t, n: s.removeprefix(s[:n] if n % 2 else t),
    "removesuffix": lambda s, t, n: s.removesuffix(s[n:] if n % 2 else t),
    "split": lambda s, t, n: s.split(),
    "split most": lambda s, t, n: s.split(None, n),
    "split at": lambda s, t, n: s.split(t[:1] or "|", n),
    "split at all": lambda s, t, n: s.split(sep=s[n : n + 2] or "1"),
    "rsplit": lambda s, t, n: s.rsplit(),
    "rsplit most": lambda s, t, n: s.rsplit(None, n),
    "rsplit at": lambda s, t, n: s.rsplit(t[:1] or "|", n),
    "splitlines": lambda s, t, n: s.splitlines(),
    "splitlines kept": lambda s, t, n: s.splitlines(keepends=True),
    "partition": lambda s, t, n: s.partition(t[:1] or "|"),
    "rpartition": lambda s, t, n: s.rpartition(t[:1] or "|"),
    "partition own": lambda s, t, n: s.partition(s[n : n + 2] or "1"),
    "join": lambda s, t, n: s.join([t, "1", s]),
    "join one": lambda s, t, n: s.join([t] * min(abs(n), 2)),
    "join characters": lambda s, t, n: s.join(t),
    "join generator": lambda s, t, n: s.join(one for one in (t, t, s)),
    "replace": lambda s, t, n: s.replace(t[:1], t),
    "replace own": lambda s, t, n: s.replace(s[n : n + 1], "23"),
    "replace own by": lambda s, t, n: s.replace(s[n : n + 2], t, n),
    "replace nothing": lambda s, t, n: s.replace("", t, n),
    "replace all nothing": lambda s, t, n: s.replace("", t),
    "center": lambda s, t, n: s.center(len(s) + n, "1"),
    "center traced": lambda s, t, n: s.center(n * 3, t[:1] or "2"),
    "ljust": lambda s, t, n: s.ljust(n * 3, t[:1] or "2"),
    "rjust": lambda s, t, n: s.rjust(n * 3, t[:1] or "2"),
    "zfill": lambda s, t, n: s.zfill(n * 3),
    "zfill signed": lambda s, t, n: ("+" + s).zfill(n * 3),
    "upper": lambda s, t, n: s.upper(),
    "lower": lambda s, t, n: s.lower(),
    "title": lambda s, t, n: s.title(),
    "capitalize": lambda s, t, n: s.capitalize(),
    "swapcase": lambda s, t, n: s.swapcase(),
    "casefold": lambda s, t, n: s.casefold(),
    "translate": lambda s, t, n: s.translate({ord("a"): "ab", ord("n"): None, ord("1"): "23"}),
    "format nothing": lambda s, t, n: format(s),
}
# the characters that fill up are nobody's, or everybody's
OPAQUE = {
    "format": lambda s, t, n: (s + "{}{}").format(t, s),
    "format place": lambda s, t, n: (s + "{1}").format(t, s),
    "format map": lambda s, t, n: (s + "{x}").format_map({"x": t}),
    "format width": lambda s, t, n: format(s, f"1>{abs(n) * 3}"),
    "percent": lambda s, t, n: (s + "%s%%") % t,
    "percent right": lambda s, t, n: "%s<1>" % s,  # noqa: UP031
    "translate": lambda s, t, n: s.translate({ord("a"): t}),
    "decode": lambda s, t, n: s.encode().decode(),
    "decode slice": lambda s, t, n: (b"1" + s.encode() + t.encode())[n:].decode(errors="ignore"),
}


def laws(operations, s, t, n, exact=True):
    for name, operation in operations.items():
        note(name)
        check(operation(lifted(s), t, n), operation(whole(s), whole(t), n), exact)


@settings(max_examples=150, deadline=None)
@given(texts(), texts(), st.integers(-4, 6))
def test_each_character_keeps_its_origin(s, t, n):
    laws(EXACT, s, t, n)


@settings(max_examples=50, deadline=None)
@given(texts(), texts(), st.integers(-4, 6))
def test_the_templates_own_text_is_taken_in_and_takes_in(s, t, n):
    laws(EXACT, s, "".join(one for one in whole(t) if one in TEMPLATE), n)
    laws(EXACT, "".join(one for one in whole(s) if one in TEMPLATE), t, n)


@settings(max_examples=100, deadline=None)
@given(texts(), texts(), st.integers(-4, 6))
def test_nothing_is_lost_where_origins_are_not_exact(s, t, n):
    laws(OPAQUE, s, t, n, exact=False)


@given(texts(), st.integers(0, 9))
def test_expanded_tabs_stay_where_they_were(s, n):
    # a tab of message 1 becomes blanks, which are the template's in this alphabet
    made = s.replace(" ", "").expandtabs(n)
    assert whole(made) == whole(s).replace(" ", "").expandtabs(n)
    for at, character in enumerate(whole(made)):
        owners = {span.message for span in spans_of(made) if span.start <= at < span.end}
        if character == " ":
            assert owners == {1}
    check(made.replace(" ", ""), whole(made).replace(" ", ""))


@given(parts())
def test_joining_and_adding_say_the_same(pieces):
    added = ""
    for owner, text in pieces:
        added = added + (text if owner is None else Traced(text, owner, f"f{owner}"))
    check(added, built(pieces))
    assert spans_of(added) == spans_of(built(pieces))
    assert spans_of("".join(whole(added))) == ()


@given(parts())
def test_each_empty_text_keeps_its_place(pieces):
    made = built(pieces)
    at = 0
    for owner, text in pieces:
        if owner is not None and not text:
            assert any(
                span.message == owner and span.start <= at <= span.end for span in spans_of(made)
            )
        at += len(text)


@given(texts(), texts())
def test_templates_branch_as_they_do_on_plain_text(s, t):
    for left, right in ((s, t), (s, whole(s)), (s, s[:2])):
        assert (left == right) is (whole(left) == whole(right))
        assert (left < right) is (whole(left) < whole(right))
        assert (right in left) is (whole(right) in whole(left))
        assert left.startswith(right) is whole(left).startswith(whole(right))
        assert left.find(right) == whole(left).find(whole(right))
    assert hash(s) == hash(whole(s))
    assert {s: 1}.get(whole(s)) == 1
    assert bool(s) is bool(whole(s))
    assert s.isspace() is whole(s).isspace()


def test_str_keeps_a_traced_string():
    text = Traced("ab", 0, "content")
    assert str(text) is text


def test_stripping_blanks_leaves_a_mark():
    assert spans_of(Traced(" \n ", 3, "content").strip()) == (Span(0, 0, 3, "content"),)
    assert spans_of((": " + Traced("  ", 3, "content")).rstrip()) == (Span(1, 1, 3, "content"),)


def test_a_cut_keeps_the_empty_texts_inside_it():
    text = concat(["12", Traced("", 3, "content"), "34"])
    assert spans_of(text[1:]) == (Span(1, 1, 3, "content"),)
    assert spans_of(text[3:]) == ()


def test_zeros_go_between_a_sign_and_its_number():
    made = Traced("+5", 0, "content").zfill(4)
    assert spans_of(made) == (Span(0, 1, 0, "content"), Span(3, 4, 0, "content"))


def test_the_empty_answer_after_the_last_separator_leaves_a_mark():
    answer = Traced("ab</think>", 2, "content").split("</think>")[-1]
    assert spans_of(answer) == (Span(0, 0, 2, "content"),)


def test_a_text_cut_and_put_together_is_one_span_again():
    text = Traced("abcabc", 0, "content")
    assert spans_of(text[:2] + text[2:]) == spans_of("".join([*text]) and concat(text))
    assert spans_of(text[:2] + text[2:]) == (Span(0, 6, 0, "content"),)


def test_two_fields_that_meet_stay_apart():
    made = Traced("ab", 0, "reasoning") + Traced("cd", 0, "content")
    assert spans_of(made) == (Span(0, 2, 0, "reasoning"), Span(2, 4, 0, "content"))


def test_traced_reaches_every_string_and_leaves_the_rest():
    value = {"name": "ab", "arguments": {"n": [1, 2.5, True, None, ("x",)]}}
    made = traced(value, 4, "tool_calls")
    assert made == value
    key = next(iter(made["arguments"]))
    assert spans_of(key) == (Span(0, 1, 4, "tool_calls"),)
    assert spans_of(made["arguments"]["n"][4][0]) == (Span(0, 1, 4, "tool_calls"),)
    assert made["arguments"]["n"][2] is True
    assert origins_of(made) == {(4, "tool_calls"): 17}
    assert spans_of(traced(Traced("a", 1, "x"), TOOLS, "tools")) == (Span(0, 1, -1, "tools"),)


def test_what_is_opaque_names_each_message_once():
    origins = origins_of([Traced("a", 0, "name"), Traced("bcd", 0, "content"), Traced("z", 1, "x")])
    assert spans_of(opaque("12345", origins)) == (Span(0, 5, 0, "content"), Span(0, 5, 1, "x"))
    assert type(opaque("12345", {})) is str


def test_what_str_refuses_is_refused():
    text = Traced("ab", 0, "content")
    for wrong in (
        lambda s: s + 1,
        lambda s: s[9],
        lambda s: s["x"],
        lambda s: s.join([1]),
        lambda s: s.split(""),
        lambda s: s.replace("a", None),
        lambda s: s.center("x"),
    ):
        with pytest.raises((TypeError, IndexError, ValueError)) as theirs:
            wrong("ab")
        with pytest.raises(theirs.type):
            wrong(text)


def test_every_method_that_makes_text_is_our_own():
    samples = {"join": (["a"],), "replace": ("a", "b"), "split": (), "translate": ({},)}
    samples |= dict.fromkeys(("center", "ljust", "rjust", "zfill"), (5,))
    samples |= dict.fromkeys(("partition", "rpartition", "removeprefix", "removesuffix"), ("b",))
    samples |= {"format_map": ({},), "__add__": ("b",), "__getitem__": (0,), "__mod__": ((),)}
    samples |= {"__mul__": (2,), "__rmul__": (2,), "__format__": ("",), "encode": ()}
    unlike = {"__rmod__", "__str__", "__repr__", "__doc__", "maketrans", "__new__", "__class__"}
    for name in sorted(set(dir(str)) - unlike):
        method = getattr("ab", name)
        if name in samples or (not name.startswith("__") and callable(method)):
            try:
                made = method(*samples.get(name, ()))
            except TypeError:
                continue  # needs arguments that only make numbers
            if isinstance(made, str | bytes | list | tuple):
                assert name in vars(Traced), name


def test_bytes_remember_their_messages():
    made = Traced("ab", 0, "content").encode()
    assert made == b"ab"
    assert made[0] == 97
    assert spans_of(made[1:].decode()) == (Span(0, 1, 0, "content"),)
    assert spans_of(str(made)) == (Span(0, 5, 0, "content"),)
    assert isinstance(made + b"1", TracedBytes)


def test_the_alphabets_of_the_oracle_have_nothing_in_common():
    closed = {m: set(LETTERS[m]) | set(BLANKS[m]) for m in LETTERS}
    for owner, letters in LETTERS.items():
        for change in (str.upper, str.lower, str.title, str.casefold, str.swapcase):
            for letter in letters:
                assert set(change(letter)) <= closed[owner], (letter, change)
    assert not closed[0] & closed[1]
    assert not (closed[0] | closed[1]) & set(TEMPLATE + " \r\n")

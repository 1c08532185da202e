import random

import pytest

from serve.engine.text import Detokenizer, StopStrings, TextStream

TEXT = "Zoë 👩‍👩‍👧 ate 日本 food 🇯🇵!"


def decode(ids):
    """One token is one byte: every character beyond ASCII comes in pieces."""
    return bytes(ids).decode("utf-8", "replace")


def space_stripping(words):
    """Decoders of the SentencePiece family drop the space before a text's first token."""

    def decode_words(ids):
        return "".join(words[i] for i in ids).removeprefix(" ")

    return decode_words


def test_pieces_join_to_the_whole_text():
    detokenizer = Detokenizer(decode)
    pieces = [detokenizer.push(byte) for byte in TEXT.encode()]
    assert "".join(pieces) + detokenizer.flush() == TEXT


def test_a_piece_never_holds_half_a_character():
    detokenizer = Detokenizer(decode)
    assert [detokenizer.push(byte) for byte in "é😀".encode()] == ["", "é", "", "", "", "😀"]


def test_half_a_character_at_the_end_shows_as_replacement():
    detokenizer = Detokenizer(decode)
    pieces = [detokenizer.push(byte) for byte in "a😀".encode()[:-1]]
    assert "".join(pieces) == "a"
    assert detokenizer.flush() == "\ufffd"


def test_spaces_between_words_survive_a_decoder_that_strips_the_first():
    words = [" the", " cat", " sat"]
    detokenizer = Detokenizer(space_stripping(words))
    assert [detokenizer.push(i) for i in range(3)] == ["the", " cat", " sat"]


def test_a_genuine_replacement_character_is_kept():
    detokenizer = Detokenizer(decode)
    text = "a\ufffdb"
    pieces = [detokenizer.push(byte) for byte in text.encode()]
    assert "".join(pieces) + detokenizer.flush() == text


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_lose_no_valid_text(seed):
    chooser = random.Random(seed)
    junk = [chooser.choice([0x41, 0x80, 0xC3, 0xA9, 0xF0, 0x9F, 0x98]) for _ in range(60)]
    detokenizer = Detokenizer(decode)
    text = "".join(detokenizer.push(byte) for byte in junk) + detokenizer.flush()
    assert text.replace("\ufffd", "") == decode(junk).replace("\ufffd", "")


@pytest.mark.parametrize("size", range(1, 8))
def test_a_stop_string_is_cut_wherever_its_pieces_end(size):
    stops = StopStrings(["\nUser:", "END"])
    text = "fine.\nUse it\nUser: and more END"
    out = [stops.push(text[i : i + size]) for i in range(0, len(text), size)]
    assert "".join(out) == "fine.\nUse it"
    assert stops.hit


def test_what_only_looked_like_a_stop_string_comes_out_at_the_end():
    stops = StopStrings(["STOP"])
    assert stops.push("go ST") == "go "
    assert stops.flush() == "ST"
    assert not stops.hit


def test_the_earliest_of_several_stop_strings_counts():
    stops = StopStrings(["later", "now"])
    assert stops.push("right now or later") == "right "


def test_a_stop_string_of_repeated_letters():
    stops = StopStrings(["aab"])
    assert "".join(stops.push(c) for c in "xaaab") == "xa"
    assert stops.hit


def test_without_stop_strings_nothing_is_held_back():
    assert StopStrings([]).push("abc") == "abc"


def run(words, stops):
    stream = TextStream(lambda ids: "".join(words[i] for i in ids), stops)
    text, tokens = "", []
    for i in range(len(words)):
        piece = stream.push(i)
        text += piece.text
        tokens += piece.tokens
        if piece.stopped:
            return text, tokens
    piece = stream.flush()
    return text + piece.text, [*tokens, *piece.tokens]


def test_tokens_come_out_with_their_text():
    assert run(["Hel", "lo", " you"], []) == ("Hello you", [0, 1, 2])


def test_tokens_of_a_stop_string_never_come_out():
    # "lo E" begins outside of the stop string and stays; " ND" lies wholly in it
    assert run(["Hel", "lo E", "ND", " more"], [" END"]) == ("Hello", [0, 1])


def test_nothing_comes_out_when_the_stop_string_is_first():
    assert run(["E", "ND"], ["END"]) == ("", [])


def test_tokens_held_back_for_a_stop_string_come_out_at_the_end():
    assert run(["a", "E", "N"], ["END"]) == ("aEN", [0, 1, 2])

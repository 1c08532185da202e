"""Steps that choose conversations by what is in them."""

import pytest
from pydantic import ValidationError
from step_ground import frame_of, made, talk

from dataset.manifest import StepSpec
from dataset.steps.ends_with_assistant import EndsWithAssistant
from dataset.steps.registry import resolve
from dataset.steps.select_language import Language, language_of
from dataset.steps.select_text import Matches, NotMatches
from dataset.steps.select_tokens import TokenLength
from dataset.steps.select_turns import AssistantShare, MaxTurns, MinTurns
from ingest.errors import SpecError
from ingest.message import Message, ToolCall


def turns(letters: str) -> tuple[Message, ...]:
    names = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    return tuple(Message(names[letter], "x") for letter in letters)


def kept(step, *talks) -> list[str]:
    result = step.apply(frame_of(*talks))
    assert result.report.rows_in == len(talks)
    assert result.report.kept == len(result.frame)
    assert result.report.kept + sum(result.report.dropped.values()) == len(talks)
    return result.frame["id"].to_list()


# -- length --------------------------------------------------------------------------------------


def test_turns_are_messages_of_the_user_and_the_assistant():
    talks = [
        talk(letters or "none", *turns(letters)) for letters in ("", "u", "sua", "utta", "uaua")
    ]
    assert kept(made(MinTurns, at_least=2), *talks) == ["sua", "utta", "uaua"]
    assert kept(made(MinTurns, at_least=4), *talks) == ["uaua"]
    assert kept(made(MaxTurns, at_most=2), *talks) == ["none", "u", "sua", "utta"]


@pytest.mark.parametrize(
    ("bounds", "ids"),
    [
        ({}, ["a", "b", "c"]),
        ({"at_least": 0.5}, ["b", "c"]),
        ({"at_most": 0.5}, ["a", "b"]),
        ({"at_least": 0.4, "at_most": 0.6}, ["b"]),
    ],
)
def test_the_assistants_share_of_the_characters(bounds, ids):
    def of(id_, user, assistant):
        said = (Message("user", "ü" * user), Message("assistant", "x" * assistant))
        return talk(id_, Message("system", "long " * 50), *said)

    talks = [of("a", 9, 1), of("b", 5, 5), of("c", 1, 9), of("silent", 0, 0)]
    assert kept(made(AssistantShare, **bounds), *talks) == ids


@pytest.fixture
def tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    found = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found.enable_truncation(3)  # a folder may say so; it must not bound the count
    found.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_length_in_tokens(tokenizer):
    call = ToolCall("i", "grind", '{"what": "rye"}')
    talks = [
        talk("three", Message("user", "one two"), Message("assistant", "three")),
        talk(
            "five", Message("user", "one"), Message("assistant", "two", reasoning="three four five")
        ),
        talk("call", Message("user", "one"), Message("assistant", "", tool_calls=(call,))),
        talk("none"),
    ]
    assert kept(made(TokenLength, tokenizer=tokenizer, at_most=4), *talks) == [
        "three",
        "call",
        "none",
    ]
    assert kept(made(TokenLength, tokenizer=tokenizer, at_least=4), *talks) == ["five", "call"]


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(SpecError, match=r"tokenizer\.json"):
        made(TokenLength, tokenizer=tmp_path)


# -- language ------------------------------------------------------------------------------------

SAID = {
    "de": "Guten Morgen, ich möchte bitte zwei Säcke Roggenmehl für die Bäckerei bestellen.",
    "en": "Good morning, I would like to order two sacks of rye flour for the bakery, please.",
    "fr": "Bonjour, je voudrais commander deux sacs de farine de seigle pour la boulangerie.",
    "ja": "おはようございます。パン屋のためにライ麦粉を二袋注文したいのですが。",
    "uk": "Доброго ранку, я хотів би замовити два мішки житнього борошна для пекарні.",
}


@pytest.mark.parametrize("code", SAID)
def test_languages_are_told_apart(code):
    assert language_of(SAID[code], 0.8) == code


@pytest.mark.parametrize(
    "text", ["", "👍", "ok", "```\nfor (;;) {}\n```", "https://example.org/weg"]
)
def test_what_is_in_no_language(text):
    assert language_of(text, 0.8) is None


def test_languages_that_stay_or_go():
    talks = [talk(code, Message("user", text)) for code, text in SAID.items()]
    talks.append(talk("short", Message("user", "ok")))
    assert kept(made(Language, keep=["de", "en"]), *talks) == ["de", "en", "short"]
    assert kept(made(Language, keep=["de"], unknown="drop"), *talks) == ["de"]
    assert kept(made(Language, drop=["de", "fr"]), *talks) == ["en", "ja", "uk", "short"]


def test_whose_language_counts():
    mixed = talk("1", Message("user", SAID["de"]), Message("assistant", SAID["en"] * 3))
    assert kept(made(Language, keep=["de"], roles=["user"]), mixed) == ["1"]
    assert kept(made(Language, keep=["de"]), mixed) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": ["deutsch"]}, "no such language: deutsch"),
        ({}, "either"),
        ({"keep": ["de"], "drop": ["en"]}, "either"),
    ],
)
def test_wrong_languages(options, words):
    with pytest.raises(ValidationError, match=words):
        made(Language, **options)


# -- patterns ------------------------------------------------------------------------------------


def test_a_pattern_is_looked_for_where_it_is_asked():
    talks = [
        talk("user", Message("user", "Order 66"), Message("assistant", "yes")),
        talk("assistant", Message("user", "hm"), Message("assistant", "order 7")),
        talk("system", Message("system", "Order 1"), Message("user", "hm")),
        talk("none"),
    ]
    assert kept(made(Matches, pattern=r"Order \d+"), *talks) == ["user"]
    assert kept(made(Matches, pattern=r"Order \d+", ignore_case=True), *talks) == [
        "user",
        "assistant",
    ]
    assert kept(made(Matches, pattern=r"Order|yes", roles=["system"]), *talks) == ["system"]
    assert kept(made(NotMatches, pattern=r"(?i)order"), *talks) == ["system", "none"]


def test_a_pattern_that_is_none():
    with pytest.raises(SpecError, match=r"matches: pattern: .*not a regular expression") as caught:
        resolve([StepSpec(name="matches", options={"pattern": "("})])
    assert "\n" not in caught.value.message


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "left"),
    [
        ("ua", "ua"),
        ("uau", "ua"),
        ("uatu", "ua"),
        ("u", "u"),
        ("", ""),
        ("uaua", "uaua"),
        ("uauu", "ua"),
    ],
)
def test_the_tail_is_cut(letters, left):
    result = made(EndsWithAssistant).apply(frame_of(talk("1", *turns(letters))))
    (messages,) = result.frame["messages"].to_list()
    assert "".join(message["role"][0] for message in messages) == left
    assert result.report.changed == (letters != left)
    assert sum(result.report.changes.values()) == len(letters) - len(left)


def test_or_the_conversation_is_dropped():
    talks = [talk(letters, *turns(letters)) for letters in ("ua", "uau", "u")]
    assert kept(made(EndsWithAssistant, action="drop"), *talks) == ["ua", "u"]

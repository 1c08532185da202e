"""Steps that clean: boilerplate, broken and refused answers, repetition, emptiness."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import gpt_export, gpt_message, gpt_talk, node
from pydantic import ValidationError
from step_ground import NOWHERE, frame_of, made, talk

from dataset.rows import to_row
from dataset.steps import registry
from dataset.steps.base import Step, StepContext
from dataset.steps.boilerplate_rules import RULES
from dataset.steps.broken_answers import BrokenAnswers
from dataset.steps.empty import Empty
from dataset.steps.refusals import Refusals
from dataset.steps.repetition import Repetition, fault
from dataset.steps.source_boilerplate import SourceBoilerplate
from ingest.load import import_export
from ingest.message import Conversation, Message, ToolCall
from ingest.store import Store
from ingest.workspace import Workspace


def answered(*answers: str) -> Conversation:
    return talk("1", *[m for a in answers for m in (Message("user", "q"), Message("assistant", a))])


def trained(step: Step, conversation: Conversation) -> list[bool]:
    """Whether each answer is still trained; nothing else may differ."""
    before = frame_of(conversation)
    result = step.apply(before)
    (old,), (new,) = before["messages"].to_list(), result.frame["messages"].to_list()
    assert [{**m, "train": None} for m in new] == [{**m, "train": None} for m in old]
    assert result.report.changed == (old != new)
    assert result.frame.drop("messages").equals(before.drop("messages"))
    again = step.apply(result.frame)
    assert again.frame.equals(result.frame)
    assert again.report.changed == 0
    return [m["train"] is not False for m in new if m["role"] == "assistant"]


# -- refusals ------------------------------------------------------------------------------------

REFUSED = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I cannot assist with that request.",
    "Sorry, I am unable to provide that information.",
    "I can't help with that.",
    "Unfortunately, I cannot create that image for you.",
    "As an AI language model, I do not have personal opinions.",
    "That would be against our usage policies.",
    "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
    "Leider kann ich diese Anfrage nicht beantworten.",
    "Als KI-Sprachmodell kann ich dazu keine Auskunft geben.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Mi dispiace, ma non posso aiutarti.",
    "Desculpe, mas não posso ajudar com isso.",
    "Het spijt me, maar daar kan ik je niet mee helpen.",
    "Przykro mi, ale nie mogę w tym pomóc.",
    "Извините, но я не могу с этим помочь.",
    "Вибачте, але я не можу з цим допомогти.",
    "Üzgünüm, bu konuda yardımcı olamam.",
    "很抱歉，我无法提供这方面的帮助。",
    "申し訳ありませんが、そのご要望にはお応えできません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
]
HELPFUL = [
    "I'm sorry to hear that! Try cleaning the stones first.",
    "I'm sorry for the delay. The flour is on its way.",
    "You can't help it: rye rises slowly.",
    "Sorry, we are closed on Mondays.",
    "Leider ist der Roggen nicht mehr da; Dinkel haben wir noch.",
    "Es tut mir leid, dass das Mehl zu spät kam. Wir schicken heute neues.",
    "I cannot recommend this bakery highly enough.",
    "Je suis désolé pour le retard, la farine arrive demain.",
    "Lo siento por la demora; la harina llega mañana.",
    "If a customer writes 'I'm sorry, but I can't help with that', answer kindly.",
    "",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_are_not_trained(text):
    assert trained(made(Refusals), answered("Rye.", text, "Spelt.")) == [True, False, True]


@pytest.mark.parametrize("text", HELPFUL)
def test_what_only_sounds_like_one_is(text):
    assert trained(made(Refusals), answered(text)) == [True]


def test_refusals_of_some_languages_and_own_patterns():
    conversation = answered(REFUSED[0], REFUSED[7], "Nope, not today.")
    assert trained(made(Refusals, languages=["de"]), conversation) == [True, False, True]
    own = made(Refusals, languages=["de"], patterns=["^nope"])
    assert trained(own, conversation) == [True, False, False]
    with pytest.raises(ValidationError, match="no patterns for: xx"):
        made(Refusals, languages=["xx"])


def test_or_their_conversations_are_dropped():
    frame = frame_of(answered("Rye.", REFUSED[0]), talk("2", Message("assistant", "Spelt.")))
    result = made(Refusals, action="drop").apply(frame)
    assert result.frame["id"].to_list() == ["2"]
    assert result.report.dropped == {"refused": 1}


# -- broken answers ------------------------------------------------------------------------------

ERRORS = [
    "Hmm... something seems to have gone wrong.",
    "Something went wrong. If this issue persists please contact us.",
    "An error occurred. Either the engine you requested does not exist or there was another issue.",
    "Error 503: Service Unavailable",
    "network error",
    "You've reached your usage limit for today.",
    "Es ist ein Fehler aufgetreten.",
    "エラーが発生しました",
]
FINE = [
    "Something went wrong in your code because the loop never ends.\n" + "It is like this. " * 30,
    "The error occurred at line 4.",
    "Errors are part of milling.",
    "```python\nprint()\n```",
    "Use ``` to begin a block.",
    "",
]


def nothing_marked(store: Store, workspace: Workspace) -> StepContext:
    return StepContext(store, workspace)


@pytest.mark.parametrize("text", ERRORS)
def test_error_texts_are_not_trained(text, store, workspace):
    step = made(BrokenAnswers, nothing_marked(store, workspace))
    assert trained(step, answered("Rye.", text)) == [True, False]


@pytest.mark.parametrize("text", FINE)
def test_what_speaks_of_errors_is(text, store, workspace):
    assert trained(made(BrokenAnswers, nothing_marked(store, workspace)), answered(text)) == [True]


def test_code_that_never_ends_is_broken_off(store, workspace):
    context = nothing_marked(store, workspace)
    conversation = answered("Here:\n```python\nfor sack in")
    assert trained(made(BrokenAnswers, context), conversation) == [False]
    assert trained(made(BrokenAnswers, context, unfinished_code=False), conversation) == [True]


def test_what_the_export_says_of_an_answer_counts(store, workspace, tmp_path):
    broken = gpt_talk(1)
    broken["mapping"] |= node("a", "u", gpt_message("assistant", "The rye", status="in_progress"))
    path = tmp_path / "a.json"
    path.write_bytes(gpt_export(gpt_talk(0), broken))
    import_export(path, store)
    found = [conversation for conversation, _, _ in store.stream()]
    frame = frame_of(*found)
    result = made(BrokenAnswers, StepContext(store, workspace), action="drop").apply(frame)
    assert result.report.dropped == {"failed or interrupted": 1}
    assert result.frame["id"].to_list() == [found[0].id]


# -- repetition ----------------------------------------------------------------------------------

VARIED = (
    "Rye is the hardy cousin of wheat. It grows on poor soil, survives the frost and gives a dark, "
    "sour loaf that keeps for a week. Millers set the stones closer for it, as the kernels are "
    "small and tough; bakers add a starter, since its gluten is too weak to hold the gas of yeast "
    "alone. Try a third of rye in your next dough and let it rest overnight before baking."
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (VARIED, None),
        ("ha " * 30, None),  # too short to judge
        ("the mill grinds on and on " * 30, "repeated words"),
        (VARIED + " " + VARIED, "repeated words"),
        ("\n".join(["All work and no play."] * 20 + [VARIED]), "repeated lines"),
        (VARIED + "###… " * 20, "mostly symbols"),
        ("```\n" + "}\n" * 200 + "```\n" + VARIED, None),
        ("今日はライ麦を挽きます。" * 30, "repeated words"),
        ("- " + VARIED.replace(". ", ".\n- "), None),
    ],
)
def test_texts_that_repeat_themselves(text, reason):
    assert fault(text, 40) == reason


def test_repeating_answers_are_not_trained_and_the_limits_can_be_moved():
    conversation = answered(VARIED, "grind it all now " * 40)
    assert trained(made(Repetition), conversation) == [True, False]
    assert trained(made(Repetition, min_words=400), conversation) == [True, True]
    doubled = answered(VARIED + " " + VARIED)
    assert trained(made(Repetition, scale=5), doubled) == [True]


@given(st.text(alphabet="ab \n#.挽", max_size=300), st.integers(10, 50))
def test_every_text_is_judged(text, least):
    assert fault(text, least) in (None, "repeated words", "repeated lines", "mostly symbols")


# -- emptiness -----------------------------------------------------------------------------------


def test_blank_answers_and_answers_to_blanks_are_not_trained():
    image = Message("user", " ")
    conversation = talk(
        "1",
        Message("user", "q"), Message("assistant", "a"),
        image, Message("assistant", "A nice mill!"),
        Message("user", "r"), Message("assistant", "\n"),
        Message("user", "s"), Message("assistant", "", tool_calls=(ToolCall("i", "f"),)),
    )  # fmt: skip
    assert trained(made(Empty), conversation) == [True, False, False, True]


def test_conversations_in_which_a_side_is_silent_are_dropped():
    frame = frame_of(
        answered("a"),
        talk("u", Message("user", " "), Message("assistant", "a")),
        talk("a", Message("user", "q"), Message("assistant", "")),
        talk("n"),
    )
    report = made(Empty).apply(frame).report
    assert (report.kept, report.dropped) == (
        1, {"the user says nothing": 2, "the assistant says nothing": 1}
    )  # fmt: skip


# -- boilerplate ---------------------------------------------------------------------------------

STRIPPED = [
    ("mail", "Two sacks please.\n\nSent from my iPhone", "Two sacks please."),
    ("mail", "Zwei Säcke.\n\nVon meinem iPhone gesendet", "Zwei Säcke."),
    ("mail", "Yes.\n\nGet Outlook for iOS", "Yes."),
    ("mail", "Yes.\n\nOn Mon, 2 Mar 2026, Anna wrote:\n> Two sacks?\n> Anna", "Yes."),
    ("zendesk", "Yes.\n\n-----Original Message-----\nFrom: Anna\nTo: Mill\nTwo sacks?", "Yes."),
    ("mail", "Yes.\n\nThis email and any attachments are confidential and meant for X.", "Yes."),
    ("slack", "<@U123> has joined the channel", None),
    ("slack", "Anna set the channel topic: rye", None),
    ("whatsapp", "Messages and calls are end-to-end encrypted. No one else reads them.", None),
    ("whatsapp", "<Media omitted>", None),
    ("whatsapp", "See you <This message was edited>", "See you"),
    ("telegram", "Anna joined the group", None),
    ("chatgpt", "Rye is old\ue200cite\ue202turn0search1\ue201.", "Rye is old."),
    ("chatgpt", "Rye is old【4:0†source】.", "Rye is old."),
    ("perplexity", "Rye is old.[1][2] It is hardy[3].", "Rye is old. It is hardy."),
]  # fmt: skip
UNTOUCHED = [
    ("mail", "My mail said 'sent from my iPhone' at the end. Why?"),
    ("mail", "This email is about rye.\nPlease answer."),
    ("slack", "She has joined the channel because she bakes.\nShall we say hello?"),
    ("slack", "I joined the channel"),
    ("slack", "I was added to the list by mistake, can you help?"),
    ("whatsapp", "why does it say <Media omitted> there?"),
    ("chatgpt", "Use a[1] and b[2] in the array."),
    ("perplexity", "In Python, xs[12] is the thirteenth: xs[0](1)."),
    ("openai", "Two sacks please.\n\nSent from my iPhone"),
    ("discord", "Anna, the group left the mill"),
]


def stripped(importer: str, text: str, **options: Any) -> str | None:
    conversation = Conversation(id="1", importer=importer, messages=(Message("user", text),))
    step = made(SourceBoilerplate, **options)
    result = step.apply(frame_of(conversation))
    again = step.apply(result.frame)
    assert again.frame.equals(result.frame)
    return result.frame["messages"][0].to_list()[0]["content"] if len(result.frame) else None


@pytest.mark.parametrize(("importer", "text", "left"), STRIPPED)
def test_boilerplate_is_stripped(importer, text, left):
    assert stripped(importer, text) == left


@pytest.mark.parametrize(("importer", "text"), UNTOUCHED)
def test_what_people_wrote_stays(importer, text):
    assert stripped(importer, text) == text


def test_rules_for_tables_made_of_mails_and_rules_not_wanted():
    text = "Two sacks please.\n\nSent from my iPhone"
    assert stripped("mapped", text, also=["mail"]) == "Two sacks please."
    assert stripped("mail", text, without=["mail"]) == text
    with pytest.raises(ValidationError, match="no rules are called fax"):
        made(SourceBoilerplate, also=["fax"])


def test_emptied_messages_go_and_the_report_counts():
    messages = (
        Message("user", "<@U1> has joined the channel"),
        Message("user", "Rye?"),
        Message("assistant", "Yes."),
    )
    joined = Conversation(id="1", importer="slack", messages=messages)
    only = Conversation(id="2", importer="slack", messages=messages[:1])
    result = made(SourceBoilerplate).apply(frame_of(joined, only))
    assert [m["content"] for m in result.frame["messages"][0].to_list()] == ["Rye?", "Yes."]
    assert result.report.changes == {"channel event": 2}
    assert result.report.changed == 1
    assert result.report.dropped == {"nothing but boilerplate": 1}
    assert [example.id for example in result.examples] == ["2"]


@given(st.sampled_from(sorted(RULES)), st.text(max_size=200))
def test_stripping_twice_changes_nothing_more(name, text):
    for rule in RULES[name]:
        once = rule.strip(text)
        assert rule.strip(once.strip()).strip() == once.strip()


# -- all of them ---------------------------------------------------------------------------------

OPTIONS = {
    "min-turns": {"at_least": 1},
    "max-turns": {"at_most": 9},
    "language": {"keep": ["de"]},
    "matches": {"pattern": "a"},
    "not-matches": {"pattern": "b"},
}


@pytest.fixture
def every_step(store, workspace):
    return [
        made(kind, StepContext(store, workspace), **OPTIONS.get(name, {}))
        for name, kind in registry.steps().items()
        if name != "token-length"  # needs a tokenizer; see test_select_steps
    ]


def test_parallel_steps_pickle(every_step):
    for step in every_step:
        if step.parallel:
            assert pickle.loads(pickle.dumps(step)).name == step.name


def test_every_step_takes_every_frame(every_step):
    call = (ToolCall("i", "f", "{}"),)
    odd = [
        talk("none"),
        talk(
            "null",
            Message("assistant", "", tool_calls=call),
            Message("tool", "4", tool_call_id="i"),
        ),
        talk("blank", Message("user", ""), Message("assistant", "")),
        talk("long", Message("user", "q"), Message("assistant", VARIED, reasoning="hm")),
    ]
    for talks in ([], odd[:1], odd):
        frame = frame_of(*talks)
        for step in every_step:
            if hasattr(step, "observe"):
                continue
            result = step.apply(frame)
            assert result.frame.schema == frame.schema
            assert result.report.kept == len(result.frame)
            assert result.report.rows_in == len(frame)
            assert sum(result.report.dropped.values()) == len(frame) - len(result.frame)


def test_every_step_says_what_its_options_are(every_step):
    for step in every_step:
        assert step.title[0].islower()
        assert all(field.description for field in step.Options.model_fields.values())
    assert NOWHERE.seed == 0
    assert to_row(talk("1"), "x")["id"] == "1"

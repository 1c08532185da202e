"""The redact step: what stands in the rows afterwards."""

import json
import pickle
import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from redact_ground import frame_of, put, step, talk

from dataset.build import build
from dataset.manifest import DatasetSpec, StepSpec
from dataset.redact.detect import find
from dataset.redact.engine import load_engine
from dataset.redact.finding import Finders
from dataset.redact.json_text import change_json, values
from dataset.redact.names import tokens_of
from dataset.redact.people import Known, PeopleFinder
from dataset.redact.replace import Placeholders, redact_text, redact_tools, redact_value
from dataset.redact.written import PLACEHOLDER
from dataset.steps.redact import Redact
from ingest.errors import UserError
from ingest.message import Conversation, Message, ToolCall
from ingest.people_map import PeopleMap, save_people
from ingest.store import Store
from ingest.workspace import Workspace

PEOPLE = ("Anna Müller", "Will Rose", "王小明", "Петров")
VALUES = ("anna@mill-post.org", "+49 170 1234567", "4111 1111 1111 1111", "DE89370400440532013000",
          "https://joe:hunter22x@example.com/x", "ghp_" + "a1B2" * 9, "8.8.8.8")  # fmt: skip


def row(frame: pl.DataFrame, at: int = 0) -> dict[str, Any]:
    return frame.row(at, named=True)


def contents(frame: pl.DataFrame, at: int = 0) -> list[str]:
    return [message["content"] for message in row(frame, at)["messages"]]


def finders() -> Finders:
    people = PeopleFinder([Known(n, tokens_of(name)) for n, name in enumerate(PEOPLE, 1)])
    return Finders(find, people.find, lambda span, _: f"Person_{span.person}")


FINDERS = finders()


def test_names_are_replaced_everywhere(store: Store, workspace: Workspace) -> None:
    call = ToolCall("c1", "mail", json.dumps({"to": "Anna Ek", "anna": "x"}))
    messages = (
        Message("system", "You serve Anna Ek."),
        Message("user", "I am Anna.", name="Anna Ek"),
        Message("assistant", "Yes.", name="Bo Ås", reasoning="Anna wants", tool_calls=(call,)),
        Message("tool", '{"sent": "to anna"}', name="mail", tool_call_id="c1"),
    )
    put(store, talk(1, ["Anna Ek", "Bo Ås"], messages=messages, title="Anna Ek and Bo"))
    result = step(store, workspace).apply(frame_of(store))
    found = row(result.frame)
    assert found["title"] == "Person_1 and Person_2"
    assert found["participants"] == ["Person_1", "Person_2"]
    system, user, assistant, tool = found["messages"]
    assert system["content"] == "You serve Person_1."
    assert (user["name"], user["content"]) == ("Person_1", "I am Person_1.")
    assert assistant["reasoning"] == "Person_1 wants"
    assert json.loads(assistant["tool_calls"][0]["arguments"]) == {"to": "Person_1", "anna": "x"}
    assert (tool["name"], tool["content"]) == ("mail", '{"sent": "to Person_1"}')
    assert [each["role"] for each in found["messages"]] == ["system", "user", "assistant", "tool"]


def test_numbers_are_by_first_appearance_and_never_change(
    store: Store, workspace: Workspace
) -> None:
    put(store, talk(1, ["Zoe Quill", "Bo Ås"], "Hi Bo", "Hi Zoe"))
    before = step(store, workspace).apply(frame_of(store)).frame
    put(store, talk(2, ["Anna Ek", "Zoe Quill"], "Zoe?", "Anna!"))
    after = step(store, workspace).apply(frame_of(store)).frame
    assert row(after, 0) == row(before, 0)
    assert contents(after, 1) == ["Person_1?", "Person_3!"]


def test_a_person_who_comes_into_an_old_talk_renumbers_nobody(
    store: Store, workspace: Workspace
) -> None:
    put(store, talk(1, ["Zoe Quill", "Bo Ås"], "Hi Bo", "Hi Zoe"))
    put(store, talk(2, ["Carl Ek", "Bo Ås"], "Hi Bo", "Hi Carl"))
    step(store, workspace)
    # a later export of the same chat, in which somebody else spoke first
    with store.transaction():
        store.delete([1, 2])
    put(store, talk(1, ["Dora Lind", "Zoe Quill"], "Zoe?", "Dora!"))
    put(store, talk(2, ["Carl Ek", "Bo Ås"], "Hi Bo", "Hi Carl"))
    frame = step(store, workspace).apply(frame_of(store)).frame
    assert contents(frame, 0) == ["Person_1?", "Person_4!"]
    assert contents(frame, 1) == ["Hi Person_2", "Hi Person_3"]


def test_aliases_are_one_person(store: Store, workspace: Workspace) -> None:
    people = PeopleMap().with_alias("Annie", "Anna Ek").with_alias("ace_77", "Anna Ek")
    save_people(workspace.people, people)
    put(store, talk(1, ["Bo Ås", "Anna Ek"], "Annie, @ace_77!", "Bo?"))
    put(store, talk(2, ["Annie", "Bo Ås"], "It is Anna", "ok"))
    frame = step(store, workspace).apply(frame_of(store)).frame
    assert contents(frame, 0) == ["Person_2, @Person_2!", "Person_1?"]
    assert row(frame, 1)["participants"] == ["Person_2", "Person_1"]
    assert contents(frame, 1)[0] == "It is Person_2"


def test_only_this_talks_people_are_looked_for(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Quill", "Bo Ås"], "Hi Bo", "Hi Anna"))
    put(store, talk(2, ["Carl Ek", "Bo Ås"], "Anna Quill and Anna", "Who?"))
    assert contents(step(store, workspace).apply(frame_of(store)).frame, 1)[0] == (
        "Anna Quill and Anna"
    )
    everyone = step(store, workspace, everyone=True).apply(frame_of(store)).frame
    assert contents(everyone, 1)[0] == "Person_1 and Anna"


def test_the_other_of_a_chat_is_known_by_its_title(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Quill", "Bo Ås"], "Hi Bo", "Hi Anna", title="Anna Quill"))
    put(store, talk(2, ["Bo Ås"], "Anna, are you there?", title="Anna Quill"))
    frame = step(store, workspace).apply(frame_of(store)).frame
    assert row(frame, 1)["title"] == "Person_1"
    assert contents(frame, 1) == ["Person_1, are you there?"]


def test_a_digit_after_a_name_is_not_its_number(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["王小明", "Bo Ås"], "王小明3月来", "ok"))
    assert contents(step(store, workspace).apply(frame_of(store)).frame)[0] == "Person_1 3月来"


def test_who_says_nothing_of_himself_stays(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["user", "assistant"], "Hi assistant", "Hi user"))
    result = step(store, workspace).apply(frame_of(store))
    assert result.frame.equals(frame_of(store))
    assert result.report.changed == 0


def test_the_same_value_has_the_same_placeholder(store: Store, workspace: Workspace) -> None:
    put(
        store,
        talk(1, ["user", "bot"], "a@mill-post.org, b@mill-post.org", "A@mill-post.org? c@d.org"),
        talk(2, ["user", "bot"], "b@mill-post.org", "ok"),
    )
    frame = step(store, workspace).apply(frame_of(store)).frame
    assert contents(frame, 0) == ["[EMAIL_1], [EMAIL_2]", "[EMAIL_1]? [EMAIL_3]"]
    assert contents(frame, 1)[0] == "[EMAIL_1]"


def test_placeholders_that_stand_there_are_not_given_again(
    store: Store, workspace: Workspace
) -> None:
    put(store, talk(1, ["user", "bot"], "a@mill-post.org", "[EMAIL_1] was somebody else"))
    frame = step(store, workspace).apply(frame_of(store)).frame
    assert contents(frame) == ["[EMAIL_2]", "[EMAIL_1] was somebody else"]


def test_the_report_counts_by_kind_and_holds_no_value(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Quill", "user"], "I am Anna: q@mill-post.org", "Hi"))
    put(store, talk(2, ["user", "user"], "nothing", "here"))
    report = step(store, workspace).apply(frame_of(store)).report
    assert (report.rows_in, report.kept, report.changed) == (2, 2, 1)
    assert report.changes == {"person": 3, "email": 1}
    assert "Quill" not in report.model_dump_json()


def test_kept_values_stay(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Ek", "Bo Ås"], "Anna and Bo: info@mill-post.org", "a@b.org"))
    kept = ["Anna Ek", "info@mill-post.org"]
    found = row(step(store, workspace, keep=kept).apply(frame_of(store)).frame)
    assert found["participants"] == ["Anna Ek", "Person_2"]
    assert [each["content"] for each in found["messages"]] == [
        "Anna and Person_2: info@mill-post.org", "[EMAIL_1]",
    ]  # fmt: skip


def test_patterns_of_the_spec_are_kinds_of_their_own(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["user", "bot"], "ticket MILL-1234 and MILL-99, MILL-1234", "ok"))
    frame = step(store, workspace, patterns={"ticket": r"MILL-\d+"}).apply(frame_of(store)).frame
    assert contents(frame)[0] == "ticket [TICKET_1] and [TICKET_2], [TICKET_1]"


def test_only_the_kinds_asked_for(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Ek", "bot"], "Anna: a@mill-post.org, +49 170 1234567", "ok"))
    frame = step(store, workspace, kinds=["phone"], people=False).apply(frame_of(store)).frame
    assert contents(frame)[0] == "Anna: a@mill-post.org, [PHONE_1]"
    assert row(frame)["participants"] == ["Anna Ek", "bot"]


def test_invented_names_are_one_persons_everywhere(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Ek", "Bo Ås"], "Anna Ek; Anna; Ek", "Bo"))
    put(store, talk(2, ["Bo Ås", "Anna Ek"], "Anna?", "Bo!"))
    frame = step(store, workspace, style="surrogate").apply(frame_of(store)).frame
    full, given, family = contents(frame, 0)[0].split("; ")
    assert full == f"{given} {family}"
    assert contents(frame, 1)[0] == f"{given}?"
    assert not {"Anna", "Ek", "Bo", "Ås"} & {given, family}
    again = step(store, workspace, style="surrogate").apply(frame_of(store)).frame
    assert again.equals(frame)


@pytest.mark.parametrize("style", ["person", "surrogate"])
def test_redacting_twice_changes_nothing(store: Store, workspace: Workspace, style: str) -> None:
    text = "Anna Ek, a@mill-post.org, Bo's +49 170 1234567, card 4111 1111 1111 1111"
    put(store, talk(1, ["Anna Ek", "Bo Ås"], text, "Hi Anna", title="Anna Ek"))
    redact = step(store, workspace, style=style)
    once = redact.apply(frame_of(store)).frame
    twice = redact.apply(once)
    assert twice.frame.equals(once)
    assert twice.report.changed == 0


def test_a_step_from_a_pickle_does_the_same(store: Store, workspace: Workspace) -> None:
    put(store, talk(1, ["Anna Ek", "Bo Ås"], "Bo, ring Carl Quill", "Anna, MILL-1"))
    put(store, talk(2, ["Carl Quill"], "Carl here"))
    options = {"everyone": True, "patterns": {"ticket": r"MILL-\d"}, "style": "surrogate"}
    redact = step(store, workspace, **options)
    again = pickle.loads(pickle.dumps(redact))
    assert again.apply(frame_of(store)).frame.equals(redact.apply(frame_of(store)).frame)


def test_rows_that_lack_things_stay_as_they_are(store: Store, workspace: Workspace) -> None:
    put(
        store,
        Conversation(id="empty", importer="openai"),
        talk(1, ["Anna Ek", "Bo Ås"], "", "Anna"),
        Conversation(id="none", importer="openai", messages=(Message("user", "x@mill-post.org"),)),
    )
    frame = frame_of(store)
    found = step(store, workspace).apply(frame).frame
    assert found.schema == frame.schema
    assert row(found, 0) == row(frame, 0)
    assert contents(found, 1) == ["", "Person_1"]
    assert contents(found, 2) == ["[EMAIL_1]"]
    assert step(store, workspace).apply(frame.head(0)).frame.equals(frame.head(0))


def test_a_build_is_the_same_with_workers(store: Store, workspace: Workspace) -> None:
    talks = [talk(n, [f"Anna Ek{n:03}", "Bo Ås"], f"I am Anna {n}", "Hi Anna") for n in range(30)]
    put(store, *talks)
    spec = DatasetSpec(name="d", steps=[StepSpec(name="redact")])
    assert build(store, spec, workspace).fingerprint == (
        build(store, spec, workspace, workers=2).fingerprint
    )


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"kinds": ["mail"]}, "mail"),
        ({"locales": ["xx_XX"]}, "xx"),
        ({"patterns": {"a b": "x"}}, "a b"),
        ({"patterns": {"a": "("}}, "a:"),
        ({"patterns": {"a": "x*"}}, "empty"),
        ({"colour": "red"}, "colour"),
        ({"style": "blank"}, "style"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Redact.Options(**options)


@pytest.mark.parametrize("engine", ["presidio", "gliner"])
def test_a_missing_extra_is_named(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"presidio": "presidio_analyzer", "gliner": "gliner"}[engine]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as caught:
        load_engine(engine, (), None)
    assert f"turnmill[{engine}]" in caught.value.hint


def test_faker_is_asked_for_by_its_extra(
    store: Store, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)
    with pytest.raises(UserError) as caught:
        step(store, workspace, style="surrogate", surrogate_locale="fr_FR")
    assert "turnmill[surrogates]" in caught.value.hint


# -- JSON --------------------------------------------------------------------------------------


def redacted(text: str) -> str:
    return redact_value(text, FINDERS, Placeholders([text]))[0]


def test_arguments_keep_their_keys_and_writing() -> None:
    text = '{ "anna" : "Anna", "n":1.50, "u": "\\u00e9 Anna\\n\\"Anna\\"", "l":[ "Anna",null ] }'
    assert redacted(text) == text.replace('"Anna"', '"Person_1"', 1).replace(
        '\\u00e9 Anna\\n\\"Anna\\"', '\\u00e9 Person_1\\n\\"Person_1\\"'
    ).replace('"Anna",null', '"Person_1",null')


def test_a_number_stays_a_number() -> None:
    found = json.loads(redacted('{"card": 4111111111111111, "phone": 491701234567, "n": 12345678}'))
    assert found == {"card": 0, "phone": 0, "n": 12345678}


def test_the_key_tells_what_a_value_is() -> None:
    assert json.loads(redacted('{"password": "tr0ub4dor&3", "word": "tr0ub4dor"}')) == {
        "password": "[PASSWORD_1]",
        "word": "tr0ub4dor",
    }


def test_json_within_json_still_parses() -> None:
    text = json.dumps({"body": json.dumps({"to": "anna@mill-post.org", "n": 4111111111111111})})
    assert json.loads(json.loads(redacted(text))["body"]) == {"to": "[EMAIL_1]", "n": 0}


def test_broken_json_is_text() -> None:
    assert redacted('{"to": "Anna", "cut off') == '{"to": "Person_1", "cut off'


def test_definitions_of_tools_keep_their_form() -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "ask_anna",
            "description": "Asks Anna Müller, anna@mill-post.org",
            "parameters": {
                "type": "object",
                "properties": {"who": {"type": "string", "enum": ["Anna", "Bo"]}},
                "required": ["who"],
            },
        },
    }
    text = json.dumps([tool])
    changed, found = redact_tools(text, FINDERS, Placeholders([text]))
    (after,) = json.loads(changed)
    assert after["function"]["name"] == "ask_anna"
    assert after["function"]["description"] == "Asks Person_1, [EMAIL_1]"
    assert after["function"]["parameters"]["properties"]["who"]["enum"] == ["Person_1", "Bo"]
    assert len(found) == 3


def test_code_still_parses() -> None:
    code = 'anna = "Anna"\nurl = "https://joe:hunter22x@example.com/x"\nip = \'8.8.8.8\'\n'
    changed, found = redact_text(code, FINDERS, Placeholders([code]))
    compile(changed, "code", "exec")
    assert len(found) >= 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([*PEOPLE, *VALUES]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(json_values.filter(lambda value: isinstance(value, dict | list)), st.booleans())
def test_any_json_still_parses_and_keeps_its_shape(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert shape(json.loads(redacted(text))) == shape(value)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value)


@given(json_values.filter(lambda value: isinstance(value, dict | list)))
def test_values_are_those_of_json(value: Any) -> None:
    text = json.dumps(value)
    found = [json.loads(text[each.start : each.end]) for each in values(text)]
    assert found == list(leaves(value))
    assert change_json(text, lambda each, _: (each, []), lambda *_: None) == (text, [])


def leaves(value: Any) -> Any:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield value


# -- laws --------------------------------------------------------------------------------------

pieces = st.lists(
    st.text(max_size=12)
    | st.sampled_from([*PEOPLE, *VALUES, "Anna", "Rose", "[EMAIL_1]", "Person_3", " ", ", ", "\n"])
)


@settings(max_examples=300)
@given(pieces.map("".join))
def test_redacted_text_holds_nothing_more(text: str) -> None:
    once, _ = redact_text(text, FINDERS, Placeholders([text]))
    again, changes = redact_text(once, FINDERS, Placeholders([once]))
    assert (again, changes) == (once, [])


@given(pieces.map("".join))
def test_what_is_said_to_stand_there_does(text: str) -> None:
    new, changes = redact_text(text, FINDERS, Placeholders([text]))
    back = new
    for each in reversed(changes):
        assert back[each.start : each.end] == each.placeholder
        back = back[: each.start] + each.value + back[each.end :]
    assert back == text


@given(st.sampled_from(["email", "phone", "ip", "national_id", "url_credentials"]), st.integers(1))
def test_placeholders_are_found_by_nothing(kind: str, number: int) -> None:
    for text in (f"[{kind.upper()}_{number}]", f"Person_{number}", f"{kind}: [PHONE_{number}]"):
        assert redact_text(text, FINDERS, Placeholders([text])) == (text, [])
        assert PLACEHOLDER.search(text)


def test_importing_the_step_takes_no_faker_and_no_engine() -> None:
    code = "import sys, dataset.steps.redact; print({'faker', 'gliner'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

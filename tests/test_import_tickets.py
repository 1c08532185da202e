"""Zendesk and Intercom: who answers, what is private, where chats lie, and every kind of damage."""

import json
from pathlib import Path
from typing import Any

import pytest
from made import jsonl, only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.intercom import Intercom
from ingest.importers.zendesk import Zendesk
from ingest.message import Conversation

USER = {"id": 1, "name": "Marla", "email": "m@example.org", "role": "end-user"}
AGENT = {"id": 2, "name": "Wendel", "email": "w@example.org", "role": "agent"}
ADMIN = {"id": 3, "name": "Odo", "email": "o@example.org", "role": "admin"}


def comment(author: Any, text: str, public: Any = True, **more: Any) -> dict[str, Any]:
    return {"author_id": author, "plain_body": text, "public": public, **more}


def ticket(*comments: Any, **more: Any) -> dict[str, Any]:
    return {"id": 5, "subject": "S", "requester_id": 1, "comments": list(comments)} | more


def audit(*events: Any, **more: Any) -> dict[str, Any]:
    return {"id": 8, "ticket_id": 5, "author_id": 1, "events": list(events)} | more


def chat(*history: Any, kind: str = "ChatStartedEvent") -> dict[str, Any]:
    return {"type": kind, "value": {"history": list(history)}}


def bubble(actor_type: str, actor: str, text: str, at: int, **more: Any) -> dict[str, Any]:
    return {"type": "ChatMessage", "actor_type": actor_type, "actor_id": actor, "message": text,
            "timestamp": 1772440000000 + at * 1000, "chat_index": at, **more}  # fmt: skip


def conversation(*parts: Any, **source: Any) -> dict[str, Any]:
    opening = {"body": "q", "author": {"type": "user", "id": "u", "name": "Marla"}} | source
    return {"type": "conversation", "id": "c", "source": opening,
            "conversation_parts": {"conversation_parts": list(parts)}}  # fmt: skip


def part(kind: str, author: str, body: Any = "a", **more: Any) -> dict[str, Any]:
    return {"id": "p", "part_type": kind, "body": body,
            "author": {"type": author, "id": author, "name": author}, **more}  # fmt: skip


@pytest.fixture
def zendesk(tmp_path: Path):
    def items_of(*lines: Any, **options: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_bytes(jsonl(*lines))
        return read(Zendesk(), path, **options)

    return items_of


@pytest.fixture
def intercom(tmp_path: Path):
    def items_of(*lines: Any, **options: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_bytes(jsonl(*lines))
        return read(Intercom(), path, **options)

    return items_of


def roles(items: list[Item]) -> list[tuple[str, str, bool | None, bool]]:
    return [(m.role, m.content, m.train, m.on_path) for m in only(items).messages]


NOTE = ("system", "n", False, False)


def test_tkt1_a_private_note_is_never_the_assistant(zendesk):
    items = zendesk(ticket(comment(1, "q"), comment(2, "n", False), comment(2, "a")), AGENT)
    assert roles(items) == [("user", "q", None, True), NOTE, ("assistant", "a", None, True)]
    assert only(items).messages[1].extra["public"] is False


@pytest.mark.parametrize("public", [None, "true", 1, "false", []])
def test_tkt1_what_does_not_say_that_it_is_public_is_private(zendesk, public):
    assert roles(zendesk(ticket(comment(2, "n", public)), AGENT)) == [NOTE]


def test_tkt1_a_chosen_agents_note_stays_private(zendesk):
    assert roles(zendesk(ticket(comment(2, "n", False)), AGENT, as_assistant=("Wendel",))) == [NOTE]


@pytest.mark.parametrize("kind", ["note", "note_and_reopen", "assignment", "something_new"])
def test_tkt1_a_part_for_colleagues_is_never_the_assistant(intercom, kind):
    items = intercom(conversation(part(kind, "admin", "n"), part("comment", "admin")))
    assert roles(items)[1:] == [NOTE, ("assistant", "a", None, True)]


@pytest.mark.parametrize("kind", ["comment", "close", "open"])
def test_tkt1_a_reply_that_closes_is_public(intercom, kind):
    assert roles(intercom(conversation(part(kind, "admin"))))[1] == ("assistant", "a", None, True)


def test_tkt2_roles_come_from_the_table_of_users_wherever_it_stands(zendesk):
    talk = ticket(*(comment(who, str(who)) for who in (1, 2, 3)))
    for lines in ([USER, AGENT, ADMIN, talk], [talk, USER, AGENT, ADMIN]):
        items = zendesk(*lines)
        assert [role for role, *_ in roles(items)] == ["user", "assistant", "assistant"]
        people = [(p.name, p.id, p.is_assistant) for p in only(items).participants]
        assert people == [("Marla", "1", False), ("Wendel", "2", True), ("Odo", "3", True)]


def test_tkt2_the_requester_is_the_customer_even_if_an_agent(zendesk):
    items = zendesk(ticket(comment(3, "q"), comment(2, "a"), requester_id=3), AGENT, ADMIN)
    assert [role for role, *_ in roles(items)] == ["user", "assistant"]


def test_tkt2_without_users_only_requester_and_assignee_are_known(zendesk):
    talk = ticket(*(comment(who, "t") for who in (1, 2, 4)), assignee_id=2)
    items = zendesk(talk)
    assert [role for role, *_ in roles(items)] == ["user", "assistant", "user"]
    assert only(items).messages[2].extra == {"author_unknown": True}


def test_tkt2_a_user_can_be_chosen_as_the_assistant(zendesk):
    items = zendesk(ticket(comment(1, "q"), comment(4, "a")), as_assistant=("4",))
    assert [role for role, *_ in roles(items)] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("kind", "role"), [("user", "user"), ("lead", "user"), ("contact", "user"),
                       ("admin", "assistant"), ("team", "assistant"), ("alien", "user")]
)  # fmt: skip
def test_tkt2_intercom_states_who_speaks(intercom, kind, role):
    assert roles(intercom(conversation(part("comment", kind))))[1][0] == role


def test_tkt2_a_bot_is_trained_only_if_it_was_chosen(zendesk, intercom):
    talk = conversation(part("comment", "bot"))
    assert roles(intercom(talk))[1] == ("assistant", "a", False, True)
    assert roles(intercom(talk, as_assistant=("bot",)))[1] == ("assistant", "a", None, True)
    trigger = ticket(comment(1, "q"), comment(-1, "a"))
    assert roles(zendesk(trigger))[1] == ("assistant", "a", False, True)
    assert roles(zendesk(trigger, as_assistant=("-1",)))[1] == ("assistant", "a", None, True)


def test_tkt2_an_agent_by_machine_is_a_bot(intercom):
    talk = conversation(part("comment", "admin"))
    talk["conversation_parts"]["conversation_parts"][0]["author"]["from_ai_agent"] = True
    assert roles(intercom(talk))[1] == ("assistant", "a", False, True)


def test_a_campaign_is_not_trained(intercom):
    author = {"type": "admin", "id": "7", "name": "Wendel"}
    talk = conversation(author=author, delivered_as="campaigns_initiated")
    assert roles(intercom(talk)) == [("assistant", "q", False, True)]
    by_hand = conversation(author=author, delivered_as="admin_initiated")
    assert roles(intercom(by_hand)) == [("assistant", "q", None, True)]


def test_tkt3_a_chat_is_in_the_audits(zendesk):
    history = [bubble("end-user", "1", "q", 1), bubble("agent", "2", "a", 2),
               bubble("agent", "2", "b", 3)]  # fmt: skip
    items = zendesk(ticket(), audit(chat(*history)), USER, AGENT)
    assert roles(items) == [("user", "q", None, True), ("assistant", "a\nb", None, True)]
    assert only(items).messages[0].created_at.timestamp() == 1772440001


def test_tkt3_the_end_of_a_chat_tells_its_start_again(zendesk):
    first = bubble("end-user", "1", "q", 1)
    ended = audit(chat(first, bubble("agent", "2", "a", 2), kind="ChatEndedEvent"), id=9)
    items = zendesk(ticket(), audit(chat(first)), ended)
    assert [content for _, content, *_ in roles(items)] == ["q", "a"]


def test_tkt3_the_transcript_of_a_chat_is_no_second_talk(zendesk):
    again = comment(2, "n", via={"channel": "native_messaging"})
    items = zendesk(ticket(again), audit(chat(bubble("end-user", "1", "q", 1))), AGENT)
    assert sorted(roles(items)) == [NOTE, ("user", "q", None, True)]


def test_tkt3_a_transcript_without_its_audits_stands(zendesk):
    again = comment(2, "a", via={"channel": "native_messaging"})
    assert roles(zendesk(ticket(again), AGENT)) == [("assistant", "a", None, True)]


def test_tkt3_who_joined_is_an_event(zendesk):
    joined = {"type": "ChatJoin", "actor_type": "end-user", "actor_id": "1", "timestamp": 1}
    items = zendesk(ticket(), audit(chat(joined, bubble("end-user", "1", "q", 1))))
    assert only(items).metadata["events"] == [[None, "ChatJoin"]]


def test_tkt3_audits_alone_hold_comments_and_chats(zendesk):
    said = {"type": "Comment", "id": 1, "public": True, "body": "q"}
    note = {"type": "Comment", "id": 2, "public": False, "body": "n", "author_id": 2}
    found = only(zendesk(audit(said, note, created_at="2026-03-02T09:00:00Z")))
    assert [(m.role, m.content, m.train) for m in found.messages] == [
        ("user", "q", None),
        ("system", "n", False),
    ]
    assert found.source_id == "5"


def test_pages_of_the_api_are_read(tmp_path, zendesk):
    page = {"tickets": [ticket(comment(1, "q"))], "users": [USER], "next_page": None}
    path = tmp_path / "page.json"
    for text in (json.dumps(page), json.dumps(page, indent=2), json.dumps(page) + "\n"):
        path.write_text(text)
        assert Zendesk().sniff(open_export(path)) > 0.9
        assert roles(read(Zendesk(), path)) == [("user", "q", None, True)]
    pages = [page, {"tickets": [ticket(comment(1, "r"), id=6)]}]
    assert [len(item.messages) for item in zendesk(*pages)] == [1, 1]


def test_comments_may_lie_beside_their_tickets(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    late = comment(2, "a", ticket_id=5, id=2, created_at="2026-03-02T10:00:00Z", type="Comment")
    early = comment(1, "q", ticket_id=5, id=1, created_at="2026-03-02T09:00:00Z", type="Comment")
    (folder / "a.json").write_text(json.dumps({"comments": [late, early]}))
    (folder / "b.json").write_bytes(jsonl(ticket(), AGENT))
    assert [content for _, content, *_ in roles(read(Zendesk(), folder))] == ["q", "a"]


def test_a_ticket_with_a_description_alone_is_its_first_message(zendesk):
    assert roles(zendesk(ticket(description="q"))) == [("user", "q", None, True)]


def test_html_alone_becomes_text(zendesk):
    html = {"author_id": 1, "public": True, "html_body": "<p>a<br>b &amp; c</p>"}
    assert roles(zendesk(ticket(html)))[0][1] == "a\nb & c"


def test_deleted_and_empty_tickets_are_skipped(zendesk):
    items = zendesk(ticket(comment(1, "Scrubbed"), status="deleted"), ticket(id=6))
    assert [item.reason for item in items] == ["the ticket is deleted", "no messages"]


def test_tokens_of_addresses_are_not_kept(zendesk):
    file = {"file_name": "a.png", "content_url": "https://x.example.org/a.png?token=s"}
    found = only(zendesk(ticket(comment(1, "", attachments=[file]))))
    (attachment,) = found.messages[0].attachments
    assert (attachment.kind, attachment.uri) == ("image", "https://x.example.org/a.png")


def test_a_redacted_part_is_no_training(intercom):
    assert roles(intercom(conversation(part("comment", "admin", "secret", redacted=True))))[1] == (
        "assistant",
        "",
        False,
        True,
    )


def test_parts_that_the_service_left_out_are_told(intercom):
    talk = conversation(part("comment", "admin"))
    talk["conversation_parts"]["total_count"] = 620
    assert only(intercom(talk)).metadata["missing_parts"] == 619


def test_a_truncated_page_keeps_its_whole_tickets(tmp_path):
    page = {"tickets": [ticket(comment(1, "q"), id=n) for n in range(3)]}
    path = tmp_path / "page.json"
    path.write_text(json.dumps(page)[:-30])
    items = read(Zendesk(), path)
    assert sum(isinstance(item, Conversation) for item in items) == 2
    assert sum(isinstance(item, Reject) for item in items) == 1


@pytest.mark.parametrize("bad", [b"{", b"[1]", b'"x"', b'{"id": 9}', b"\xff\xfe", b"null"])
def test_one_bad_record_costs_no_other(zendesk, intercom, bad):
    for items in (
        zendesk(ticket(comment(1, "q")), bad, ticket(comment(1, "r"), id=6)),
        intercom(conversation(), bad, conversation() | {"id": "d"}),
    ):
        kinds = sorted(type(item).__name__ for item in items)
        assert kinds == ["Conversation", "Conversation", "Reject"]


ODD: list[Any] = [None, True, 7, -1.5, "x", [], [None], {}, {"x": 1}, [["x"]], 10**30]


@pytest.mark.parametrize("odd", ODD)
def test_values_of_another_type_cost_no_neighbour(zendesk, intercom, odd):
    good = ticket(comment(1, "canary"), id=99)
    for key in ticket(comment(1, "q"), assignee_id=2, via={}, status="x", description="d"):
        items = zendesk(ticket(comment(1, "q")) | {key: odd}, good)
        assert len(items) == 2
        assert any(isinstance(item, Conversation) and item.source_id == "99" for item in items)
    for key in comment(1, "q", created_at="", id=1, attachments=[], via={}, body="", html_body=""):
        assert len(zendesk(ticket(comment(1, "q") | {key: odd}), good)) == 2
    for key in bubble("agent", "1", "q", 1, actor_name="x", filename="y", url="z"):
        assert len(zendesk(ticket(), audit(chat(bubble("agent", "1", "q", 1) | {key: odd})))) == 1
    neighbour = conversation() | {"id": "99"}
    for key in conversation():
        assert len(intercom(conversation() | {key: odd}, neighbour)) == 2
    for key in part("comment", "admin", created_at=1, attachments=[], redacted=False):
        assert len(intercom(conversation(part("comment", "admin") | {key: odd}), neighbour)) == 2


@pytest.mark.parametrize("raw", [b" ", b"[]", b"{}", b"null", b"[1, null]", b'{"tickets": []}'])
def test_a_file_of_nothing_is_no_traceback(tmp_path, raw):
    path = tmp_path / "x.json"
    path.write_bytes(raw)
    for importer in (Zendesk(), Intercom()):
        assert all(isinstance(item, Reject | Skip) for item in read(importer, path))

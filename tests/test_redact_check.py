"""A second look through sealed files: other patterns, participants, places but no values."""

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from redact_ground import put, talk
from typer.testing import CliRunner

import dataset.redact.check_patterns as patterns
from dataset.build import build
from dataset.manifest import DatasetSpec, DatasetVersion, StepSpec, list_versions
from dataset.redact.check import RedactCheckError, check_version
from dataset.redact.check_patterns import left_in
from ingest.message import Message, ToolCall
from ingest.store import open_store
from ingest.workspace import Workspace
from serve.cli import app

SECRET = "Quillfeather"


def sealed(workspace: Workspace, *talks: Any, **options: Any) -> DatasetVersion:
    """A version of these talks; with options redacted, without as they are."""
    steps = [StepSpec(name="redact", options=options)] if options else []
    with open_store(workspace.store) as store:
        if talks:
            put(store, *talks)
        return build(store, DatasetSpec(name="d", steps=steps), workspace)


def kinds(text: str) -> set[str]:
    return {kind for kind, _, _ in left_in(text)}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "mail joe.doe+x@mill-post.co.uk now"),
        ("phone", "ring +49 (170) 123-45 67"),
        ("card", "4111-1111-1111-1111"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("ip", "from 8.8.4.4:53"),
        ("url_credentials", "https://joe:hunter2@example.com"),
        ("secret", "key sk-" + "a1B2" * 8),
        ("secret", "ghp_" + "a1B2" * 9),
        ("secret", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc"),
        ("password", 'password = "tr0ub4dor3x"'),
        ("private_key", "-----BEGIN RSA PRIVATE KEY-----"),
        ("national_id", "ssn 123-45-6789"),
    ],
)
def test_each_kind_is_seen(kind: str, text: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "[EMAIL_1] Person_7 password: [PASSWORD_1]",
        "order 4111111111111112, version 1.2.3.4.5, 10.0.0.1, 192.168.0.7 and 127.0.0.1",
        "token = os.environ, password: required, secret=None",
        "2024-11-24T10:11:12+01:00, 3+4=7, @Person_3, sha a3f5c1d2e4b60718293a4b5c6d7e8f90",
        "def f(a, b): return a[0] @ b",
    ],
)
def test_what_is_harmless_is_not(text: str) -> None:
    assert kinds(text) == set()


def test_it_shares_no_pattern_with_the_detectors() -> None:
    tree = ast.parse(Path(patterns.__file__).read_text("utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert all(not (node.module or "").startswith("dataset.redact") for node in imported)


def test_a_redacted_version_is_clean(workspace: Workspace) -> None:
    text = f"I am {SECRET}, q@mill-post.org, +49 170 1234567"
    version = sealed(workspace, talk(1, [f"Anna {SECRET}", "Bo Ås"], text, "Hi Anna"), people=True)
    report = check_version(version, workspace)
    assert report.clean
    assert (report.conversations, report.unknown) == (1, 0)
    assert version.steps[0].facts == {}


def test_what_is_left_is_named_by_place(workspace: Workspace) -> None:
    call = ToolCall("c", "mail", json.dumps({"to": "q@mill-post.org"}))
    messages = (
        Message("user", f"I am {SECRET.lower()}"),
        Message("assistant", "ok", tool_calls=(call,), reasoning=f"{SECRET}!"),
    )
    version = sealed(
        workspace, talk(1, [f"Anna {SECRET}"], messages=messages, title=f"{SECRET}'s talk")
    )
    left = check_version(version, workspace).left
    assert {(each.kind, each.position, each.field) for each in left} == {
        ("person", None, "title"),
        ("person", None, "participants"),
        ("person", 0, "content"),
        ("person", 1, "reasoning"),
        ("email", 1, "tool_calls.0.arguments"),
    }
    assert {each.conversation for each in left} == {"talk-0001"}


def test_names_without_spaces_are_seen(workspace: Workspace) -> None:
    version = sealed(workspace, talk(1, ["王小明", "Bo Ås"], "我是王小明。", "ok"))
    left = check_version(version, workspace).left
    assert ("person", 0, "content") in {each[:1] + each[2:] for each in left}


def test_names_in_keys_are_seen_though_redaction_leaves_them(workspace: Workspace) -> None:
    call = ToolCall("c", "mail", json.dumps({SECRET: "x"}))
    messages = (Message("user", "hi"), Message("assistant", "ok", tool_calls=(call,)))
    version = sealed(workspace, talk(1, [f"Anna {SECRET}"], messages=messages), people=True)
    assert [each.field for each in check_version(version, workspace).left] == [
        "tool_calls.0.arguments"
    ]
    assert version.steps[0].facts == {"left: person": 1}


def test_kept_values_are_no_finds(workspace: Workspace) -> None:
    version = sealed(
        workspace,
        talk(1, [f"Anna {SECRET}", "Bo Ås"], f"{SECRET}: info@mill-post.org", "ok"),
        keep=[f"Anna {SECRET}", "info@mill-post.org"],
    )
    assert check_version(version, workspace).clean


def test_conversations_the_store_lacks_are_counted(workspace: Workspace) -> None:
    version = sealed(workspace, talk(1, ["Anna Ek", "Bo Ås"], "Anna", "ok"), people=True)
    with open_store(workspace.store) as store, store.transaction():
        store.delete([1])
    report = check_version(version, workspace)
    assert (report.unknown, report.left, report.clean) == (1, [], False)


def test_a_build_can_fail_on_it(workspace: Workspace) -> None:
    call = ToolCall("c", "mail", json.dumps({SECRET: "x"}))
    messages = (Message("user", "hi"), Message("assistant", "ok", tool_calls=(call,)))
    with pytest.raises(RedactCheckError) as caught:
        sealed(workspace, talk(1, [f"Anna {SECRET}"], messages=messages), check="fail")
    assert SECRET not in caught.value.message + caught.value.hint
    assert "1 person" in caught.value.message
    assert list_versions(workspace) == []
    assert list((workspace.datasets / "d").iterdir()) == []


def test_a_build_looks_only_for_what_was_asked(workspace: Workspace) -> None:
    version = sealed(
        workspace,
        talk(1, [f"Anna {SECRET}", "Bo Ås"], f"{SECRET}: q@mill-post.org", "+49 170 1234567"),
        people=False, kinds=["phone"], check="fail",
    )  # fmt: skip
    assert version.steps[0].facts == {}
    assert check_version(version, workspace).by_kind.keys() == {"person", "email"}


# -- the command -------------------------------------------------------------------------------


def run(workspace: Workspace, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["redact-check", *arguments, "--home", str(workspace.home)])


def test_the_command_exits_3_when_anything_is_left(workspace: Workspace) -> None:
    version = sealed(workspace, talk(1, [f"Anna {SECRET}", "Bo Ås"], f"{SECRET}!", "ok"))
    done = run(workspace, version.ref, "--json")
    assert done.exit_code == 3
    told = json.loads(done.stdout)
    assert told["clean"] is False
    assert told["by_kind"] == {"person": 4}
    assert {"kind", "conversation", "position", "field"} == set(told["left"][0])


def test_the_command_exits_0_when_nothing_is(workspace: Workspace) -> None:
    sealed(workspace, talk(1, [f"Anna {SECRET}", "Bo Ås"], f"{SECRET}!", "ok"), people=True)
    done = run(workspace, "d@latest")
    assert done.exit_code == 0
    assert "nothing is left" in done.output


def test_no_value_is_printed_or_logged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    talks = (
        talk(1, [f"Anna {SECRET}", "Bo Ås"], f"{SECRET} q@mill-post.org", "ok", title=SECRET),
        talk(2, [f"Carl {SECRET}"], "hi"),
    )
    version = sealed(workspace, *talks)
    for arguments in ([version.ref], [version.ref, "--json"]):
        done = run(workspace, *arguments)
        assert SECRET not in done.output
        assert "mill-post" not in done.output
    sealed(workspace, style="surrogate")
    assert SECRET not in caplog.text


def test_damaged_files_are_not_looked_through(workspace: Workspace) -> None:
    version = sealed(workspace, talk(1, ["Anna Ek", "Bo Ås"], "Anna", "ok"), people=True)
    file = next((version.path / "data").glob("*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    done = run(workspace, version.ref)
    assert done.exit_code not in (0, 3)
    assert "differs" in str(done.exception)

"""``turnmill push`` and ``turnmill pull``: JSON, two-line errors, tokens from three places."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from hub_ground import CLIENT_WARNINGS, READER, REPO, TOKEN, WRONG, Waits, hub_for_tests, sealed
from hub_server import Hub
from hub_storage import Repo
from huggingface_hub import constants, file_download
from huggingface_hub.errors import HfHubHTTPError

from dataset.hub.errors import HubError, explain, retry_after_s
from dataset.hub.retry import Patience, retry
from dataset.hub.token import find_token
from dataset.manifest import DatasetVersion
from serve.cli import run

pytestmark = CLIENT_WARNINGS


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where ``hf auth login`` would store a token; nothing is there."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    stored = tmp_path / "stored-token"
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    return stored


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_for_tests(monkeypatch) as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        yield running


@pytest.fixture
def version(tmp_path: Path) -> DatasetVersion:
    return sealed(tmp_path / "home", 40)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture
def turnmill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process; whatever it prints, no token is in it."""

    def turnmill_of(*arguments: object, home: str = "home") -> Done:
        capsys.readouterr()
        code = run([*map(str, arguments), "--home", str(tmp_path / home)])
        done = Done(code, *capsys.readouterr())
        assert TOKEN not in done.out + done.err
        assert WRONG not in done.out + done.err
        return done

    return turnmill_of


def lines(done: Done) -> tuple[str, str]:
    """The two lines of an error."""
    assert done.code == 2
    assert done.out == ""
    what, hint = [line for line in done.err.splitlines() if line.startswith(("error:", "hint:"))]
    return what, hint


def test_push_and_pull(hub, version, turnmill, token_file):
    options = ("--repo", REPO, "--token-file", token_file, "--json")
    dry = turnmill("push", "d", *options, "--dry-run").json
    assert (dry["dry_run"], dry["bytes_sent"], dry["commit"]) == (True, 0, None)
    assert hub.storage.repos == {}
    pushed = turnmill("push", "d", *options).json
    assert pushed["repo"] == REPO
    assert pushed["revision"] == version.fingerprint
    assert pushed["private"] is True
    assert pushed["bytes_sent"] == sum(hub.faults.received.values())
    assert {file["path"] for file in pushed["files"]} > set(version.files)
    pulled = turnmill("pull", REPO, "--token-file", token_file, "--json", home="there").json
    assert pulled["revision"] == version.fingerprint
    assert pulled["bytes_received"] == sum(info.bytes for info in version.files.values())
    assert Path(pulled["path"]).is_dir()


def test_a_push_is_told_to_the_hooks_once_and_a_rehearsal_never(
    hub, version, turnmill, token_file, tmp_path
):
    hook = '[[hook]]\nname = "keep"\non = ["dataset.pushed"]\ncommand = ["cat"]\n'
    (tmp_path / "home" / "turnmill.toml").write_text(hook)
    options = ("--repo", REPO, "--token-file", token_file, "--json")
    turnmill("push", "d", *options, "--dry-run")
    assert not (tmp_path / "home" / "hooks").exists()
    pushed = [turnmill("push", "d", *options).json for _ in range(2)]
    (log,) = (tmp_path / "home" / "hooks").glob("*/keep/log.txt")
    event = json.loads(log.read_text())
    assert event["type"] == "dataset.pushed"
    assert event["data"]["commit"] == pushed[0]["commit"]
    assert (event["data"]["repo"], event["data"]["state"]) == (REPO, "private")
    assert event["data"]["fingerprint"] == version.fingerprint


def test_what_people_see(hub, version, turnmill, token_file):
    pushed = turnmill("push", "d", "--repo", REPO, "--token-file", token_file)
    assert (pushed.code, "members only" in pushed.out) == (0, True)
    pulled = turnmill("pull", REPO, "--token-file", token_file, home="there")
    assert (pulled.code, version.fingerprint in pulled.out) == (0, True)
    dry = turnmill("push", "d", "--repo", REPO, "--token-file", token_file, "--dry-run")
    assert "nothing was sent" in dry.out


def test_a_token_of_the_environment(hub, version, turnmill, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", f" {TOKEN} ")
    assert turnmill("push", "d", "--repo", REPO, "--json").code == 0


def test_a_token_of_hf_auth_login(hub, version, turnmill, no_login):
    no_login.write_text(TOKEN)
    assert turnmill("push", "d", "--repo", REPO, "--json").code == 0


def test_the_file_wins_over_the_environment_and_that_over_the_login(
    monkeypatch, no_login, token_file
):
    no_login.write_text("stored")
    assert find_token().get_secret_value() == "stored"
    monkeypatch.setenv("HF_TOKEN", "named")
    assert find_token().get_secret_value() == "named"
    assert find_token(token_file).get_secret_value() == TOKEN


def test_without_any_token(hub, version, turnmill):
    what, hint = lines(turnmill("push", "d", "--repo", REPO))
    assert "needs a token" in what
    assert "hf auth login" in hint
    assert hub.faults.seen == []


@pytest.mark.parametrize(
    ("token", "words"),
    [(WRONG, "401"), (READER, "403"), ("", "holds no token"), (f"{TOKEN} {TOKEN}", "no token"),
     (f"{TOKEN}\nx", "no token"), (f"{TOKEN}\x00", "no token"), (f"{TOKEN}ä", "no token")],
)  # fmt: skip
def test_tokens_that_do_not_do(hub, version, turnmill, token_file, token, words):
    token_file.write_text(token)
    what, hint = lines(turnmill("push", "d", "--repo", REPO, "--token-file", token_file))
    assert words in what
    assert hint


@pytest.mark.parametrize("raw", [None, b"\xff\xfe\x00"])
def test_token_files_that_cannot_be_read(hub, version, turnmill, tmp_path, raw):
    file = tmp_path / "broken"
    if raw is not None:
        file.write_bytes(raw)
    assert str(file) in lines(turnmill("pull", REPO, "--token-file", file))[0]


def test_errors_of_the_hub_are_two_lines(hub, version, turnmill, token_file):
    push = ("push", "d", "--repo", REPO, "--token-file", token_file)
    pull = ("pull", REPO, "--token-file", token_file)
    assert "404" in lines(turnmill(*pull))[0]
    hub.storage.repos[REPO] = Repo(REPO, private=False)
    assert "is public" in lines(turnmill(*push))[0]
    hub.repo(REPO).private = True
    hub.fault("commit", "status", status=412, message=TOKEN)
    assert "412" in lines(turnmill(*push))[0]
    hub.fault("tree", "status", status=403, headers={"X-Error-Code": "GatedRepo"})
    assert "gated" in lines(turnmill(*pull))[0]


def test_offline(hub, version, turnmill, token_file, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    what, hint = lines(turnmill("push", "d", "--repo", REPO, "--token-file", token_file))
    assert "HF_HUB_OFFLINE" in what
    assert "unset" in hint


def test_a_hub_that_is_not_there(hub, version, turnmill, token_file, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(Patience, "wait", lambda *_: False)
    what, _ = lines(turnmill("pull", REPO, "--token-file", token_file))
    assert "failed or broke off" in what


def test_something_that_is_no_hub(hub, version, turnmill, token_file):
    turnmill("push", "d", "--repo", REPO, "--token-file", token_file)
    hub.fault("head", "status", status=200, message="hello")
    what, hint = lines(turnmill("pull", REPO, "--token-file", token_file, home="there"))
    assert "does not answer like a Hub" in what
    assert "HF_ENDPOINT" in hint


def test_a_full_disk(hub, version, turnmill, token_file, monkeypatch):
    turnmill("push", "d", "--repo", REPO, "--token-file", token_file)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_download, "_chmod_and_move", full)
    assert "disk is full" in lines(turnmill("pull", REPO, "--token-file", token_file, home="x"))[0]


@pytest.mark.slow
def test_a_push_by_a_process_of_its_own(hub, version, token_file, tmp_path):
    """As people run it: the client reads its settings from the environment, and logs all it can."""
    command = [sys.executable, "-m", "serve.cli", "push", "d", "--repo", REPO, "--json",
               "--token-file", str(token_file), "--home", str(tmp_path / "home")]  # fmt: skip
    environment = {
        "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debug",
    }  # fmt: skip
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parent.parent, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["revision"] == version.fingerprint
    assert "Send: curl" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path != token_file]
    assert not any(TOKEN.encode() in path.read_bytes() for path in left)


# -- patience ------------------------------------------------------------------------------------


def answer(status: int, **headers: str) -> HfHubHTTPError:
    request = httpx2.Request("GET", "https://hub.example/api/datasets/org/talks")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(status, headers=named, request=request)
    return HfHubHTTPError("no", response=response)


def test_waits_grow_and_end():
    waits = Waits()
    calls: list[int] = []

    def failing() -> None:
        calls.append(1)
        raise answer(503)

    with pytest.raises(HfHubHTTPError):
        retry(failing, waits.patience)
    assert (waits, len(calls)) == ([1, 2, 4, 8, 16], 6)


def test_what_cannot_succeed_is_not_tried_again():
    for status in (400, 401, 403, 404, 409, 412, 422):
        waits = Waits()

        def refused(status: int = status) -> None:
            raise answer(status)

        with pytest.raises(HfHubHTTPError):
            retry(refused, waits.patience)
        assert waits == []


NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7),
        ({"retry_after": format_datetime(NOW.replace(minute=1), usegmt=True)}, 60),
        ({"retry_after": format_datetime(NOW.replace(hour=11), usegmt=True)}, 0),
        ({"retry_after": "soon"}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": '"api";r=3;t=55', "retry_after": "2"}, 2),
    ],
)
def test_how_long_the_hub_asks_to_wait(headers, seconds):
    assert retry_after_s(answer(429, **headers), NOW) == seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 418, 422, 429, 500, 507])
def test_every_status_is_said_in_two_lines(status):
    found = explain(answer(status), REPO, "https://hub.example")
    assert isinstance(found, HubError)
    assert str(status) in found.message
    assert REPO in found.message
    assert found.hint


def test_a_bug_of_ours_stays_one():
    assert explain(ValueError("x"), REPO, "") is None
    assert explain(RuntimeError("x"), REPO, "") is None

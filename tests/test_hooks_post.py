"""Hooks that post: what is sent, what answers mean, what is tried again and what never."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hooks_ground import KEY, SECRET, drip, drop, hang, happened, posting, receiver, write_hooks
from pydantic import SecretStr

from ingest.workspace import Workspace
from train.hooks import deliver as delivering
from train.hooks.deliver import pause_s
from train.hooks.emit import attempt, emit
from train.hooks.flush import flush
from train.hooks.outbox import Delivery, Outbox
from train.hooks.secret import SecretError, find_secrets, sign
from train.hooks.spec import load_hooks


@pytest.fixture
def door():
    with receiver() as opened:
        yield opened


def told(workspace: Workspace, event=None) -> Delivery:
    """Emit an event; how its one hook took it."""
    event = event or happened()
    emit(event, workspace)
    return Outbox(workspace).read(event.id, "tell")


def again(workspace: Workspace, event=None) -> Delivery:
    """Another attempt without waiting for its time."""
    event = Outbox(workspace).find((event or happened()).id)
    return attempt(event, "tell", load_hooks(workspace), workspace, again=True)


def test_the_signature_is_the_one_of_standard_webhooks():
    # the example in the tests of the specification's own libraries
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_comes_is_signed_and_says_what_happened(workspace, door):
    posting(workspace, door.url)
    assert told(workspace).state == "delivered"
    (came,) = door.came
    assert came["verified"]
    assert came["path"] == "/hook?from=turnmill"
    assert came["json"] == {
        "type": "dataset.sealed", "timestamp": "2026-03-01T10:00:01Z", "id": happened().id,
        "data": happened().data,
    }  # fmt: skip


def test_both_secrets_sign_while_one_takes_the_others_place(workspace, door):
    posting(workspace, door.url)
    (workspace.home / "secret.txt").write_text("the-new-one-of-at-least-24-bytes\n" + SECRET)
    told(workspace)
    (came,) = door.came
    assert came["verified"]
    assert len(came["headers"]["webhook-signature"].split()) == 2


def test_a_secret_may_be_in_a_variable(workspace, door, monkeypatch):
    monkeypatch.setenv("HOOK_KEY", KEY.decode().replace(" ", "-"))
    posting(workspace, door.url)
    text = workspace.config.read_text().replace(
        'secret_file = "secret.txt"', 'secret_env = "HOOK_KEY"'
    )
    workspace.config.write_text(text)
    assert told(workspace).state == "delivered"


@pytest.mark.parametrize(
    ("text", "mode", "word"),
    [
        (SECRET, 0o644, "others may read"),
        ("", 0o600, "holds no secret"),
        ("short", 0o600, "shorter than 24 bytes"),
        ("whsec_not base64 at all", 0o600, "not base64"),
        (None, 0, "No such file"),
    ],
)
def test_a_secret_that_cannot_sign_sends_nothing(workspace, door, text, mode, word):
    posting(workspace, door.url)
    file = workspace.home / "secret.txt"
    file.unlink()
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    delivery = told(workspace)
    assert (delivery.state, delivery.attempts[-1].error) == ("pending", "secret")
    assert door.came == []
    with pytest.raises(SecretError, match=word):
        find_secrets(load_hooks(workspace).hook[0], workspace)


def test_two_failures_then_an_answer_and_then_never_again(workspace, door, monkeypatch):
    monkeypatch.setattr(delivering, "_BASE_S", 0.05)
    posting(workspace, door.url)
    door.answers = [500, 503]
    first = told(workspace)
    assert (first.state, first.attempts[0].status) == ("pending", 500)
    (done,) = flush(workspace, wait_s=10)
    assert [each.status for each in done.attempts] == [500, 503, 204]
    assert done.state == "delivered"
    assert len(set(door.ids)) == 1
    assert len({each["body"] for each in door.came}) == 1
    assert all(each["verified"] for each in door.came)
    assert flush(workspace) == []
    emit(happened(), workspace)
    assert len(door.came) == 3


def test_a_receiver_that_took_it_and_died_gets_it_again_with_the_same_id(workspace, door):
    posting(workspace, door.url)
    door.answers = [drop]
    assert told(workspace).attempts[-1].error == "connection lost"
    assert again(workspace).state == "delivered"
    assert door.ids == [happened().id] * 2


@pytest.mark.parametrize("behaviour", [hang, drip])
def test_a_receiver_that_does_not_come_to_an_end_is_left(workspace, door, behaviour):
    posting(workspace, door.url, "timeout_s = 0.5")
    door.answers = [behaviour]
    last = told(workspace).attempts[-1]
    assert last.error == "timeout"
    assert 400 <= last.ms < 20_000


def test_nobody_listens(workspace, door):
    posting(workspace, "http://127.0.0.1:9/")
    delivery = told(workspace)
    assert (delivery.state, delivery.attempts[-1].error) == ("pending", "refused")


def test_a_receiver_that_is_gone_gets_no_more_until_a_test_succeeds(workspace, door):
    posting(workspace, door.url)
    door.answers = [410]
    assert told(workspace).state == "gone"
    assert flush(workspace) == []
    emit(happened(2), workspace)
    assert len(door.came) == 1
    from serve.commands.hooks import test as send_ping

    door.answers = [410]
    assert send_ping("tell", workspace)["state"] == "gone"
    emit(happened(3), workspace)
    assert len(door.came) == 2
    assert send_ping("tell", workspace)["state"] == "delivered"
    assert told(workspace, happened(4)).state == "delivered"


def in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("300", 290, 310), (None, 10, 70), ("soon", 3, 7), ("999999999", 86000, 86500)],
)
def test_a_receiver_may_ask_to_wait(workspace, door, value, least, most):
    posting(workspace, door.url)
    door.answers, door.headers = [429], {"Retry-After": value or in_a_minute()}
    delivery = told(workspace)
    assert delivery.due is not None
    last = delivery.attempts[-1]
    assert last.ms is not None
    waits = delivery.due - last.at - timedelta(milliseconds=last.ms)
    assert least <= waits.total_seconds() <= most
    assert flush(workspace) == []  # not yet


def test_redirects_are_not_followed(workspace, door):
    with receiver() as other:
        posting(workspace, door.url)
        door.answers, door.headers = [307], {"Location": other.url}
        assert told(workspace).attempts[-1].status == 307
        assert other.came == []


def test_proxies_of_the_environment_are_not_used(workspace, door, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    posting(workspace, door.url)
    assert told(workspace).state == "delivered"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_a_certificate_that_nobody_vouches_for_gets_nothing(workspace, certificate):
    with receiver(certificate) as door:
        posting(workspace, door.url.replace("http:", "https:"))
        assert told(workspace).attempts[-1].error == "tls"
        assert door.came == []


def test_over_tls(workspace, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    with receiver(certificate) as door:
        posting(workspace, door.url.replace("http:", "https:"))
        assert told(workspace).state == "delivered"
        assert door.came[0]["verified"]


def test_tls_for_another_name_gets_nothing(workspace, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    with receiver(certificate) as door:
        posting(workspace, door.url.replace("http://127.0.0.1", "https://localhost"))
        assert told(workspace).attempts[-1].error == "tls"


def nonsense(door, state) -> None:
    door.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    door.close_connection = True


def endless(door, state) -> None:
    door.close_connection = True
    try:
        while not state.stop.is_set():
            door.wfile.write(b"x" * 65536)
    except OSError:
        return


@pytest.mark.parametrize("answer", [nonsense, endless])
def test_what_is_no_http_is_no_answer(workspace, door, answer):
    posting(workspace, door.url, "timeout_s = 5")
    door.answers = [answer]
    assert told(workspace).attempts[-1].error == "no HTTP"


def test_what_never_succeeds_is_given_up(workspace, door, monkeypatch):
    monkeypatch.setattr(delivering, "_BASE_S", 0.01)
    monkeypatch.setattr(delivering, "_CAP_S", 0.02)
    posting(workspace, door.url, "attempts = 3")
    door.answers = [500] * 9
    told(workspace)
    (done,) = flush(workspace, wait_s=10)
    assert (done.state, len(done.attempts), done.due) == ("failed", 3, None)
    assert flush(workspace) == []


def test_a_replay_sends_the_same_id_once_more(workspace, door):
    posting(workspace, door.url)
    told(workspace)
    done = again(workspace)
    assert [each.replay for each in done.attempts] == [False, True]
    assert door.ids == [happened().id] * 2
    door.answers = [500]
    assert again(workspace).state == "failed"


def test_pauses_grow_and_have_an_end():
    for done, middle in [(1, 5), (2, 20), (3, 80), (12, 12 * 3600)]:
        assert 0.79 * middle <= pause_s(done) <= 1.21 * middle
    assert len({pause_s(3) for _ in range(20)}) > 1


def test_nothing_of_an_answer_is_kept_but_its_status(workspace, door):
    posting(workspace, door.url)
    door.headers = {"X-Canary": "zwqx"}
    door.answers = [500]
    told(workspace)
    kept = "".join(file.read_text() for file in workspace.hooks.rglob("*.json"))
    assert "zwqx" not in kept
    assert SECRET not in kept
    assert json.loads((workspace.hooks / happened().id / "event.json").read_text())["hooks"]


def test_a_hook_that_was_taken_out_gets_nothing(workspace, door):
    posting(workspace, door.url)
    door.answers = [500]
    told(workspace)
    write_hooks(workspace, "")
    assert again(workspace).attempts[-1].error == "no such hook"
    assert len(door.came) == 1

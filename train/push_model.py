"""From a merged model to a private repository on the Hub: one commit, checked, then a tag.

Only a model whose certificate holds is sent, and never to a public repository: what it was trained
on can be asked out of it. The tag is the run's id and is made last.
"""

import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dataset.hub.client import Hub, Remote, State
from dataset.hub.errors import ConflictError, HubError
from dataset.hub.publication import Item
from dataset.hub.push import read_back
from dataset.hub.report import PushReport
from dataset.hub.retry import Patience
from dataset.hub.sent import counted
from ingest.workspace import Workspace
from train.certificate import CERTIFICATE, MergeCertificate, verify_model
from train.hooks.event import shown_name
from train.model_card import render_model_card

PUSHES = "model_pushes.jsonl"
_CARD = "README.md"


class ModelPush(BaseModel):
    """One push of a model: a line of ``model_pushes.jsonl`` in the workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str = Field(description="the repository, ORG/NAME")
    endpoint: str = Field(description="the Hub it is on")
    model: str = Field(description="name of the model's folder")
    run_id: str = Field(description="the run that made it; the tag")
    dataset_fingerprint: str = Field(description="the version it was trained on")
    state: Literal["started", "done"] = Field(description="how far it came")
    commit: str | None = Field(default=None, description="the commit, once there is one")
    time: datetime = Field(description="when, UTC")


def push_model(
    model: Path,
    repo: str,
    workspace: Workspace,
    *,
    token: SecretStr | None,
    dry_run: bool = False,
    endpoint: str | None = None,
    patience: Patience | None = None,
) -> PushReport:
    """Publish a merged model to members of a private repository.

    Doing it again is harmless: what is there already is not sent again.

    Args:
        model: its folder.
        repo: ORG/NAME; made private if there is none.
        workspace: where the push is recorded.
        token: of an account that may write there.
        dry_run: look what would be sent, change nothing.
        endpoint: the Hub; None is huggingface_hub's own default.
        patience: with failing calls.

    Raises:
        MergeRefused: the model's certificate does not hold.
        HubError: the repository is public, the Hub does not allow it, or it failed.
    """
    certificate = verify_model(model)
    hub = Hub(repo, token, endpoint, patience, kind="model")
    items = published(model, certificate)
    if token is None and not dry_run:
        raise HubError(
            f"{repo}: publishing needs a token",
            "log in with 'hf auth login', set HF_TOKEN, or pass --token-file",
        )
    state = _private(hub, hub.state())
    if dry_run:
        add, gone, _ = _change(hub, state, items) if state else (items, [], "")
        return _report(hub, certificate, items, add, gone, "", 0, dry_run=True)
    with counted() as sent:
        if state is None:
            hub.create(private=True)
            state = _private(hub, hub.state())
        if state is None:
            raise HubError(f"{repo}: exists, but your token may not see it", "use a member's token")
        record = ModelPush(
            repo=repo,
            endpoint=hub.endpoint,
            model=model.resolve().name,
            run_id=certificate.run_id,
            dataset_fingerprint=certificate.dataset_fingerprint,
            state="started",
            time=datetime.now(UTC),
        )
        _write(workspace, record)
        add, gone, commit = _change(hub, state, items)
        if add or gone:
            commit = _committed(hub, certificate, items, (add, gone), commit)
        read_back(hub, commit, items)
        _private(hub, hub.state())
        _tag(hub, certificate.run_id, commit)
    done = {"state": "done", "commit": commit, "time": datetime.now(UTC)}
    _write(workspace, record.model_copy(update=done))
    return _report(hub, certificate, items, add, gone, commit, sent.total)


def published(model: Path, certificate: MergeCertificate) -> list[Item]:
    """Every file that the repository holds of a model; no path of this machine among them."""
    items = [
        Item(name, model / name, (model / name).stat().st_size, digest)
        for name, digest in sorted(certificate.files.items())
    ]
    told = certificate.model_copy(update={"base": shown_name(certificate.base)})
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    texts = {
        CERTIFICATE: orjson.dumps(told.model_dump(mode="json"), option=options),
        _CARD: render_model_card(told).encode(),
    }
    return items + [
        Item(path, data, len(data), hashlib.sha256(data).hexdigest())
        for path, data in texts.items()
    ]


def read_model_pushes(workspace: Workspace) -> list[ModelPush]:
    """The latest record of each model in each repository, oldest first.

    A line that a crash cut off is left out: nothing had been sent yet.
    """
    file = workspace.home / PUSHES
    latest: dict[tuple[str, str, str, str], ModelPush] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            push = ModelPush.model_validate(json.loads(line))
        except json.JSONDecodeError:
            continue
        key = (push.endpoint, push.repo, push.model, push.run_id)
        latest.pop(key, None)
        latest[key] = push
    return list(latest.values())


def _write(workspace: Workspace, push: ModelPush) -> None:

    workspace.create()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(workspace.home / PUSHES, flags, 0o600), "ab") as file:
        # on a line of its own, whatever a crash left before it
        file.write(b"\n" * (file.tell() > 0) + push.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _private(hub: Hub, state: State | None) -> State | None:
    if state is not None and not state.private:
        raise HubError(
            f"{hub.repo}: this repository is public, and a model can say what it was trained on",
            "make it private on the Hub, or name another one",
        )
    return state


def _change(hub: Hub, state: State, items: list[Item]) -> tuple[list[Item], list[str], str]:
    """What must be sent and removed on top of the head, and the head."""
    there = hub.files(state.head) if state.head else {}
    add = [item for item in items if item.path not in there or not there[item.path].equals(item)]
    names = {item.path for item in items}
    return add, sorted(_earlier(hub, state.head, there) - names), state.head


def _earlier(hub: Hub, head: str, there: dict[str, Remote]) -> set[str]:
    """Files that the certificate at the head names: of a model that is being replaced."""
    if CERTIFICATE not in there:
        return set()
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        try:
            told = MergeCertificate.model_validate_json(hub.read(CERTIFICATE, head, Path(folder)))
        except ValueError:
            return set()
    return told.files.keys() & there.keys()


def _committed(
    hub: Hub,
    certificate: MergeCertificate,
    items: list[Item],
    change: tuple[list[Item], list[str]],
    head: str,
) -> str:
    def landed() -> str | None:
        state = hub.state()
        if state is None or state.head == head:
            return None
        add, gone, now = _change(hub, state, items)
        return None if add or gone else now

    return hub.commit(*change, parent=head, message=f"model of {certificate.run_id}", landed=landed)


def _tag(hub: Hub, name: str, commit: str) -> None:
    named = hub.tags().get(name)
    if named is None:
        hub.tag(name, commit)
        named = hub.tags().get(name)
    if named != commit:
        raise ConflictError(
            f"{hub.repo}: the tag {name} is there and names other files",
            "look at it on the Hub; delete the tag there if it is of no use, then push again",
        )


def _report(
    hub: Hub,
    certificate: MergeCertificate,
    items: list[Item],
    add: list[Item],
    gone: list[str],
    commit: str,
    bytes_sent: int,
    *,
    dry_run: bool = False,
) -> PushReport:
    return PushReport(
        repo=hub.repo,
        revision=certificate.run_id,
        commit=commit,
        private=True,
        files=items,
        sent=[item.path for item in add],
        removed=gone,
        bytes_sent=bytes_sent,
        bytes_changed=sum(item.size for item in add),
        dry_run=dry_run,
    )

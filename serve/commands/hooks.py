"""What ``turnmill hooks`` does."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from train.hooks.emit import attempt
from train.hooks.event import Event, ping
from train.hooks.flush import flush as flush_outbox
from train.hooks.outbox import SETTLED, Delivery, Outbox
from train.hooks.secret import find_secrets
from train.hooks.spec import HooksFile, HookSpec, load_hooks
from train.spec import load_train_spec


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    """The hooks, each with what keeps it from working.

    Raises:
        SpecError: ``turnmill.toml`` is wrong.
    """
    return [
        {
            "hook": hook.name,
            "on": hook.on,
            "does": hook.target,
            "dataset": hook.dataset,
            "min_new": hook.min_new,
            "state": hook.state,
            "problem": _problem(hook, workspace),
        }
        for hook in load_hooks(workspace).hook
    ]


def _problem(hook: HookSpec, workspace: Workspace) -> str | None:
    from train.run import LAUNCHERS

    try:
        if hook.action == "url":
            find_secrets(hook, workspace)
        elif hook.train is not None:
            load_train_spec(workspace.home / hook.train)
            if hook.launcher not in LAUNCHERS:
                return f"no launcher {hook.launcher!r}; known: {', '.join(LAUNCHERS)}"
    except UserError as error:
        return error.message
    return None


def show(rows: Sequence[dict[str, Any]], workspace: Workspace) -> None:
    """Print the hooks."""
    if not rows:
        terminal.note(f"no hooks; they are written in {terminal.safe(workspace.config)}")
        return
    cells = [
        (row["hook"], ", ".join(row["on"]), row["does"], _conditions(row),
         "no" if row["problem"] else "yes")
        for row in rows
    ]  # fmt: skip
    terminal.table(f"Hooks ({len(rows)})", ("hook", "on", "does", "only", "can"), cells)
    for row in rows:
        if row["problem"]:
            terminal.note(terminal.safe(row["problem"]))


def _conditions(row: dict[str, Any]) -> str:
    asked = [row["dataset"]] if row["dataset"] != "*" else []
    asked += [f"{row['min_new']} new"] if row["min_new"] else []
    return ", ".join([*asked, *row["state"]])


def deliveries(workspace: Workspace, limit: int) -> list[dict[str, Any]]:
    """The latest deliveries, the last first."""
    outbox = Outbox(workspace)
    rows: list[dict[str, Any]] = []
    for event in reversed(outbox.events()):
        if len(rows) >= limit:
            break
        rows += [_row(event, outbox.read(event.id, name)) for name in event.hooks or ()]
    return rows[:limit]


def _row(event: Event, delivery: Delivery) -> dict[str, Any]:
    return {
        "event": event.id,
        "hook": delivery.hook,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "state": delivery.state,
        "due": delivery.due.isoformat() if delivery.due else None,
        "attempts": [each.model_dump(mode="json") for each in delivery.attempts],
    }


def show_deliveries(rows: Sequence[dict[str, Any]]) -> None:
    """Print deliveries."""
    cells = [
        (row["event"][:16], row["kind"], row["hook"], row["at"][5:16].replace("T", " "),
         row["state"], _last(row))
        for row in rows
    ]  # fmt: skip
    headings = ("event", "kind", "hook", "at (UTC)", "state", "last try")
    terminal.table(f"Deliveries ({len(rows)})", headings, cells, whole=(1, 3, 4))


def _last(row: Mapping[str, Any]) -> str:
    """How the last attempt went, and when the next one is due."""
    if not row["attempts"]:
        return ""
    last = row["attempts"][-1]
    number, ms = len(row["attempts"]), last.get("ms")
    told = [str(last.get("error") or last.get("status")), "" if ms is None else f"in {ms:,} ms"]
    tried = [f"try {number}"] if number > 1 else []
    due = [f"again at {row['due'][11:19]}"] if row["due"] else []
    return ", ".join([" ".join(told).strip(), *tried, *due])


def replay(ref: str, hook: str | None, workspace: Workspace) -> list[dict[str, Any]]:
    """Deliver an event again, under the same id, to all its hooks or to one.

    Raises:
        OutboxError: no such event.
        UserError: it was not for that hook.
    """
    event, hooks = Outbox(workspace).find(ref), load_hooks(workspace)
    names = list(event.hooks or ())
    if hook is not None and hook not in names:
        raise UserError(
            f"{event.id}: was not for hook {hook}", f"it was for: {', '.join(names) or 'none yet'}"
        )
    return [
        _row(event, attempt(event, name, hooks, workspace, again=True))
        for name in ([hook] if hook is not None else names)
    ]


def test(name: str, workspace: Workspace) -> dict[str, Any]:
    """Send a hook a ping; a training is only looked at.

    Raises:
        UserError: there is no such hook, or it cannot work.
    """
    hooks = load_hooks(workspace)
    hook = _named(name, hooks)
    problem = _problem(hook, workspace)
    if problem:
        raise UserError(problem, "mend that, then test again")
    event = ping().model_copy(update={"hooks": [name]})
    Outbox(workspace).put(event)
    delivery = attempt(event, name, hooks, workspace)
    if delivery.state not in SETTLED:  # nobody waits for a ping
        delivery = Outbox(workspace).write(
            delivery.model_copy(update={"state": "failed", "due": None})
        )
    return _row(event, delivery)


def _named(name: str, hooks: HooksFile) -> HookSpec:
    hook = hooks.named(name)
    if hook is None:
        known = ", ".join(each.name for each in hooks.hook) or "none"
        raise UserError(f"no hook {name!r}", f"there are: {known}")
    return hook


def flush(workspace: Workspace, wait_s: float) -> list[dict[str, Any]]:
    """Try what is due."""
    tried = flush_outbox(workspace, wait_s=wait_s)
    outbox = Outbox(workspace)
    return [_row(outbox.find(each.event), each) for each in tried]


def failed(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether one of them was not taken."""
    return any(row["attempts"] and row["state"] not in ("delivered", "running") for row in rows)

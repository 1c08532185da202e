"""What ``turnmill push`` and ``turnmill pull`` do."""

import importlib.util
from functools import partial
from pathlib import Path

from dataset.hub.pull import PullReport, pull
from dataset.hub.push import push
from dataset.hub.report import PushReport
from dataset.hub.token import find_token
from dataset.manifest import load_version
from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from serve.announce import announce
from train.hooks.event import pushed


def run_push(
    ref: str,
    workspace: Workspace,
    repo: str,
    *,
    token_file: Path | None,
    public: bool,
    dry_run: bool,
    samples: int,
) -> PushReport:
    """Publish a version of the workspace."""
    _require_client()
    version = load_version(ref, workspace)
    report = push(
        version,
        repo,
        workspace,
        token=find_token(token_file),
        public=public,
        dry_run=dry_run,
        samples=samples,
    )
    if not dry_run:
        told = partial(pushed, version, repo, report.commit, workspace, private=report.private)
        announce(told, workspace)
    return report


def run_push_model(
    ref: str, workspace: Workspace, repo: str, *, token_file: Path | None, dry_run: bool
) -> PushReport:
    """Publish a merged model of the workspace."""
    from serve.commands.serving import find_model
    from train.push_model import push_model

    _require_client()
    model = find_model(ref, workspace)
    return push_model(model, repo, workspace, token=find_token(token_file), dry_run=dry_run)


def run_pull(
    repo: str, workspace: Workspace, *, revision: str | None, token_file: Path | None
) -> PullReport:
    """Fetch a version into the workspace."""
    _require_client()
    return pull(repo, workspace, token=find_token(token_file), revision=revision)


def _require_client() -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError(
            "huggingface_hub is not installed", "pip install 'huggingface_hub>=2.0,<3' or the "
            "extra: pip install 'turnmill[train]'"
        )  # fmt: skip


def show_push(report: PushReport) -> None:
    """Print what a push did."""
    seen_by = "members only" if report.private else "everybody"
    rows = [
        (item.path, f"{item.size:,}", item.sha256[:12], "yes" if item.path in report.sent else "")
        for item in report.files
    ]
    sent = "would be sent" if report.dry_run else "sent"
    terminal.table("Files", ("path", "bytes", "sha256", sent), rows, right=(1,))
    facts = {
        "repository": f"{report.repo} (read by {seen_by})",
        "revision": report.revision,
        "removed": ", ".join(report.removed) or "nothing",
    }
    if report.dry_run:
        facts["would send"] = f"{report.bytes_changed:,} bytes at the most"
    else:
        facts |= {"commit": report.commit, "sent": f"{report.bytes_sent:,} bytes"}
    terminal.facts("Dry run: nothing was sent" if report.dry_run else "Published", facts)


def show_pull(report: PullReport) -> None:
    """Print what a pull did."""
    terminal.facts(
        "Pulled",
        {
            "version": report.version.ref,
            "repository": f"{report.repo} at {report.commit}",
            "folder": report.version.path,
            "received": f"{report.bytes_received:,} bytes",
        },
    )

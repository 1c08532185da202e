"""What ``turnmill doctor`` does: is this installation whole, and what can it do here?"""

import importlib.util
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ingest.errors import UserError
from ingest.settings import Settings
from ingest.store import open_store
from ingest.workspace import Workspace
from serve import terminal

_PACKAGES = ("ingest", "dataset", "train", "serve")
_EXTRAS = {
    "train": ("torch", "transformers", "trl", "peft", "datasets"),
    "serve": ("fastapi", "uvicorn", "openai", "jinja2"),
}
_FREE_GIB = 5


def run(workspace: Workspace) -> list[dict[str, Any]]:
    """Every check, as ``turnmill doctor --json`` prints it."""
    checks = [_python(), *(_package(name) for name in _PACKAGES)]
    checks += [_extra(name, modules) for name, modules in _EXTRAS.items()]
    checks += [_device(), _disk(workspace), _store(workspace), *_tokens()]
    return checks


def show(checks: list[dict[str, Any]]) -> None:
    """Print the checks."""
    rows = [(check["check"], "ok" if check["ok"] else "no", check["detail"], check["hint"])
            for check in checks]  # fmt: skip
    terminal.table("Doctor", ("check", "", "found", "hint"), rows)


def _check(name: str, ok: bool, detail: str, hint: str = "") -> dict[str, Any]:
    return {"check": name, "ok": ok, "detail": detail, "hint": "" if ok else hint}


def _python() -> dict[str, Any]:
    version = ".".join(map(str, sys.version_info[:3]))
    return _check("python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")


def _package(name: str) -> dict[str, Any]:
    """Whether a package with such a general name is ours and not somebody else's."""
    spec = importlib.util.find_spec(name)
    found = Path(spec.origin).parent if spec and spec.origin else None
    ours = Path(__file__).parents[2] / name
    owners = metadata.packages_distributions().get(name, ["turnmill"])
    ok = found == ours and set(owners) <= {"turnmill"}
    return _check(
        f"package {name}",
        ok,
        f"from {', '.join(sorted(set(owners)))}",
        "another distribution has the same package name; install turnmill in a venv of its own",
    )


def _extra(name: str, modules: tuple[str, ...]) -> dict[str, Any]:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    detail = f"missing: {', '.join(missing)}" if missing else "installed"
    return _check(f"extra {name}", not missing, detail, f"pip install 'turnmill[{name}]'")


def _device() -> dict[str, Any]:
    if importlib.util.find_spec("torch") is None:
        return _check("device", True, "torch is not installed; import and build need none")
    from train.device import find_device

    device = find_device()
    return _check("device", True, f"{device.kind} {device.name}")


def _disk(workspace: Workspace) -> dict[str, Any]:
    folder = workspace.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    hint = f"free some space where {workspace.home} lies"
    return _check("disk", free >= _FREE_GIB, f"{free:.1f} GiB free", hint)


def _store(workspace: Workspace) -> dict[str, Any]:
    if not workspace.store.exists():
        return _check("store", True, "none yet")
    try:
        with open_store(workspace.store) as store:
            counts = store.counts()
    except UserError as error:
        return _check("store", False, error.message, error.hint)
    return _check("store", True, f"{sum(counts.values()):,} conversations")


def _tokens() -> list[dict[str, Any]]:
    """Which tokens are set; never their values, and none is needed for local work."""
    settings = Settings()
    return [
        _check(name, True, "set" if value is not None else "not set (not needed locally)")
        for name, value in (
            ("HF_TOKEN", settings.hf_token),
            ("RUNPOD_API_KEY", settings.runpod_api_key),
        )
    ]

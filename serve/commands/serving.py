"""What ``turnmill serve`` does, and how other commands start it as a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr

from ingest.errors import UserError
from ingest.workspace import Workspace

_READY = "serving at "


class ModelError(UserError):
    """A model that is not where it was said to be."""


def find_model(ref: str, workspace: Workspace) -> Path:
    """A model's folder by its name in the workspace or by path.

    Raises:
        ModelError: there is none.
    """
    for folder in (workspace.models / ref, Path(ref)):
        if (folder / "config.json").is_file():
            return folder
    names = sorted(file.parent.name for file in workspace.models.glob("*/config.json"))
    known = f"the workspace has: {', '.join(names)}" if names else "merge one: turnmill merge RUN"
    raise ModelError(f"{ref}: no such model", known)


def named_models(refs: Sequence[str], workspace: Workspace) -> dict[str, Path]:
    """Model folders by the name that requests use; ``NAME=FOLDER`` gives a name.

    Raises:
        ModelError: one is missing, or two have the same name.
    """
    models: dict[str, Path] = {}
    for ref in refs:
        name, _, place = ref.partition("=")
        folder = find_model(place or name, workspace)
        if not place:
            name = folder.name
        if name in models:
            raise ModelError(f"{name}: named twice", "give each model a name: NAME=FOLDER")
        models[name] = folder
    return models


def serve(
    refs: Sequence[str],
    workspace: Workspace,
    *,
    host: str,
    port: int,
    api_key_file: Path | None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; prints the URL when requests are taken."""
    if not refs:
        raise ModelError("no model to serve", "name one with --model")
    models = named_models(refs, workspace)
    key = _read_key(api_key_file)
    from serve.api.run import serve as run

    run(models, host=host, port=port, api_key=key, on_ready=_announce)


def _announce(url: str) -> None:
    sys.stdout.write(f"{_READY}{url}\n")
    sys.stdout.flush()


def _read_key(file: Path | None) -> SecretStr | None:
    if file is None:
        return None
    try:
        key = file.read_text("utf-8").strip()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", "name a readable file with the key") from None
    if len(key) < 16:
        raise UserError(f"{file}: the key is too short", "use at least 16 characters")
    return SecretStr(key)


@contextlib.contextmanager
def server_process(models: dict[str, Path], workspace: Workspace) -> Iterator[str]:
    """``turnmill serve`` in a process of its own on a free port; gives its URL.

    Raises:
        ModelError: it did not start.
    """
    command = [sys.executable, "-m", "serve.cli", "serve", "--port", "0"]
    command += ["--home", str(workspace.home)]
    for name, folder in models.items():
        command += ["--model", f"{name}={folder}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(_READY):
            raise ModelError("the server did not start", "its own message stands above")
        yield line.removeprefix(_READY).strip()
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

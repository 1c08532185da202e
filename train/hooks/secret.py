"""What signs a POST: read from a private file or a variable at the moment of signing, never kept.

The scheme is that of Standard Webhooks 1.0 (https://www.standardwebhooks.com): ``v1,`` and the
base64 of HMAC-SHA256 over ``id.timestamp.body``, one for each secret, with blanks between.
"""

import base64
import binascii
import hashlib
import hmac
import stat
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from ingest.errors import UserError
from ingest.settings import secret_variable
from ingest.workspace import Workspace
from train.hooks.spec import HookSpec

_LEAST_BYTES = 24  # the specification asks for 24 to 64
_PREFIX = "whsec_"


class SecretError(UserError):
    """A secret that is missing or cannot sign."""


def find_secrets(hook: HookSpec, workspace: Workspace) -> list[SecretStr]:
    """What signs for a hook: several while one takes the other's place.

    Raises:
        SecretError: there is none, others may read it, or it is too short.
    """
    if hook.secret_env is not None:
        where, found = f"${hook.secret_env}", secret_variable(hook.secret_env)
        text = found.get_secret_value() if found else ""
    else:
        assert hook.secret_file is not None
        where = str(hook.secret_file)
        text = _private_text(workspace.home / hook.secret_file, hook)
    secrets = [SecretStr(each) for each in text.split()]
    if not secrets:
        raise SecretError(
            f"hook {hook.name}: {where} holds no secret",
            "make one: echo whsec_$(openssl rand -base64 32)",
        )
    for each in secrets:
        if len(_key(each)) < _LEAST_BYTES:
            raise SecretError(
                f"hook {hook.name}: a secret in {where} is shorter than {_LEAST_BYTES} bytes",
                "make one: echo whsec_$(openssl rand -base64 32)",
            )
    return secrets


def sign(secrets: Sequence[SecretStr], event_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``.

    Args:
        secrets: each signs.
        event_id: the value of ``webhook-id``; it holds no full stop.
        timestamp: the value of ``webhook-timestamp``, seconds since 1970.
        body: the bytes that are sent.

    Raises:
        SecretError: a secret is not what it says it is.
    """
    said = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(_key(each), said, hashlib.sha256) for each in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: SecretStr) -> bytes:
    """After ``whsec_`` a secret is base64, else its characters are the key."""
    text = secret.get_secret_value()
    if not text.startswith(_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise SecretError(
            f"a secret begins with {_PREFIX} and goes on with what is not base64",
            "take it over whole, with its '=' at the end",
        ) from None


def _private_text(file: Path, hook: HookSpec) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text("utf-8")
    except OSError as error:
        raise SecretError(
            f"hook {hook.name}: {hook.secret_file}: {error.strerror}",
            "secret_file is looked for in the workspace",
        ) from None
    except UnicodeDecodeError:
        raise SecretError(
            f"hook {hook.name}: {hook.secret_file} is no text", "write one secret a line"
        ) from None
    if mode & 0o077:
        raise SecretError(
            f"hook {hook.name}: others may read {hook.secret_file}", f"chmod 600 {file}"
        )
    return text

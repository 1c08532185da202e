"""The only reader of the environment. Secrets stay ``SecretStr`` until the line that uses them."""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What turnmill takes from environment variables; every one is optional.

    Attributes:
        turnmill_home: ``TURNMILL_HOME``, the workspace.
        hf_token: ``HF_TOKEN``, used only where a repository is private or gated.
        runpod_api_key: ``RUNPOD_API_KEY``, used only by the RunPod launcher.
        runpod_api_base_url: ``RUNPOD_API_BASE_URL``, without ``/v2``; https, or this machine.
        hf_hub_offline: ``HF_HUB_OFFLINE``, as huggingface_hub reads it.
        turnmill_hook_chain: ``TURNMILL_HOOK_CHAIN``, names of the hooks that led to this process,
            set by us where a hook starts one.
    """

    model_config = SettingsConfigDict(extra="ignore")

    turnmill_home: Path = Path("turnmill-home")
    hf_token: SecretStr | None = None
    runpod_api_key: SecretStr | None = None
    runpod_api_base_url: str = "https://api.runpod.io"
    hf_hub_offline: bool = False
    turnmill_hook_chain: str = ""


def secret_variable(name: str) -> SecretStr | None:
    """The secret in a variable that the user named; None where it is not set or empty."""
    value = os.environ.get(name)
    return SecretStr(value) if value else None


def passed_on(names: Iterable[str]) -> dict[str, str]:
    """Those of the named variables that are set, for a program that shall see no others."""
    return {name: os.environ[name] for name in names if name in os.environ}


def with_variables(more: dict[str, str]) -> dict[str, str]:
    """The whole environment and more, for a program of our own."""
    return {**os.environ, **more}

"""The only reader of the environment. Secrets stay ``SecretStr`` until the line that uses them."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What turnmill takes from environment variables; every one is optional.

    Attributes:
        turnmill_home: ``TURNMILL_HOME``, the workspace.
        hf_token: ``HF_TOKEN``, used only where a repository is private or gated.
        runpod_api_key: ``RUNPOD_API_KEY``, used only by the RunPod launcher.
        hf_hub_offline: ``HF_HUB_OFFLINE``, as huggingface_hub reads it.
    """

    model_config = SettingsConfigDict(extra="ignore")

    turnmill_home: Path = Path("turnmill-home")
    hf_token: SecretStr | None = None
    runpod_api_key: SecretStr | None = None
    hf_hub_offline: bool = False

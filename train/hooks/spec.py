"""What ``turnmill.toml`` may say: which hooks there are, on what, and what each of them does."""

import ipaddress
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataset.manifest import parse_toml
from ingest.workspace import Workspace
from train.hooks.event import PLACEHOLDERS, Event

HookKind = Literal[
    "dataset.sealed", "dataset.pushed", "run.finished", "run.failed", "model.merged",
    "eval.finished",
]  # fmt: skip
Action = Literal["url", "command", "train"]

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# seconds until an attempt is given up, and attempts in all, by what the hook does
_TIMEOUT_S = {"url": 15.0, "command": 60.0, "train": 0.0}
_ATTEMPTS = {"url": 12, "command": 1, "train": 1}


class HookSpec(BaseModel):
    """One ``[[hook]]``: when it is meant, and the one thing that it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="names its deliveries")
    on: list[HookKind] = Field(min_length=1, description="kinds of events")
    dataset: str = Field(default="*", description="only of datasets whose name fits this pattern")
    min_new: int = Field(
        default=0,
        ge=0,
        description="dataset.sealed: only with so many conversations that the version which this"
        " hook was last told of did not have",
    )
    state: list[str] = Field(
        default=[], description="only these states: a verdict, private or public; empty: all"
    )
    url: str | None = Field(default=None, description="gets a signed POST")
    secret_file: Path | None = Field(
        default=None, description="holds what signs it, one secret a line; in the workspace"
    )
    secret_env: str | None = Field(default=None, description="variable that holds what signs it")
    command: list[str] | None = Field(
        default=None, min_length=1, description="program and arguments; no shell"
    )
    env: list[str] = Field(default=[], description="variables that the command sees besides PATH")
    train: Path | None = Field(default=None, description="a training spec, in the workspace")
    launcher: str = Field(default="local", description="where that is trained")
    timeout_s: float | None = Field(
        default=None, gt=0, le=86400, description="seconds for one attempt; 15, of a command 60"
    )
    attempts: int | None = Field(
        default=None, ge=1, le=20, description="in all; 12 of a POST, else 1"
    )

    @property
    def action(self) -> Action:
        """Which one thing the hook does."""
        if self.url is not None:
            return "url"
        return "command" if self.command is not None else "train"

    @property
    def limit_s(self) -> float:
        """Seconds for one attempt."""
        return _TIMEOUT_S[self.action] if self.timeout_s is None else self.timeout_s

    @property
    def tries(self) -> int:
        """Attempts in all."""
        return _ATTEMPTS[self.action] if self.attempts is None else self.attempts

    @property
    def target(self) -> str:
        """What it does, to show; of an address only the host, the rest may be a secret."""
        if self.url is not None:
            parts = urlsplit(self.url)
            return f"POST {parts.scheme}://{parts.netloc}"
        if self.command is not None:
            return f"run {self.command[0]}"
        return f"train {self.train} ({self.launcher})"

    @field_validator("url")
    @classmethod
    def _safe_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
            raise ValueError("an address is written without blanks and in ASCII")
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise ValueError("an address holds no user name and password; the body is signed")
        host = parts.hostname
        parts.port  # noqa: B018 - raises where it is no number
        (host or "").encode("idna")  # raises where no name can be so
        if not host or parts.scheme not in ("https", "http"):
            raise ValueError("an address begins with https:// and a host")
        if parts.scheme == "http" and not _is_loopback(host):
            raise ValueError("http is only for this machine (127.0.0.1, ::1, localhost); use https")
        return url

    @field_validator("secret_env")
    @classmethod
    def _one_variable(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError("this is the name of a variable, not the secret itself")
        return name

    @field_validator("env")
    @classmethod
    def _variables(cls, names: list[str]) -> list[str]:
        for name in names:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r}: names only; values come from our environment")
        return names

    @model_validator(mode="after")
    def _one_thing(self) -> "HookSpec":
        faults = [*self._faults(), *self._placeholder_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> list[str]:
        actions = {"url": self.url, "command": self.command, "train": self.train}
        does = [name for name, value in actions.items() if value is not None]
        if len(does) != 1:
            return [f"one of url, command and train; here: {', '.join(does) or 'none'}"]
        belongs = {
            "secret_file": "url", "secret_env": "url", "env": "command", "launcher": "train",
        }  # fmt: skip
        faults = [
            f"{key} is for {action}"
            for key, action in belongs.items()
            if key in self.model_fields_set and action != does[0]
        ]
        if does == ["url"] and (self.secret_file is None) == (self.secret_env is None):
            faults.append("a url needs one of secret_file and secret_env")
        if does == ["train"] and (self.timeout_s or self.attempts):
            faults.append("a training has no timeout_s and attempts; turnmill train --resume")
        if self.min_new and self.on != ["dataset.sealed"]:
            faults.append('min_new is for on = ["dataset.sealed"]')
        return faults

    def _placeholder_faults(self) -> list[str]:
        known = set.intersection(*(set(PLACEHOLDERS[kind]) for kind in self.on))
        faults = []
        for argument in self.command or ():
            for name in _PLACEHOLDER.findall(argument):
                if name not in {each for names in PLACEHOLDERS.values() for each in names}:
                    continue  # braces of somebody else's
                if argument != f"{{{name}}}":
                    faults.append(f"{{{name}}} stands alone in its argument, here: {argument!r}")
                elif name not in known:
                    faults.append(f"{{{name}}} is not known on {', '.join(self.on)}")
        if any("\0" in argument for argument in self.command or ()):
            faults.append("an argument holds no NUL")
        if self.command and _PLACEHOLDER.fullmatch(self.command[0]):
            faults.append("the program itself is no placeholder")
        return faults

    def arguments(self, event: Event) -> list[str]:
        """The command with each placeholder's value in its place, as one argument."""
        values = event.placeholders()
        made = []
        for argument in self.command or ():
            found = _PLACEHOLDER.fullmatch(argument)
            made.append(values.get(found[1], argument) if found else argument)
        return made

    def wants(self, event: Event) -> bool:
        """Whether the event is meant, but for ``min_new``, which needs the versions."""
        return (
            event.kind in self.on
            and fnmatchcase(str(event.data["dataset"]), self.dataset)
            and (not self.state or event.data["state"] in self.state)
        )


class HooksFile(BaseModel):
    """``turnmill.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hook: list[HookSpec] = Field(default=[], description="the hooks")
    max_depth: int = Field(
        default=3, ge=1, le=10, description="hooks that may start one another in a row"
    )
    courier: bool = Field(
        default=True, description="whether a process of ours stays to try again what failed"
    )

    @field_validator("hook")
    @classmethod
    def _own_names(cls, hooks: list[HookSpec]) -> list[HookSpec]:
        names = [hook.name for hook in hooks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two hooks are named {', '.join(twice)}")
        return hooks

    def named(self, name: str) -> HookSpec | None:
        """The hook of that name."""
        return next((hook for hook in self.hook if hook.name == name), None)


def load_hooks(workspace: Workspace) -> HooksFile:
    """The workspace's hooks; none where there is no ``turnmill.toml``.

    Raises:
        SpecError: broken TOML, unknown or wrong keys; all faults are named at once.
    """
    if not workspace.config.is_file():
        return HooksFile()
    return parse_toml(workspace.config, HooksFile)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

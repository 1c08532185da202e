"""Who may see what on the Hub test server, and what its routes share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Request
from hub_faults import Fault, Faults
from hub_storage import Refused, Repo, Storage

BAD_TOKEN = "Invalid credentials in Authorization header"


@dataclass
class User:
    name: str
    orgs: tuple[str, ...] = ()
    writes: bool = True


@dataclass
class Hub:
    """The running server.

    Attributes:
        url: where it listens.
        users: by token.
        multipart: files above this many bytes go up in parts of this size; None is never.
        page: entries of one page of a tree.
        verifies: whether the check at the end of an upload looks at the bytes.
        public_by_default: a repository becomes public whatever was asked for.
    """

    url: str = ""
    storage: Storage = field(default_factory=Storage)
    users: dict[str, User] = field(default_factory=dict)
    multipart: int | None = None
    page: int = 1000
    verifies: bool = True
    public_by_default: bool = False
    xet_folder: Path | None = None
    faults: Faults = field(init=False)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def fault(self, route: str, kind: Any, **options: Any) -> Fault:
        """Let requests of a route go wrong from now on."""
        fault = Fault(route, kind, **options)
        self.faults.script.append(fault)
        return fault

    def repo(self, id_: str) -> Repo:
        return self.storage.repos[id_]

    def calls(self, route: str) -> int:
        return sum(seen.route == route for seen in self.faults.seen)

    @property
    def cdn(self) -> str:
        """Another origin: same socket, other host name."""
        return self.url.replace("127.0.0.1", "localhost")


def user_of(hub: Hub, request: Request) -> User | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    user = hub.users.get(header.removeprefix("Bearer "))
    if user is None:
        raise Refused(401, BAD_TOKEN)
    return user


def repo_of(
    hub: Hub, request: Request, id_: str, *, write: bool = False, files: bool = False
) -> Repo:
    """The repository, if who asks may see it (and write to it)."""
    user = user_of(hub, request)
    repo = hub.storage.repos.get(id_)
    owner = id_.partition("/")[0]
    member = user is not None and owner in (user.name, *user.orgs)
    if repo is None or (repo.private and not member):
        if user is None:
            raise Refused(401, "Invalid username or password.", "RepoNotFound")
        raise Refused(404, "Repository not found", "RepoNotFound")
    if write and user is None:
        raise Refused(401, "Invalid username or password.")
    if write and not (member and user is not None and user.writes):
        raise Refused(403, "You don't have the required permissions")
    if files and repo.gated and not member:
        raise Refused(403, f"Access to dataset {id_} is restricted", "GatedRepo")
    return repo

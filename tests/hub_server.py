"""A Hub for tests: it speaks the protocol to the real ``huggingface_hub`` and ``datasets`` clients.

Left out: pull requests, revisions with a slash, everything but dataset repositories. Large files
travel by LFS (basic and multipart) and come back from another origin, as from the Hub's CDN; with
``xet=True`` the real ``hf_xet`` keeps its chunks in a folder.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hub_access import Hub, User, repo_of, user_of
from hub_faults import Faults
from hub_lfs import add_files
from hub_storage import Refused, Repo

__all__ = ["Hub", "User", "running"]


@contextmanager
def running(**options: Any) -> Iterator[Hub]:
    """A Hub on a free port of 127.0.0.1, in a thread of this process."""
    hub = Hub(**options)
    hub.storage.xet = hub.xet_folder is not None
    hub.faults = Faults(application(hub))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            hub.faults, http="h11", log_level="critical", lifespan="off", access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield hub
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive()


def application(hub: Hub) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body, error.status, error.headers)

    _accounts(app, hub)
    _reading(app, hub)
    _writing(app, hub)
    add_files(app, hub)
    return app


def _accounts(app: FastAPI, hub: Hub) -> None:
    @app.get("/api/whoami-v2")
    async def whoami(request: Request) -> Any:
        user = user_of(hub, request)
        if user is None:
            raise Refused(401, "Invalid username or password.")
        role = "write" if user.writes else "read"
        return {
            "type": "user", "name": user.name, "orgs": [{"name": org} for org in user.orgs],
            "auth": {"type": "access_token", "accessToken": {"role": role}},
        }  # fmt: skip

    @app.post("/api/validate-yaml")
    async def validate(request: Request) -> Any:
        content = (await request.json())["content"]
        if not re.match(r"---\n.*?\n---\n", content, re.DOTALL):
            return {"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}]}
        return {"errors": [], "warnings": []}

    @app.post("/api/repos/create")
    async def create(request: Request) -> Any:
        body = await request.json()
        user = user_of(hub, request)
        if user is None:
            raise Refused(401, "Invalid username or password.")
        owner = body.get("organization") or user.name
        if owner not in (user.name, *user.orgs) or not user.writes:
            raise Refused(403, f"You don't have the rights to create a dataset under {owner}")
        id_ = f"{owner}/{body['name']}"
        url = f"{hub.url}/datasets/{id_}"
        if id_ in hub.storage.repos:
            raise Refused(409, "You already created this dataset repo", url=url)
        private = body.get("visibility") == "private" and not hub.public_by_default
        hub.storage.repos[id_] = Repo(id_, private)
        return {"url": url, "name": id_, "id": id_}

    @app.delete("/api/repos/delete")
    async def delete(request: Request) -> Any:
        body = await request.json()
        repo = repo_of(hub, request, f"{body['organization']}/{body['name']}", write=True)
        del hub.storage.repos[repo.id]
        return {}


def _reading(app: FastAPI, hub: Hub) -> None:
    @app.get("/api/models/{org}/{name}")
    @app.get("/api/datasets/{org}/{name}")
    @app.get("/api/models/{org}/{name}/revision/{revision}")
    @app.get("/api/datasets/{org}/{name}/revision/{revision}")
    async def info(request: Request, org: str, name: str, revision: str = "main") -> Any:
        repo = repo_of(hub, request, f"{org}/{name}")
        commit = repo.at(revision)
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in sorted(commit.files)]
        return {
            "id": repo.id, "_id": repo.id, "sha": commit.oid, "private": repo.private,
            "gated": repo.gated and "auto", "disabled": False, "tags": [],
            "downloads": 0, "likes": 0, "siblings": siblings,
            "lastModified": commit.date, "createdAt": commit.date,
        }  # fmt: skip

    @app.get("/api/models/{org}/{name}/tree/{revision}")
    @app.get("/api/datasets/{org}/{name}/tree/{revision}")
    @app.get("/api/models/{org}/{name}/tree/{revision}/{folder:path}")
    @app.get("/api/datasets/{org}/{name}/tree/{revision}/{folder:path}")
    async def tree(
        request: Request, org: str, name: str, revision: str, folder: str = "",
        recursive: bool = False, cursor: int = 0,
    ) -> Any:  # fmt: skip
        entries = repo_of(hub, request, f"{org}/{name}").tree(revision, folder, recursive)
        rest, headers = cursor + hub.page, {}
        if rest < len(entries):
            url = request.url.include_query_params(cursor=rest)
            headers["Link"] = f'<{url}>; rel="next"'
        return JSONResponse(entries[cursor:rest], headers=headers)

    @app.post("/api/models/{org}/{name}/paths-info/{revision}")
    @app.post("/api/datasets/{org}/{name}/paths-info/{revision}")
    async def paths(request: Request, org: str, name: str, revision: str) -> Any:
        raw = (await request.body()).decode()
        asked = json.loads(raw) if raw.startswith("{") else parse_qs(raw)
        return repo_of(hub, request, f"{org}/{name}").paths(revision, asked["paths"])

    @app.get("/api/models/{org}/{name}/refs")
    @app.get("/api/datasets/{org}/{name}/refs")
    async def refs(request: Request, org: str, name: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}")

        def listed(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": c} for n, c in names.items()
            ]

        tags, branches = listed("tags", repo.tags), listed("heads", repo.branches)
        return {"branches": branches, "tags": tags, "converts": [], "pullRequests": []}

    @app.get("/api/models/{org}/{name}/commits/{revision}")
    @app.get("/api/datasets/{org}/{name}/commits/{revision}")
    async def commits(request: Request, org: str, name: str, revision: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}")
        found, at = [], repo.at(revision).oid
        while at is not None:
            commit = repo.commits[at]
            entry = {
                "id": at,
                "title": commit.title,
                "message": "",
                "authors": [],
                "date": commit.date,
            }
            found.append(entry)
            at = commit.parent
        return found


def _writing(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/models/{org}/{name}/tag/{revision}")
    @app.post("/api/datasets/{org}/{name}/tag/{revision}")
    async def tag(request: Request, org: str, name: str, revision: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}", write=True)
        label = (await request.json())["tag"]
        if label in repo.tags:
            raise Refused(409, f"Tag {label} already exists")
        repo.tags[label] = repo.at(revision).oid
        return {}

    @app.delete("/api/models/{org}/{name}/tag/{label}")
    @app.delete("/api/datasets/{org}/{name}/tag/{label}")
    async def untag(request: Request, org: str, name: str, label: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}", write=True)
        if repo.tags.pop(label, None) is None:
            raise Refused(404, f"Invalid rev id: {label}", "RevisionNotFound")
        return {}

    @app.post("/api/models/{org}/{name}/branch/{label}")
    @app.post("/api/datasets/{org}/{name}/branch/{label}")
    async def branch(request: Request, org: str, name: str, label: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}", write=True)
        if label in repo.branches:
            raise Refused(409, f"Reference {label} already exists")
        start = (await request.json()).get("startingPoint") or "main"
        repo.branches[label] = repo.at(start).oid
        return {}

    @app.post("/api/models/{org}/{name}/preupload/{revision}")
    @app.post("/api/datasets/{org}/{name}/preupload/{revision}")
    async def preupload(request: Request, org: str, name: str, revision: str) -> Any:
        commit = repo_of(hub, request, f"{org}/{name}", write=True).at(revision)
        known = commit.files
        suffixes = tuple(
            line.split()[0].removeprefix("*")
            for line in (known[".gitattributes"].data or b"").decode().splitlines()
        )
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(suffixes) else "regular",
                "shouldIgnore": False,
                "oid": known[file["path"]].etag if file["path"] in known else None,
            }
            for file in (await request.json())["files"]
        ]
        return {"files": files, "commitOid": commit.oid}

    @app.post("/api/models/{org}/{name}/commit/{branch_name}")
    @app.post("/api/datasets/{org}/{name}/commit/{branch_name}")
    async def commit(request: Request, org: str, name: str, branch_name: str) -> Any:
        body = await request.body()
        repo = repo_of(hub, request, f"{org}/{name}", write=True)
        lines = [json.loads(line) for line in body.splitlines()]
        made = hub.storage.commit(repo, branch_name, lines)
        url = f"{hub.url}/datasets/{repo.id}/commit/{made.oid}"
        return {"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""}

    @app.get("/api/models/{org}/{name}/xet-write-token/{revision}")
    @app.get("/api/datasets/{org}/{name}/xet-write-token/{revision}")
    async def xet_token(request: Request, org: str, name: str, revision: str) -> Any:
        repo_of(hub, request, f"{org}/{name}", write=True)
        if hub.xet_folder is None:
            raise Refused(404, "no xet here")
        found = {"casUrl": f"local://{hub.xet_folder}", "accessToken": "x", "exp": 2**40}
        names = {"casUrl": "X-Xet-Cas-Url", "accessToken": "X-Xet-Access-Token",
                 "exp": "X-Xet-Token-Expiration"}  # fmt: skip
        return JSONResponse(found, headers={names[key]: str(value) for key, value in found.items()})

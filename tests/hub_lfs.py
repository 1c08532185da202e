"""The Hub test server's files: uploads by LFS, downloads by redirect to another origin."""

import re
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from hub_access import Hub, repo_of
from hub_storage import Blob, Refused


def _upload_of(hub: Hub, file: dict[str, Any]) -> dict[str, Any]:
    """What the batch route says of a large file: nothing to do, one PUT, or one for each part."""
    oid, size = file["oid"], file["size"]
    if oid in hub.storage.large:
        return {"oid": oid, "size": size}
    upload: dict[str, Any] = {"href": f"{hub.url}/lfs/object/{oid}"}
    if hub.multipart is not None and size > hub.multipart:
        count = -(-size // hub.multipart)
        header = {f"{n:05d}": f"{hub.url}/lfs/part/{oid}/{n}" for n in range(1, count + 1)}
        upload = {
            "href": f"{hub.url}/lfs/complete/{oid}",
            "header": {"chunk_size": str(hub.multipart), **header},
        }
    verify = {"href": f"{hub.url}/lfs/verify", "header": {}}
    return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}


def add_files(app: FastAPI, hub: Hub) -> None:
    storage = hub.storage

    @app.post("/{org}/{name}.git/info/lfs/objects/batch")
    @app.post("/datasets/{org}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request, org: str, name: str) -> Any:
        body = await request.json()
        repo_of(hub, request, f"{org}/{name}", write=True)
        return {"transfer": "basic", "objects": [_upload_of(hub, each) for each in body["objects"]]}

    @app.put("/lfs/object/{oid}")
    async def put(request: Request, oid: str) -> Any:
        storage.large[oid] = await request.body()
        return Response()

    @app.put("/lfs/part/{oid}/{number}")
    async def part(request: Request, oid: str, number: int) -> Any:
        hub.parts.setdefault(oid, {})[number] = await request.body()
        return Response(headers={"ETag": f'"{number}"'})

    @app.post("/lfs/complete/{oid}")
    async def complete(request: Request, oid: str) -> Any:
        parts, named = hub.parts.pop(oid), (await request.json())["parts"]
        storage.large[oid] = b"".join(parts[each["partNumber"]] for each in named)
        return {}

    @app.post("/lfs/verify")
    async def verify(request: Request) -> Any:
        oid = (await request.json())["oid"]
        data = storage.large.get(oid)
        if data is None or (hub.verifies and sha256(data).hexdigest() != oid):
            storage.large.pop(oid, None)
            raise Refused(422, f"large file {oid} did not arrive as it was sent")
        return {}

    @app.get("/cdn/{oid}")
    async def cdn(request: Request, oid: str) -> Any:
        if "authorization" in request.headers:
            raise Refused(400, "a token was sent to another origin")
        return _content(request, storage.large[oid], oid, {})

    @app.api_route("/{org}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    @app.api_route("/datasets/{org}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    async def resolve(request: Request, org: str, name: str, revision: str, path: str) -> Any:
        repo = repo_of(hub, request, f"{org}/{name}", files=True)
        commit = repo.at(revision)
        headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        blob = commit.files.get(path)
        if blob is None:
            refused = Refused(404, "Entry not found", "EntryNotFound")
            return JSONResponse(refused.body, 404, {**refused.headers, **headers})
        return _resolved(hub, request, blob, headers)


def _resolved(hub: Hub, request: Request, blob: Blob, headers: dict[str, str]) -> Response:
    if not blob.lfs:
        return _content(request, blob.data or b"", blob.etag, headers)
    linked = {"X-Linked-Size": str(blob.size), "X-Linked-ETag": f'"{blob.etag}"'}
    return RedirectResponse(f"{hub.cdn}/cdn/{blob.sha256}", 302, {**headers, **linked})


def _content(request: Request, data: bytes, etag: str, headers: dict[str, str]) -> Response:
    headers = {**headers, "ETag": f'"{etag}"'}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    status, sent = 200, data
    if wanted:
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        status, sent = 206, data[start : end + 1]
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(sent, status, headers, "application/octet-stream")

"""First and last in a pod: brings the run there, starts its supervisor, and ends the pod.

Standard library only, and one file, for it travels in the start command (see ``pod_start``), which
runs it three times: ``guard`` ends the pod at its limit, ``run`` does the run, ``end`` ends the pod
once ``run`` is over, however it ended. Ending is asked for until RunPod agrees.
"""

from __future__ import annotations  # an image may bring an older Python

import hashlib
import http.client
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKOFF_S, _LONGEST_S, _TIMEOUT_S = 1.0, 60.0, 30.0
_FETCH_TRIES = 8
_OVER = ("succeeded", "failed", "ended")
# a pod that is gone, or in a state that this no longer fits
_AGREED = (404, 409)
# what the guard leaves to the supervisor's own end at the limit
GRACE_S = 60.0


def say(event: dict[str, Any]) -> None:
    """One event, as a line of the container's log."""
    print("turnmill " + json.dumps(event, separators=(",", ":")), flush=True)


def told(name: str, default: str = "") -> str:
    """A variable of ours."""
    return os.environ.get("TURNMILL_" + name, default)


def end(sleep: Callable[[float], None] = time.sleep) -> None:
    """Ask RunPod to end this pod until it agrees."""
    base = os.environ.get("RUNPOD_API_BASE_URL", "")
    if not base.startswith(("https://", "http://127.0.0.1:")):
        base = "https://api.runpod.io"
    pod = urllib.parse.quote(os.environ.get("RUNPOD_POD_ID", ""), safe="")
    key = os.environ.get("RUNPOD_API_KEY", "")
    body = json.dumps({"action": told("END", "terminate")}).encode()
    wait_s = _BACKOFF_S
    say({"event": "pod", "state": "ending"})
    while True:
        request = urllib.request.Request(  # noqa: S310 - checked above
            base + "/v2/pods/" + pod + "/action", data=body, method="POST",
            headers={"Authorization": "Bearer " + key, "Content-Type": "application/json",
                     "User-Agent": "turnmill"},
        )  # fmt: skip
        status = status_of(request)
        if status is not None and (200 <= status < 300 or status in _AGREED):
            return
        say({"event": "pod", "state": "not_ended", "status": status})
        sleep(wait_s)
        wait_s = min(_LONGEST_S, 2 * wait_s)


def status_of(request: urllib.request.Request) -> int | None:
    """The status of an answer, None where there was none."""
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return None


class _OneHost(urllib.request.HTTPRedirectHandler):
    """The token stays with the host that it is for: files come from another one."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        there = urllib.parse.urlsplit(newurl).netloc
        if new is not None and there != urllib.parse.urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
        return new


def opened(name: str) -> Any:
    """A file of the carrier, open for reading; None where there is none of that name."""
    kind, _, place = told("CARRIER").partition(":")
    if kind == "folder":
        path = Path(place, name)
        return path.open("rb") if path.exists() else None
    owner, repo, *prefix = place.split("/")
    base = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    inside = "/".join([*prefix, name])
    request = urllib.request.Request(  # noqa: S310 - the image's own setting
        base + "/datasets/" + owner + "/" + repo + "/resolve/main/" + urllib.parse.quote(inside),
        headers={"Authorization": "Bearer " + os.environ.get("HF_TOKEN", ""),
                 "User-Agent": "turnmill"},
    )  # fmt: skip
    try:
        return urllib.request.build_opener(_OneHost).open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise


def is_over() -> bool:
    """Whether this very pod has ended its attempt before: its container was started again."""
    try:
        source = opened("status.json")
        if source is None:
            return False
        with source:
            status = json.loads(source.read())
        same = (str(status["attempt"]), status["pod"]) == mine()
        return bool(same and status["state"] in _OVER)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False


def mine() -> tuple[str, str]:
    """Attempt and pod."""
    return told("ATTEMPT"), os.environ.get("RUNPOD_POD_ID", "")


def fetched(folder: Path, sleep: Callable[[float], None] = time.sleep) -> str | None:
    """Unpack the run's archive; returns why that was not possible, or None."""
    why: str | None = None
    wait_s = _BACKOFF_S
    for _ in range(_FETCH_TRIES):
        try:
            why = _fetched_once(folder)
        except (OSError, http.client.HTTPException, tarfile.TarError) as error:
            # its text may hold an address with a signature
            why = "the archive could not be read: " + type(error).__name__
        if why is None:
            return None
        say({"event": "pod", "state": "waiting", "reason": why})
        sleep(wait_s)
        wait_s = min(_LONGEST_S, 2 * wait_s)
    return why


def _fetched_once(folder: Path) -> str | None:
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / "bundle.tar"
    source = opened("bundle.tar")
    if source is None:
        return "the carrier holds no archive of this run"
    digest = hashlib.sha256()
    with source, packed.open("wb") as file:
        while True:
            block = source.read(1 << 20)
            if not block:
                break
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != told("BUNDLE"):
        return "the archive on the carrier is not the one that was sent"
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()
    return None


def run() -> None:
    """Do the run; returns when nothing is left to do in this pod."""
    started = time.monotonic()
    if is_over():
        say({"event": "pod", "state": "over"})
        return
    attempt, pod = mine()
    say({"event": "pod", "state": "starting", "attempt": int(attempt), "pod": pod})
    folder = Path.cwd() / "turnmill"
    why = fetched(folder)
    if why is None and sys.version_info < (3, 11):
        why = "the image's Python is older than 3.11"
    if why is not None:
        told_failed("carrier", why, "see that the run's archive is on the carrier; launch it again")
        return
    environment = dict(os.environ)
    environment.update(
        PYTHONPATH=str(folder / "code"), TURNMILL_STARTED=repr(started),
        PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    command = [sys.executable, "-m", "train.launchers.pod_supervisor"]
    status = subprocess.call(command, cwd=folder, env=environment)
    if status != 0:
        kind = "killed" if status < 0 else "bug"
        told_failed(kind, f"the supervisor ended with status {status}", "resume the run")


def told_failed(kind: str, message: str, advice: str) -> None:
    """Say that the attempt has failed before, or without, a supervisor."""
    failure = {"class": kind, "message": message, "advice": advice}
    attempt, pod = mine()
    say({"event": "pod", "state": "failed", "attempt": int(attempt), "failure": failure})
    kind, _, place = told("CARRIER").partition(":")
    if kind == "folder" and Path(place).is_dir():
        status = {"attempt": int(attempt), "pod": pod, "at": time.time(), "state": "failed",
                  "failure": failure}  # fmt: skip
        write_json(Path(place, "status.json"), status)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small file, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def left_s(started: float, now: float, wall: float) -> float:
    """Seconds until the pod must be gone.

    Args:
        started: when the container started, on a clock that only grows.
        now: on the same clock.
        wall: seconds since 1970.
    """
    left = started + float(told("MAX_S", "3600")) - now
    return min(left, float(told("DEAD_BY", "inf")) - wall)


def guard(sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait for the limit, then end the pod whatever else goes on in it."""
    started = time.monotonic()
    while True:
        left = left_s(started, time.monotonic(), time.time()) + GRACE_S
        if left <= 0:
            say({"event": "pod", "state": "limit"})
            end(sleep)
            return
        sleep(min(left, 60.0))


if __name__ == "__main__":
    {"guard": guard, "run": run, "end": end}[sys.argv[-1]]()

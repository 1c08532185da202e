"""A RunPod for tests: the part of REST v2 that turnmill uses, over pods that really run.

:mod:`runpod_doors` are the ways in. Every exchange is kept, for :mod:`runpod_contract` to check.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from runpod_faults import Fault, Faults, route_of
from runpod_rules import (
    Refused,
    bills,
    checked_action,
    checked_pod,
    checked_volume,
    problem,
    shown_card,
    shown_pod,
)
from runpod_world import OVER, PodState, World

KEY = "rpa_ACCOUNTKEY0123456789abcdefghijkl"


class Cut(Exception):
    """Close the connection instead of answering."""


class Silent(Exception):
    """Do not answer at all."""


@dataclass
class Exchange:
    """One request and its reply; ``scripted`` if a fault made the reply."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    status: int | None = None
    reply: Any = None
    content_type: str = ""
    scripted: bool = False

    @property
    def route(self) -> str:
        return route_of(self.method, self.path)


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    live: Iterator[bytes] | None = None


def told(status: int, value: Any, **headers: str) -> Reply:
    kind = "application/json" if status < 400 else "application/problem+json"
    return Reply(status, json.dumps(value).encode(), {"Content-Type": kind, **headers})


class Emulator:
    """Answers requests.

    Attributes:
        world: pods, stock, money.
        faults: what goes wrong.
        key: the account's; pods have their own, which reach only themselves.
        pod_keys_act: whether a pod may end itself; the real platform was not asked.
        limits: requests a window; None tells nothing of it.
        exclusive_resume: whether a log goes on after the cursor, or at it.
        lines_per_stream: after how many lines a log's connection is cut.
    """

    def __init__(self, folder: Path, clock: Any = None, balance: float = 100.0) -> None:
        self.world = World(folder, clock, balance)
        self.faults = Faults()
        self.key = KEY
        self.pod_keys_act = True
        self.limits: dict[str, tuple[int, int]] | None = None
        self._used: dict[str, list[float]] = {}
        self.exclusive_resume = False
        self.lines_per_stream: int | None = None
        self.exchanges: list[Exchange] = []
        self.stopping = threading.Event()

    # -- one request -------------------------------------------------------------------------------

    def handle(
        self, method: str, target: str, headers: dict[str, str], body: bytes, *, live: bool = False
    ) -> Reply:
        """The reply; raises Cut or Silent where there is none."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in headers.items()}
        exchange = Exchange(method, unquote(parts.path), query, headers, body)
        with self.world.lock:
            self.exchanges.append(exchange)
            fault = self.faults.take(exchange.route)
            self.world.tick()
        if fault is not None and fault.kind == "first":
            fault.action()
            fault = None
        if fault is None:
            return self._noted(exchange, self._work(exchange, live))
        exchange.scripted = True
        return self._spoiled(exchange, fault, live)

    def _noted(self, exchange: Exchange, reply: Reply) -> Reply:
        exchange.status = reply.status
        exchange.content_type = reply.headers.get("Content-Type", "")
        if reply.body and "json" in exchange.content_type:
            exchange.reply = json.loads(reply.body)
        return reply

    def _spoiled(self, exchange: Exchange, fault: Fault, live: bool) -> Reply:
        kind = fault.kind
        if kind in ("lose", "late", "garbage", "truncate", "twice") or fault.effect:
            reply = self._work(exchange, live)
            if kind == "twice":
                reply = self._work(exchange, live)
        if kind in ("drop", "lose"):
            raise Cut
        if kind in ("hang", "late"):
            raise Silent
        if kind == "status":
            found = problem(fault.status, fault.detail, fault.errors)
            return self._noted(exchange, told(fault.status, found, **fault.headers))
        if kind == "html":
            page = b"<html><body><h1>502 Bad Gateway</h1>cloudflare</body></html>"
            return Reply(fault.status, page, {"Content-Type": "text/html", **fault.headers})
        if kind == "garbage":
            return Reply(reply.status, b"\x00not json", reply.headers)
        if kind == "truncate":
            return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
        return self._noted(exchange, reply)

    def _work(self, exchange: Exchange, live: bool) -> Reply:
        try:
            with self.world.lock:
                who = self._who(exchange)
                headers = self._quota()
                reply = self._routed(exchange, who, live)
        except Refused as error:
            found = problem(error.status, error.detail, error.errors)
            extra = {"Retry-After": error.detail.split()[-1]} if error.status == 429 else {}
            return told(error.status, found, **extra)
        reply.headers.update(headers)
        return reply

    def _who(self, exchange: Exchange) -> str | None:
        """None for the account's key, else the id of the pod whose key it is."""
        said = exchange.headers.get("authorization", "")
        if said == f"Bearer {self.key}":
            return None
        for pod in self.world.pods.values():
            if said == f"Bearer {pod.key}":
                return pod.id
        raise Refused(401, "missing bearer token" if not said else "invalid bearer token")

    def _quota(self) -> dict[str, str]:
        if self.limits is None:
            return {}
        now, members = self.world.now_s(), []
        for name, (quota, length) in self.limits.items():
            used = [at for at in self._used.get(name, []) if at > now - length]
            reset = int(used[0] + length - now) + 1 if used else length
            if len(used) >= quota:
                raise Refused(429, f"rate limit exceeded for the {name} window; wait {reset}")
            self._used[name] = [*used, now]
            members.append(f'"{name}";r={quota - len(used) - 1};t={reset}')
        policy = ", ".join(f'"{n}";q={q};w={w}' for n, (q, w) in self.limits.items())
        return {"RateLimit": ", ".join(members), "RateLimit-Policy": policy}

    # -- routes ------------------------------------------------------------------------------------

    def _routed(self, exchange: Exchange, who: str | None, live: bool) -> Reply:
        routes: dict[str, Callable[[Exchange], Reply]] = {
            "create": self._create, "list": self._list, "gpus": self._gpus, "cpus": self._cpus,
            "volumes": self._volumes, "create-volume": self._create_volume,
            "delete-volume": self._delete_volume,
            "bills": lambda x: told(200, bills(self.world, x.query)),
        }  # fmt: skip
        if exchange.route in routes:
            if who is not None:
                raise Refused(403, "access denied")
            return routes[exchange.route](exchange)
        if exchange.route == "other":
            raise Refused(404, "resource not found")
        pod = self.world.pods.get(exchange.path.split("/")[3])
        if pod is None:
            raise Refused(404, "pod not found")
        if who not in (None, pod.id) or (who and not self.pod_keys_act):
            raise Refused(403, "access denied")
        if exchange.route == "get":
            return told(200, shown_pod(self.world, pod))
        if exchange.route == "logs":
            return self._logs(exchange, pod, live)
        return self._change(exchange, pod)

    def _create(self, exchange: Exchange) -> Reply:
        body = checked_pod(_json(exchange))
        world = self.world
        place, rate = None, 0.08
        if "gpu" in body:
            place, rate = self._placed(body)
        for mount in body.get("mounts", {}).get("network", []):
            if mount["volumeId"] not in world.volumes:
                raise Refused(404, "network volume not found")
        if world.balance - world.spent() < rate:
            raise Refused(402, "insufficient balance")
        return told(201, shown_pod(world, world.make(body, rate, place)))

    def _placed(self, body: dict[str, Any]) -> tuple[str, float]:
        card = next((card for card in self.world.cards if card.id == body["gpu"]["id"]), None)
        if card is None:
            raise Refused(400, "gpu type not found")
        count = body["gpu"].get("count", 1)
        price = card.secure if body.get("cloud", "SECURE") == "SECURE" else card.community
        wanted = body.get("dataCenterIds") or list(card.free)
        for mount in body.get("mounts", {}).get("network", []):
            volume = self.world.volumes.get(mount["volumeId"])
            wanted = [dc for dc in wanted if volume and dc == volume["dataCenter"]]
        free = [dc for dc in wanted if card.free.get(dc, 0) >= count]
        if not free or not price or card.sold_out_at_create:
            raise Refused(400, "There are no instances currently available")
        return free[0], price * count

    def _list(self, exchange: Exchange) -> Reply:
        shown = []
        for pod in self.world.pods.values():
            pod.lists += 1
            member = pod.fate.in_cluster and exchange.query.get("includeClusterPods") != "true"
            if pod.lists > pod.fate.hidden and not member:
                shown.append(shown_pod(self.world, pod))
        return told(200, {"pods": shown})

    def _change(self, exchange: Exchange, pod: PodState) -> Reply:
        if pod.fate.in_cluster:
            raise Refused(409, "pod belongs to a cluster")
        if exchange.route == "terminate":
            self.world.remove(pod)
            return Reply(204)
        action = checked_action(_json(exchange), pod)
        if action == "terminate":
            self.world.remove(pod)
            return Reply(204)
        {"stop": self.world.stop, "start": self.world.start, "restart": self.world.restart}[action](
            pod
        )
        return told(200, shown_pod(self.world, pod))

    def _gpus(self, exchange: Exchange) -> Reply:
        if ("include" in exchange.query) != ("product" in exchange.query):
            raise Refused(400, "product goes with include=AVAILABILITY, and only with it")
        return told(200, {"gpus": [shown_card(card, exchange.query) for card in self.world.cards]})

    def _cpus(self, exchange: Exchange) -> Reply:
        flavour = {
            "id": "cpu3c", "name": "Compute-Optimized", "group": "Gen 3", "ramGbPerVcpu": 2.0,
            "vcpu": {"min": 2, "max": 32},
            "price": {"securePerVcpu": 0.03, "serverlessPerVcpu": 0.03}, "availability": "HIGH",
        }  # fmt: skip
        return told(200, {"cpus": [flavour]})

    def _volumes(self, exchange: Exchange) -> Reply:
        return told(200, {"networkVolumes": list(self.world.volumes.values())})

    def _create_volume(self, exchange: Exchange) -> Reply:
        body = checked_volume(_json(exchange))
        id_ = f"vol{len(self.world.volumes) + 1:06d}"
        self.world.volumes[id_] = {"type": "STANDARD", **body, "id": id_}
        self.world.volume_folder(id_)
        return told(201, self.world.volumes[id_])

    def _delete_volume(self, exchange: Exchange) -> Reply:
        if self.world.volumes.pop(exchange.path.rpartition("/")[2], None) is None:
            raise Refused(404, "resource not found")
        return Reply(204)

    # -- logs --------------------------------------------------------------------------------------

    def _logs(self, exchange: Exchange, pod: PodState, live: bool) -> Reply:
        cursor = exchange.headers.get("last-event-id") or exchange.query.get("since")
        source = exchange.query.get("source")
        tail = int(exchange.query.get("tail", "100"))
        if cursor is None:
            past = [i for i, entry in enumerate(pod.log) if source in (None, entry[1])]
            start = past[-tail] if 0 < tail <= len(past) else 0 if tail else len(pod.log)
        else:
            times = [self._stamp(entry[0]) for entry in pod.log]
            late = [i for i, ts in enumerate(times) if ts > cursor or
                    (ts == cursor and not self.exclusive_resume)]  # fmt: skip
            start = late[0] if late else len(pod.log)
        headers = {
            "Content-Type": "text/event-stream", "Cache-Control": "no-cache",
            "Connection": "keep-alive", "X-Accel-Buffering": "no",
        }  # fmt: skip
        return Reply(200, headers=headers, live=self._told(pod, start, source, live))

    def _stamp(self, at_s: float) -> str:
        return f"{self.world.moment(at_s).isoformat(timespec='milliseconds')[:-6]}Z"

    def _told(self, pod: PodState, at: int, source: str | None, live: bool) -> Iterator[bytes]:
        sent = 0
        while not self.stopping.is_set():
            with self.world.lock:
                self.world.tick()
                new = list(pod.log[at:])
                over = pod.status in OVER
            at += len(new)
            for at_s, of, line in new:
                if source not in (None, of):
                    continue
                if self.lines_per_stream is not None and sent >= self.lines_per_stream:
                    raise Cut
                ts = self._stamp(at_s)
                data = json.dumps({"ts": ts, "source": of, "line": line})
                yield f"id: {ts}\ndata: {data}\n\n".encode()
                sent += 1
            if (over and not new) or not live:
                return
            if not new:
                time.sleep(0.01)


def _json(exchange: Exchange) -> Any:
    try:
        return json.loads(exchange.body)
    except ValueError:
        raise Refused(400, "body is not JSON") from None

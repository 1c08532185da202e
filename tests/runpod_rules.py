"""What the RunPod emulator accepts in a body, and how it shows what it has."""

import re
from typing import Any

from runpod_world import ACTIONS, Card, PodState, World


class Refused(Exception):
    def __init__(self, status: int, detail: str, errors: list[str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors


_TITLES = {
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 422: "Unprocessable Entity",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable",
}  # fmt: skip


def problem(status: int, detail: str, errors: list[str] | None = None) -> dict[str, Any]:
    found = {"title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    return found | ({"errors": errors} if errors else {})


_POD = {
    "name": str, "image": str, "gpu": dict, "cpu": dict, "cloud": str, "dataCenterIds": list,
    "disk": int, "mounts": dict, "env": dict, "ports": list, "args": str, "registry": str,
    "startSsh": bool, "startJupyter": bool, "globalNetworking": bool, "templateId": str,
}  # fmt: skip
_PARTS = {
    "gpu": {"id": str, "count": int, "allowedCudaVersions": list, "minCudaVersion": str},
    "cpu": {"id": str, "vcpuCount": int},
    "mounts": {"persistent": dict, "network": list},
}
_VOLUME = {"name": str, "size": int, "dataCenter": str, "type": str}


def _broken(body: Any, fields: dict[str, type], place: str = "$") -> list[str]:
    if not isinstance(body, dict):
        return [f"{place}: not an object"]
    errors = [
        f"{place}: additional properties '{name}' not allowed"
        for name in body
        if name not in fields
    ]
    for name, kind in fields.items():
        value = body.get(name)
        if name in body and (not isinstance(value, kind) or (kind is int and value is True)):
            errors.append(f"{place}.{name}: not {kind.__name__}")
    return errors


def checked_pod(body: Any) -> dict[str, Any]:
    """The body of a new pod, or a 422 for its shape, a 400 for its sense."""
    errors = _broken(body, _POD)
    if not errors:
        for part, fields in _PARTS.items():
            errors += _broken(body.get(part, {}), fields, f"$.{part}")
        errors += [f"$: missing '{n}'" for n in ("name", "image") if not body.get(n)]
        errors += [
            f"$.env.{n}: not a string" for n, v in body.get("env", {}).items() if type(v) is not str
        ]
        errors += ["$.disk: below 1"] if body.get("disk", 1) < 1 else []
        errors += ["$.cloud: not one of"] if body.get("cloud", "SECURE") not in _CLOUDS else []
        errors += ["$.gpu.count: below 1"] if body.get("gpu", {}).get("count", 1) < 1 else []
        errors += [
            f"$.{p}: missing 'id'" for p in ("gpu", "cpu") if p in body and "id" not in body[p]
        ]
        version = body.get("gpu", {}).get("minCudaVersion", "1.0")
        errors += [] if re.fullmatch(r"\d+\.\d+", version) else ["$.gpu.minCudaVersion: pattern"]
        network = body.get("mounts", {}).get("network", [])
        errors += ["$.mounts.network: more than 1"] if len(network) > 1 else []
        for mount in network:
            errors += _broken(mount, {"volumeId": str, "path": str}, "$.mounts.network[0]")
            errors += [
                f"$.mounts.network[0]: missing '{n}'"
                for n in ("volumeId", "path")
                if n not in mount
            ]
    if errors:
        raise Refused(422, "Request validation failed.", errors)
    if ("gpu" in body) == ("cpu" in body):
        raise Refused(400, "exactly one of gpu or cpu must be set")
    if len(body.get("mounts", {})) > 1:
        raise Refused(400, "mounts: persistent and network are mutually exclusive")
    if len(body.get("env", {})) > 50:
        raise Refused(400, "too many environment variables")
    count = body.get("cpu", {}).get("vcpuCount", 2)
    if count & (count - 1):
        raise Refused(400, "vcpuCount must be a power of two")
    return body


_CLOUDS = ("SECURE", "COMMUNITY")


def checked_volume(body: Any) -> dict[str, Any]:
    errors = _broken(body, _VOLUME)
    if not errors:
        errors += [f"$: missing '{n}'" for n in ("name", "size", "dataCenter") if n not in body]
        errors += [] if 10 <= body.get("size", 10) <= 4096 else ["$.size: out of range"]
    if errors:
        raise Refused(422, "Request validation failed.", errors)
    return body


def checked_action(body: Any, pod: PodState) -> str:
    if not isinstance(body, dict) or set(body) != {"action"}:
        raise Refused(422, "Request validation failed.", ["$: action, and nothing else"])
    if body["action"] not in ("start", "stop", "restart", "terminate"):
        raise Refused(422, "Request validation failed.", ["$.action: not one of"])
    if body["action"] not in ACTIONS[pod.status]:
        raise Refused(409, f"cannot {body['action']} a pod that is {pod.status}")
    return str(body["action"])


def _time(world: World, at_s: float | None) -> str | None:
    return None if at_s is None else f"{world.moment(at_s):%Y-%m-%dT%H:%M:%S}Z"


def shown_pod(world: World, pod: PodState) -> dict[str, Any]:
    """A pod as ``GET`` shows it."""
    body = pod.body
    runtime = None
    if pod.status == "RUNNING":
        pod.looks += 1
        assert pod.started_s is not None
        if pod.looks > pod.fate.null_runtime:
            gpus = [] if pod.fate.no_gpus else [{"util": 0, "memoryUtil": 0}] * pod.count
            runtime = {"uptime": int(world.now_s() - pod.started_s), "gpus": gpus, "ports": []}
    shown = {
        "id": pod.id, "name": pod.name, "status": pod.status, "actions": ACTIONS[pod.status],
        "image": body["image"], "args": body.get("args", ""), "disk": body.get("disk", 20),
        "mounts": body.get("mounts", {}), "ports": body.get("ports", []),
        "env": body.get("env", {}), "registry": body.get("registry"),
        "cloud": body.get("cloud", "SECURE"), "dataCenterId": pod.data_center,
        "cudaVersion": "12.8" if "gpu" in body else None,
        "ssh": {"proxy": None, "direct": None}, "template": None,
        "cost": 0.0 if pod.status in ("EXITED", "TERMINATED") else round(pod.rate, 4),
        "locked": False, "runtime": runtime, "globalNetworking": {"enabled": False},
        "createdAt": _time(world, pod.created_s), "startedAt": _time(world, pod.started_s),
    }  # fmt: skip
    if "gpu" in body:
        shown["gpu"] = {"id": body["gpu"]["id"], "count": pod.count}
    else:
        shown["cpu"] = {**body["cpu"], "memory": 2 * body["cpu"]["vcpuCount"]}
    if pod.fate.in_cluster:
        shown["cluster"] = {"id": "cluster_1", "rank": 0}
    return shown


def shown_card(card: Card, query: dict[str, str]) -> dict[str, Any]:
    """A card as the catalogue shows it."""
    community = query.get("cloud") == "COMMUNITY"
    shown: dict[str, Any] = {
        "id": card.id, "name": card.name, "pool": None, "manufacturer": "NVIDIA",
        "memory": card.memory, "secure": card.secure > 0, "community": card.community > 0,
        "price": {"secure": card.secure, "community": card.community},
        "maxCount": {"secure": card.max_count, "community": card.max_count},
    }  # fmt: skip
    if "include" in query:
        count = int(query.get("count", "1"))
        offered = card.community if community else card.secure
        shown["availability"] = card.level(count) if offered else "NONE"
        places = [{"id": p, "name": p, "availability": card.level(count, [p])} for p in card.free]
        places = [place for place in places if place["availability"] != "NONE"] if offered else []
        if places:
            shown["dataCenters"] = places
        shown["cudaVersions"] = [{"version": "12.8", "available": True}]
    return shown


def bills(world: World, query: dict[str, str]) -> dict[str, Any]:
    """What pods cost, by hour."""
    size = {"hour": 3600.0, "day": 86400.0}[query.get("bucketSize", "day")]
    now = world.now_s()
    pod_id = query.get("podId")
    records = []
    for pod in world.all_pods():
        if pod_id not in (None, pod.id):
            continue
        start = pod.created_s // size * size
        while start < now:
            usd = sum(charge.usd(now, start, start + size) for charge in pod.charges)
            if usd > 0:
                kind = "gpuAmount" if "gpu" in pod.body else "cpuAmount"
                amounts = {
                    "totalAmount": usd,
                    "gpuAmount": 0.0,
                    "cpuAmount": 0.0,
                    "diskAmount": 0.0,
                }
                records.append({
                    "startTime": _time(world, start), "endTime": _time(world, start + size),
                    "podId": pod.id, **amounts, kind: usd,
                })  # fmt: skip
            start += size
    totals = {
        name: sum(record[name] for record in records)
        for name in ("totalAmount", "gpuAmount", "cpuAmount", "diskAmount")
    }
    asked = {
        "startTime": query.get("startTime", _time(world, 0.0)),
        "endTime": query.get("endTime", _time(world, now)),
        "bucketSize": query.get("bucketSize", "day"), "podId": pod_id,
    }  # fmt: skip
    return {
        "records": records,
        "metadata": {
            "query": asked, "recordCount": len(records),
            "uniquePodCount": len({record["podId"] for record in records}), "totals": totals,
        },
    }  # fmt: skip

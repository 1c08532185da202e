"""RunPod's REST API v2: the part of it that a run needs, typed.

``RunPod(key).pods()`` and so on. What each error asks for is in
:mod:`train.launchers.runpod_errors`; a new pod is asked for once, since v2 has no idempotency key:
after :class:`UnknownOutcomeError` the caller looks for its name (``runpod_place``).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretBytes, SecretStr

from ingest.settings import Settings
from train.launchers.runpod_answers import Answer, Lost, parse
from train.launchers.runpod_clock import Clock, SystemClock
from train.launchers.runpod_errors import (
    GoneError,
    KeyRefusedError,
    RunPodError,
    TooManyError,
    UnknownOutcomeError,
    UnreachableError,
)
from train.launchers.runpod_events import Event, Seen, events
from train.launchers.runpod_http import Timing, Wire
from train.launchers.runpod_models import (
    MARK,
    Action,
    Bucket,
    Cloud,
    CpuType,
    CpuTypes,
    GpuType,
    GpuTypes,
    LogLine,
    LogSource,
    Pod,
    PodBill,
    PodBills,
    PodList,
    PodRequest,
    Volume,
    VolumeList,
    VolumeRequest,
)

BASE_URL = "https://api.runpod.io"
_REFERENCE = "{{ RUNPOD_SECRET_"
_Model = TypeVar("_Model", bound=BaseModel)


class RunPod:
    """The client.

    Args:
        key: the API key.
        base_url: without ``/v2``; https, or this machine.
        timing: how long to wait for what.
        clock: time.
        transport: another way than the network.

    Raises:
        RunPodError: a key or address that cannot be one.
    """

    def __init__(
        self,
        key: SecretStr,
        *,
        base_url: str = BASE_URL,
        timing: Timing = Timing(),  # noqa: B008
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self._wire = Wire(
            key, base_url=base_url, timing=timing, clock=self.clock, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def create_pod(self, request: PodRequest) -> Pod:
        """Ask for a pod, once.

        Raises:
            UnknownOutcomeError: there may be one now.
            RefusedError: no machine free, or a rule broken: the next candidate.
            NotAllowedError: not for this account: the next candidate.
            NoBalanceError: no candidate will do.
            RunPodError: others, all without effect.
        """
        secrets = [
            SecretStr(value)
            for name, value in request.env.items()
            if not name.startswith(MARK) and not value.startswith(_REFERENCE)
        ]
        return self._write("/v2/pods", Pod, body=request.body(), what="new pod", secrets=secrets)

    def pod(self, pod_id: str) -> Pod:
        """One pod.

        Raises:
            GoneError: there is none by that id.
            RunPodError: see :meth:`Wire.ask`.
        """
        return self._wire.read(f"/v2/pods/{_part(pod_id)}", Pod, what=f"pod {pod_id}")

    def pods(self) -> list[Pod]:
        """All pods of the account, members of clusters too."""
        query = {"includeClusterPods": "true"}
        return self._wire.read("/v2/pods", PodList, what="list of pods", query=query).pods

    def act(self, pod_id: str, action: Action) -> Pod:
        """Start, stop or restart a pod, once; :meth:`terminate` ends it.

        Raises:
            ConflictError: not in its present state.
            UnknownOutcomeError: it may have been done: look at the pod.
            RunPodError: see :meth:`Wire.ask`.
        """
        body = SecretBytes(b'{"action":"%b"}' % action.encode())
        path = f"/v2/pods/{_part(pod_id)}/action"
        return self._write(path, Pod, body=body, what=f"{action} pod {pod_id}")

    def terminate(self, pod_id: str) -> None:
        """End a pod for good; one that is gone already is no error.

        Raises:
            ConflictError: it belongs to a cluster.
            UnknownOutcomeError: it may still live.
            RunPodError: see :meth:`Wire.ask`.
        """
        self._delete(f"/v2/pods/{_part(pod_id)}", f"end pod {pod_id}")

    def logs(
        self, pod_id: str, *, after: str = "", tail: int = 100, source: LogSource | None = None
    ) -> Iterator[LogLine]:
        """One stream of a pod's log: what it was, then what it becomes, until the stream ends.

        Args:
            pod_id: the pod.
            after: the cursor of the last line seen; whether that line comes again is not said.
            tail: lines of the past, at most 5,000; not looked at with ``after``.
            source: only this one.

        Raises:
            GoneError: no such pod.
            RunPodError: no stream came to be. One that is cut ends, as one that is over does.
        """
        query = {"tail": str(tail)} | ({"source": source} if source else {})
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        what = f"log of pod {pod_id}"
        stream = self._wire.stream(f"/v2/pods/{_part(pod_id)}/logs", headers, query)
        try:
            answer = stream.open()
            if isinstance(answer, Lost):
                answer = Answer(503, httpx.Headers(), b"")
            if answer.status != 200:
                self._wire.refuse(answer, what)
            for event in events(stream.lines()):
                line = _line(event)
                if line is not None:
                    yield line
        finally:
            stream.close()

    def follow(
        self,
        pod_id: str,
        *,
        after: str = "",
        over: Callable[[], bool] = lambda: False,
        source: LogSource | None = None,
    ) -> Iterator[LogLine]:
        """A pod's log over as many streams as it takes, each line once.

        Args:
            pod_id: the pod.
            after: the cursor of the last line seen.
            over: asked after each stream; ends the log. A pod that is gone ends it too.
            source: only this one.

        Raises:
            RunPodError: the key is refused, or no stream came to be several times in a row.
        """
        seen, failures = Seen(after), 0
        while True:
            seen.reconnected()
            error: RunPodError | None = None
            try:
                for line in self.logs(pod_id, after=seen.cursor, tail=5000, source=source):
                    if seen.new(line):
                        yield line
            except GoneError:
                return
            except (UnreachableError, TooManyError) as happened:
                error = happened
            if over():
                return
            failures = failures + 1 if error else 0
            if error and failures >= self._wire.timing.tries:
                raise error
            self.clock.sleep(min(30.0, self._wire.timing.backoff_s * 2 ** min(failures, 6)))

    def gpu_types(
        self, *, cloud: Cloud = "SECURE", count: int = 1, min_cuda_version: str | None = None
    ) -> list[GpuType]:
        """The catalogue of cards with what is free for pods now.

        Args:
            cloud: whose machines.
            count: cards in one machine.
            min_cuda_version: of the host's driver.
        """
        query = {"include": "AVAILABILITY", "product": "POD", "cloud": cloud, "count": str(count)}
        if min_cuda_version:
            query["minCudaVersion"] = min_cuda_version
        return self._wire.read("/v2/catalog/gpus", GpuTypes, what="cards", query=query).gpus

    def cpu_types(self) -> list[CpuType]:
        """The catalogue of CPU flavours with what is free for pods now."""
        query = {"include": "AVAILABILITY", "product": "POD"}
        return self._wire.read("/v2/catalog/cpus", CpuTypes, what="CPU flavours", query=query).cpus

    def volumes(self) -> list[Volume]:
        """All network volumes of the account."""
        return self._wire.read("/v2/network-volumes", VolumeList, what="volumes").network_volumes

    def create_volume(self, request: VolumeRequest) -> Volume:
        """Make a network volume, once; it costs money until it is deleted.

        Raises:
            UnknownOutcomeError: there may be one now: look for its name.
            RunPodError: see :meth:`Wire.ask`.
        """
        body = SecretBytes(request.model_dump_json(by_alias=True).encode())
        return self._write("/v2/network-volumes", Volume, body=body, what="new volume")

    def delete_volume(self, volume_id: str) -> None:
        """Delete a network volume with all it holds; one that is gone is no error."""
        self._delete(f"/v2/network-volumes/{_part(volume_id)}", f"delete volume {volume_id}")

    def pod_bills(
        self,
        pod_id: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        bucket: Bucket = "hour",
    ) -> list[PodBill]:
        """What pods cost; RunPod knows it by the hour at best.

        Args:
            pod_id: only this one.
            start: rounded down to a bucket; 30 days ago if not given.
            end: rounded up to a bucket; now if not given.
            bucket: a record's stretch of time.
        """
        asked = {
            "bucketSize": bucket,
            "podId": pod_id,
            "startTime": _moment(start),
            "endTime": _moment(end),
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return self._wire.read("/v2/billing/pods", PodBills, what="bills", query=query).records

    def _write(
        self,
        path: str,
        model: type[_Model],
        *,
        body: SecretBytes,
        what: str,
        secrets: Iterable[SecretStr] = (),
    ) -> _Model:
        answer = self._wire.ask("POST", path, what=what, effect="once", body=body, secrets=secrets)
        parsed = parse(answer, model)
        if isinstance(parsed, str):
            # it said yes: there is something now
            raise UnknownOutcomeError(
                f"RunPod, {what}: {parsed}; it may have been done",
                "'turnmill reap' looks what became of it",
            )
        return parsed

    def _delete(self, path: str, what: str) -> None:
        try:
            self._wire.ask("DELETE", path, what=what, effect="again")
        except GoneError:
            # by us, by a try whose answer was lost, or by somebody else: it is as it should be
            return


def open_runpod(settings: Settings) -> RunPod:
    """The client with the key and address of the environment.

    Raises:
        KeyRefusedError: no key.
        RunPodError: a key or address that cannot be one.
    """
    if settings.runpod_api_key is None:
        raise KeyRefusedError(
            "RUNPOD_API_KEY is not set", "make a key in RunPod's console, Settings, API Keys"
        )
    return RunPod(settings.runpod_api_key, base_url=settings.runpod_api_base_url)


def _part(value: str) -> str:
    return quote(value, safe="")


def _moment(value: datetime | None) -> str | None:
    return None if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _line(event: Event) -> LogLine | None:
    parsed = parse(Answer(200, httpx.Headers(), event.data.encode()), LogLine)
    if isinstance(parsed, str):
        # a kind of event that we do not know
        return None
    return parsed.model_copy(update={"cursor": event.id or parsed.ts})

"""What RunPod's REST API v2 is asked and what is read from its replies.

Requests refuse what they do not know; replies ignore it, so that a field that RunPod adds breaks
nothing. The environment of a pod comes back in clear: only our own marks are read from it.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretBytes, model_validator
from pydantic.alias_generators import to_camel

Cloud = Literal["SECURE", "COMMUNITY"]
Action = Literal["start", "stop", "restart", "terminate"]
Stock = Literal["NONE", "LOW", "MEDIUM", "HIGH"]
Bucket = Literal["hour", "day", "week", "month", "year"]
LogSource = Literal["container", "system"]

MARK = "TURNMILL_"
"""How the variables begin by which we know a pod again; never secrets."""

# ERROR is over, and nobody says that it is free
_OVER = frozenset({"EXITED", "ERROR", "TERMINATED"})
_FREE = frozenset({"EXITED", "TERMINATED"})


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True,
        hide_input_in_errors=True,
    )  # fmt: skip


class _Reply(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True,
        hide_input_in_errors=True,
    )  # fmt: skip


class GpuRequest(_Request):
    """Cards for a pod."""

    id: str = Field(min_length=1, description="as the catalogue names the type")
    count: int = Field(default=1, ge=1, description="cards in one machine")
    min_cuda_version: str | None = Field(
        default=None, pattern=r"^\d+\.\d+$", description="of the host's driver, at least"
    )


class CpuRequest(_Request):
    """A pod without cards."""

    id: str = Field(min_length=1, description="flavour, as the catalogue names it")
    vcpu_count: int = Field(ge=2, description="a power of two")


class VolumeMount(_Request):
    """A network volume in a pod."""

    volume_id: str = Field(min_length=1, description="the volume's id")
    path: str = Field(min_length=1, description="where it lies in the container")


class Mounts(_Request):
    """What a pod keeps beyond its container; host-local volumes die with their host: not used."""

    network: list[VolumeMount] = Field(min_length=1, max_length=1, description="one at most")


class PodRequest(_Request):
    """A pod to be made."""

    name: str = Field(min_length=1, max_length=191, description="by which it is found again")
    image: str = Field(min_length=1, description="with a pinned tag")
    gpu: GpuRequest | None = Field(default=None, description="either this")
    cpu: CpuRequest | None = Field(default=None, description="or this")
    cloud: Cloud = Field(default="SECURE", description="whose machines")
    data_center_ids: list[str] = Field(default=[], description="any of these; empty: all")
    disk: int = Field(default=40, ge=1, description="GB of the container, wiped at a restart")
    mounts: Mounts | None = Field(default=None, description="a network volume")
    # values may be tokens
    env: dict[str, str] = Field(default={}, repr=False, max_length=50, description="variables")
    ports: list[str] = Field(default=[], description="such as 22/tcp; none by default")
    args: str = Field(default="", repr=False, description="handed to the image's entrypoint")
    registry: str | None = Field(default=None, description="id of the image's credentials")

    @model_validator(mode="after")
    def _one_kind(self) -> "PodRequest":
        if (self.gpu is None) == (self.cpu is None):
            raise ValueError("a pod has either gpu or cpu")
        return self

    def body(self) -> SecretBytes:
        """As it is sent; what is not set is left to RunPod."""
        return SecretBytes(self.model_dump_json(by_alias=True, exclude_none=True).encode())


class VolumeRequest(_Request):
    """A network volume to be made; it costs money until it is deleted."""

    name: str = Field(min_length=1, description="need not be unique")
    size: int = Field(ge=10, le=4096, description="GB")
    data_center: str = Field(min_length=1, description="fixed; its pods run there")


class Gpu(_Reply):
    """The cards of a pod."""

    id: str = Field(description="type")
    count: int = Field(default=1, description="as asked; the container may see fewer")


class Cluster(_Reply):
    """The cluster that a pod belongs to."""

    id: str = Field(description="the cluster's id")


class Runtime(_Reply):
    """What a running pod reports."""

    uptime: int | None = Field(default=None, description="seconds since the container started")


def _marks(env: object) -> object:
    if not isinstance(env, dict):
        return env
    return {key: value for key, value in env.items() if str(key).startswith(MARK)}


class Pod(_Reply):
    """A pod as RunPod tells it."""

    id: str = Field(min_length=1, description="RunPod's")
    name: str = Field(description="ours, or changed by the user")
    status: str = Field(description="PROVISIONING, STARTING, RUNNING, EXITED, ERROR, TERMINATED")
    actions: list[str] = Field(default=[], description="allowed now")
    gpu: Gpu | None = Field(default=None, description="none for a CPU pod")
    cloud: str = Field(default="SECURE", description="whose machine")
    data_center_id: str | None = Field(default=None, description="where it runs")
    cluster: Cluster | None = Field(default=None, description="such pods cannot be ended singly")
    cost: float = Field(default=0.0, description="US dollars an hour now")
    locked: bool = Field(default=False, description="cannot be stopped")
    runtime: Runtime | None = Field(default=None, description="none unless it runs")
    created_at: datetime | None = Field(default=None, description="UTC")
    started_at: datetime | None = Field(default=None, description="UTC")
    marks: Annotated[dict[str, str], BeforeValidator(_marks)] = Field(
        default={}, alias="env", description="our own variables; all others are dropped"
    )

    @property
    def over(self) -> bool:
        """Whether nothing runs in it any more."""
        return self.status in _OVER

    @property
    def bills(self) -> bool:
        """Whether its machine may cost money; a state we do not know counts as one that does."""
        return self.status not in _FREE or self.cost > 0


class PodList(_Reply):
    """All pods of an account."""

    pods: list[Pod] = Field(description="in no order")


class PerCloud(_Reply):
    """A number for each cloud."""

    secure: float = Field(default=0.0, description="RunPod's own machines")
    community: float = Field(default=0.0, description="other people's")

    def of(self, cloud: Cloud) -> float:
        """The one for a cloud."""
        return self.secure if cloud == "SECURE" else self.community


class PlaceStock(_Reply):
    """How many there are in one data centre, roughly."""

    id: str = Field(description="data centre")
    availability: str = Field(default="NONE", description="NONE, LOW, MEDIUM or HIGH")


class GpuType(_Reply):
    """A type of card in the catalogue."""

    id: str = Field(description="as a pod is asked for")
    name: str = Field(description="for people")
    manufacturer: str = Field(default="UNKNOWN", description="NVIDIA, AMD or UNKNOWN")
    memory: int = Field(description="GB in its name")
    secure: bool = Field(description="offered on RunPod's machines")
    community: bool = Field(description="offered on other people's")
    price: PerCloud = Field(description="US dollars an hour for one card")
    max_count: PerCloud = Field(description="cards in the largest machine; no stock")
    availability: str | None = Field(default=None, description="over all data centres")
    data_centers: list[PlaceStock] = Field(default=[], description="which offer it")


class GpuTypes(_Reply):
    """The catalogue of cards."""

    gpus: list[GpuType] = Field(description="in no order")


class CpuVcpus(_Reply):
    """How large a CPU flavour can be."""

    min: int = Field(description="vCPUs")
    max: int = Field(description="vCPUs")


class CpuPrice(_Reply):
    """What a CPU flavour costs."""

    secure_per_vcpu: float = Field(description="US dollars an hour")


class CpuType(_Reply):
    """A CPU flavour in the catalogue."""

    id: str = Field(description="as a pod is asked for")
    name: str = Field(description="for people")
    vcpu: CpuVcpus = Field(description="sizes")
    price: CpuPrice = Field(description="by vCPU")
    availability: str | None = Field(default=None, description="over all data centres")


class CpuTypes(_Reply):
    """The catalogue of CPU flavours."""

    cpus: list[CpuType] = Field(description="in no order")


class Volume(_Reply):
    """A network volume."""

    id: str = Field(min_length=1, description="RunPod's")
    name: str = Field(description="ours")
    size: int = Field(description="GB")
    data_center: str = Field(description="its pods run there")


class VolumeList(_Reply):
    """All network volumes of an account."""

    network_volumes: list[Volume] = Field(description="in no order")


class PodBill(_Reply):
    """What one pod cost in one stretch of time."""

    pod_id: str = Field(description="RunPod's")
    start_time: datetime = Field(description="inclusive")
    end_time: datetime = Field(description="exclusive")
    total_amount: float = Field(description="US dollars")
    disk_amount: float = Field(default=0.0, description="US dollars of the total")


class PodBills(_Reply):
    """What pods cost."""

    records: list[PodBill] = Field(description="one a pod and stretch")


class Problem(_Reply):
    """An RFC 9457 problem document."""

    title: str = Field(default="", description="short")
    detail: str = Field(default="", description="for people")
    errors: list[str] = Field(default=[], description="what breaks the contract, for a 422")


class LogLine(_Reply):
    """One line of a pod's log."""

    source: str = Field(default="container", description="container or system")
    line: str = Field(repr=False, description="as written in the pod")
    ts: str = Field(default="", description="RFC 3339")
    cursor: str = Field(default="", description="the event's id; the next request goes on there")

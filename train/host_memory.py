"""What the kernel says of the memory of this process' control group; standard library only."""

from collections.abc import Iterator
from pathlib import Path


def memory_groups(root: Path) -> Iterator[tuple[Path, Path, int]]:
    """Folder of this process' group, the topmost folder, and the version of control groups.

    Inside a container the folder may be the host's, and only the topmost is there.

    Args:
        root: above ``proc`` and ``sys``.
    """
    own = root / "proc/self/cgroup"
    if not own.is_file():
        return
    for line in own.read_text("utf-8").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers in {"", "memory"}:
            top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
            yield top / place.lstrip("/"), top, 1 if controllers else 2


def oom_kills(root: Path = Path("/")) -> int | None:
    """The kernel's count for this process' control group; None where it keeps none.

    Args:
        root: above ``proc`` and ``sys``.
    """
    for folder, top, version in memory_groups(root):
        name = "memory.oom_control" if version == 1 else "memory.events"
        for file in (folder / name, top / name):
            if file.is_file():
                told = dict(row.split() for row in file.read_text("ascii").splitlines())
                if "oom_kill" in told:
                    return int(told["oom_kill"])
    return None

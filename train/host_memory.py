"""How often the kernel has ended a process of this control group for want of memory."""

from pathlib import Path


def oom_kills(root: Path = Path("/")) -> int | None:
    """The kernel's count for this process' control group; None where it keeps none.

    Args:
        root: above ``proc`` and ``sys``.
    """
    own = root / "proc/self/cgroup"
    if not own.is_file():
        return None
    for line in own.read_text("utf-8").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        name = "memory.oom_control" if controllers else "memory.events"
        # inside a container the path may be the host's, and only the top is there
        for file in (top / place.lstrip("/") / name, top / name):
            if file.is_file():
                told = dict(row.split() for row in file.read_text("ascii").splitlines())
                if "oom_kill" in told:
                    return int(told["oom_kill"])
    return None

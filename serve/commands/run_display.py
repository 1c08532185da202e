"""What a run shows while it goes on: two lines on a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from serve import terminal
from train.launchers.base import OnEvent

_GAP = "  "
_KEPT = 0.9  # share of the smoothed loss that a step leaves
_PLAIN_EVERY = 10
_BAR_LEAST = 10
# of the second line's fields: the trained rate, then the best loss' step, then the peak
_LONG_FIRST = (2, 1, 3, 0, 4)


class RunDisplay:
    """What was last told of a run, as two lines that fit any width."""

    def __init__(self) -> None:
        self.doing = "starting"
        self.step: dict[str, Any] | None = None
        self.held_out: dict[str, Any] | None = None
        self.cost: dict[str, Any] | None = None
        self._sum = self._weight = 0.0

    def take(self, event: dict[str, Any]) -> None:
        """Look at an event of the run."""
        match event["event"]:
            case "render":
                self.doing = f"rendering {event['split']} {event['rows']}/{event['of']}"
            case "start":
                self.doing = "loading"
            case "burn_in":
                self.doing = "first step"
            case "heartbeat":
                self.doing = str(event["doing"])
            case "eval":
                self.held_out = event
            case "pod":
                self.doing = f"pod {str(event['state']).lower()}"
            case "cost":
                self.cost = event
            case "step":
                self.step = event
                self.doing = "training"
                self._sum = _KEPT * self._sum + (1 - _KEPT) * event["loss"]
                self._weight = _KEPT * self._weight + (1 - _KEPT)

    @property
    def loss(self) -> float:
        """The training loss, smoothed; as good as the last one at the start."""
        return self._sum / self._weight

    def figures(self, width: int) -> str:
        """The second line: as many fields as fit, in their long forms where there is room."""
        fields = self._fields()
        made = [short for _, short in fields]
        while len(made) > 1 and len(_GAP.join(made)) > width:
            made.pop()
        for at in sorted(range(len(made)), key=_LONG_FIRST.index):
            longer = [*made[:at], fields[at][0], *made[at + 1 :]]
            if len(_GAP.join(longer)) <= width:
                made = longer
        return _GAP.join(made)[:width]

    def _fields(self) -> list[tuple[str, str]]:
        """Long and short forms: loss, held-out loss, rates, memory."""
        assert self.step is not None
        step = self.step
        found = [(f"loss {self.loss:.3f}",) * 2]
        long, short = "held-out -", "held-out -"
        if self.held_out is not None:
            long = short = f"held-out {self.held_out['loss']:.3f}"
            if "best_loss" in self.held_out:
                best, at = self.held_out["best_loss"], self.held_out["best_step"]
                long += f" (best {best:.3f} at step {at})"
                short += f" (best {best:.3f})"
        found.append((long, short))
        rate, trained = step["tokens_per_s"], step["trained_tokens_per_s"]
        found.append((f"{rate:,.0f} tok/s ({trained:,.0f} trained)", f"{rate:,.0f} tok/s"))
        held, peak = step["memory_gib"], step["memory_peak_gib"]
        found.append((f"{held:.1f} GiB (peak {peak:.1f})", f"{held:.1f} GiB"))
        if self.cost is not None:
            spent, per_s = self.cost["usd"], self.cost["usd_per_hour"] / 3600
            in_all = spent + per_s * step["seconds_left"]
            found.append((f"${spent:.2f} of about ${in_all:.2f}", f"${spent:.2f}"))
        return found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The two lines; one before the first step."""
        width = options.max_width
        if self.step is None:
            yield Text(self.doing[:width], no_wrap=True)
            return
        step = self.step
        before = f"{self.doing} "
        after = f" {step['step']}/{step['steps']}{_GAP}lr {step['lr']:.1e}{_GAP}"
        after += f"{duration(step['seconds_left'])} left"
        if width < len(before) + len(after) + _BAR_LEAST:
            yield Text(f"{before}{after}"[:width], no_wrap=True, end="\n")
        else:
            bar = ProgressBar(total=step["steps"], completed=step["step"])
            line = Table.grid(expand=True)
            line.add_column(no_wrap=True)
            line.add_column(ratio=1)
            line.add_column(no_wrap=True)
            line.add_row(Text(before, style="bold"), bar, Text(after))
            yield line
        yield Text(self.figures(width), no_wrap=True)

    def plain(self, event: dict[str, Any]) -> str | None:
        """The line for an event where there is no terminal; None for most."""
        if event["event"] == "eval":
            return f"step {event['step']}: held-out loss {event['loss']:.3f}"
        if event["event"] != "step":
            return None
        step, steps = event["step"], event["steps"]
        if step % _PLAIN_EVERY and step not in {1, steps}:
            return None
        return (
            f"step {step}/{steps}{_GAP}{self.figures(10_000)}{_GAP}lr {event['lr']:.1e}"
            f"{_GAP}{duration(event['seconds_left'])} left"
        )


def duration(seconds: float) -> str:
    """A time as a person says it: ``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@contextlib.contextmanager
def progress() -> Iterator[OnEvent]:
    """Takes the events of a run and shows them on stderr."""
    display = RunDisplay()
    if not terminal.err.is_terminal:

        def tell(event: dict[str, Any]) -> None:
            display.take(event)
            line = display.plain(event)
            if line is not None:
                terminal.note(line)

        yield tell
        return
    with Live(display, console=terminal.err, transient=True, refresh_per_second=4):
        yield display.take

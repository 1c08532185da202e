"""Small plots as SVG, made on the server: no script, no asset, colours from the page's CSS.

Every text and number goes through ``Markup.format``, which escapes it.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from markupsafe import Markup

WIDTH = 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 34
_MAX_POINTS = 400


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign, as few decimals as ``digits`` allows past zero."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within [low, high], about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


class _Axis:
    """Maps values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if high <= low:
            low, high = low - 0.5, high + 0.5
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """Pixels and labels."""
        values = ticks(self.low, self.high, count)
        step = values[1] - values[0] if len(values) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(self(value), _thousands(value, digits)) for value in values]


def _thousands(value: float, digits: int) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else number(value, digits)


def _svg(height: int, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">{}'
        "</svg>"
    ).format(WIDTH, height, label, Markup("").join(parts))


def _text(x: float, y: float, text: str, kind: str = "label", anchor: str = "middle") -> Markup:
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        x, y, kind, anchor, text
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, kind)


def _frame(x: _Axis, y: _Axis, height: int, x_title: str, y_title: str) -> list[Markup]:
    parts = []
    for place, text in y.ticks(4):
        parts += [
            _line(_LEFT, place, WIDTH - _RIGHT, place, "grid"),
            _text(_LEFT - 6, place + 4, text, anchor="end"),
        ]
    for place, text in x.ticks(5):
        parts.append(_text(place, height - _BOTTOM + 15, text))
    parts.append(_line(_LEFT, height - _BOTTOM, WIDTH - _RIGHT, height - _BOTTOM, "axis"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, height - 4, x_title))
    parts.append(_text(_LEFT, _TOP, y_title, "label title", "start"))
    return parts


class Series(NamedTuple):
    """A line or a set of points.

    Attributes:
        kind: CSS class, which gives the colour.
        points: (x, y), x rising.
        line: draw a line; else circles.
    """

    kind: str
    points: Sequence[tuple[float, float]]
    line: bool = True


def curve(series: Sequence[Series], *, label: str, x_title: str, y_title: str) -> Markup:
    """Lines and points over one pair of axes; empty if there is no point at all."""
    every = [point for one in series for point in one.points]
    if not every:
        return Markup("")
    height = 230
    low, high = min(y for _, y in every), max(y for _, y in every)
    margin = 0.05 * (high - low)
    x = _Axis(min(p[0] for p in every), max(p[0] for p in every), _LEFT, WIDTH - _RIGHT)
    y = _Axis(low - margin, high + margin, height - _BOTTOM, _TOP + 12)
    parts = _frame(x, y, height, x_title, y_title)
    for one in series:
        places = [(x(px), y(py)) for px, py in _thinned(one.points)]
        if one.line and len(places) > 1:
            path = " ".join(f"{px},{py}" for px, py in places)
            parts.append(Markup('<polyline points="{}" class="{}"/>').format(path, one.kind))
        else:
            parts += [
                Markup('<circle cx="{}" cy="{}" r="3.5" class="{} dot"/>').format(px, py, one.kind)
                for px, py in places
            ]
    return _svg(height, label, parts)


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = -(-len(points) // _MAX_POINTS)
    return [*points[::step], points[-1]] if step > 1 else points


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Running mean over a fortieth of the points; nothing where that would be one point."""
    window = len(points) // 40
    if window < 2:
        return []
    # sums up to each point: the mean of a window is a difference of two of them
    sums = [0.0, *accumulate(value for _, value in points)]
    return [
        (points[end - 1][0], (sums[end] - sums[end - window]) / window)
        for end in range(window, len(points) + 1)
    ]


class Row(NamedTuple):
    """A line of an interval plot."""

    name: str
    mean: float
    low: float | None
    high: float | None
    kind: str


def intervals(rows: Sequence[Row], *, label: str, x_title: str) -> Markup:
    """Means with their intervals, one below the other, and a line at zero."""
    pitch, left = 34, 96
    height = _TOP + pitch * len(rows) + _BOTTOM + 4
    ends = [value for row in rows for value in (row.mean, row.low, row.high) if value is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    margin = 0.06 * (high - low)
    x = _Axis(low - margin, high + margin, left, WIDTH - _RIGHT)
    bottom = height - _BOTTOM
    parts = [
        _line(x(0), _TOP - 4, x(0), bottom, "zero"),
        _line(left, bottom, WIDTH - _RIGHT, bottom, "axis"),
    ]
    for place, text in x.ticks(5):
        parts += [_line(place, bottom, place, bottom + 4, "axis"), _text(place, bottom + 16, text)]
    parts.append(_text((left + WIDTH - _RIGHT) / 2, height - 3, x_title))
    for n, row in enumerate(rows):
        y = _TOP + pitch * n + pitch / 2
        parts.append(_text(left - 10, y + 4, row.name, "label strong", "end"))
        if row.low is not None and row.high is not None:
            parts.append(_line(x(row.low), y, x(row.high), y, f"{row.kind} bar"))
            parts += [
                _line(x(end), y - 5, x(end), y + 5, f"{row.kind} cap")
                for end in (row.low, row.high)
            ]
        parts.append(
            Markup('<circle cx="{}" cy="{}" r="4.5" class="{} dot"/>').format(
                x(row.mean), y, row.kind
            )
        )
    return _svg(height, label, parts)


def bars(values: Sequence[float], *, label: str, x_title: str, y_title: str) -> Markup:
    """One bar from zero for each value, in the order given; below zero is good."""
    height = 230
    low, high = min(0.0, *values), max(0.0, *values)
    margin = 0.05 * (high - low)
    x = _Axis(0, len(values), _LEFT, WIDTH - _RIGHT)
    y = _Axis(low - margin, high + margin, height - _BOTTOM, _TOP + 12)
    parts = []
    for place, text in y.ticks(4):
        parts += [
            _line(_LEFT, place, WIDTH - _RIGHT, place, "grid"),
            _text(_LEFT - 6, place + 4, text, anchor="end"),
        ]
    width = max(0.4, (x(1) - x(0)) * 0.8)
    for n, value in enumerate(values):
        top, bottom = sorted((y(0), y(value)))
        parts.append(
            Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
                round(x(n) + (x(1) - x(0)) * 0.1, 2), top, round(width, 2),
                round(max(bottom - top, 0.5), 1), "good" if value < 0 else "bad",
            )
        )  # fmt: skip
    parts += [
        _line(_LEFT, y(0), WIDTH - _RIGHT, y(0), "zero"),
        _text((_LEFT + WIDTH - _RIGHT) / 2, height - 8, x_title),
        _text(_LEFT, _TOP, y_title, "label title", "start"),
    ]
    return _svg(height, label, parts)


def histogram(
    edges: Sequence[int], counts: Sequence[int], *, label: str, x_title: str, y_title: str
) -> Markup:
    """Counts by bin."""
    height = 190
    x = _Axis(edges[0], edges[-1], _LEFT, WIDTH - _RIGHT)
    y = _Axis(0, max(counts), height - _BOTTOM, _TOP + 12)
    parts = _frame(x, y, height, x_title, y_title)
    for start, end, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            parts.append(
                Markup('<rect x="{}" y="{}" width="{}" height="{}" class="tuned"/>').format(
                    round(x(start) + 0.5, 1), y(count), round(max(x(end) - x(start) - 1, 0.5), 1),
                    round(y(0) - y(count), 1),
                )
            )  # fmt: skip
    return _svg(height, label, parts)

"""Peak memory as a stacked bar against the memory there is: SVG, and a table of its parts."""

from collections.abc import Mapping

from markupsafe import Markup

from serve.plan_text import PARTS, bar_parts, gib
from serve.web.plots import WIDTH, ticks

_LEFT, _RIGHT, _TOP, _HIGH = 4, 8, 22, 30
_HEIGHT = _TOP + _HIGH + 22


def memory_bar(parts_gib: Mapping[str, float], memory_gib: float | None) -> Markup:
    """The bar.

    Args:
        parts_gib: by part, in GiB.
        memory_gib: what the device has, if known.
    """
    parts = bar_parts(parts_gib)
    peak = sum(size for _, size in parts)
    unit, scale = ("GiB", 1.0) if max(peak, memory_gib or 0) >= 1 else ("MiB", 1024.0)
    whole = 1.02 * max(peak, memory_gib or 0) or 1.0
    width = WIDTH - _LEFT - _RIGHT

    def at(size: float) -> float:
        return round(_LEFT + width * size / whole, 1)

    drawn = [_box(at(0), at(memory_gib if memory_gib is not None else peak), "free", "free")]
    total = 0.0
    for part, size in parts:
        drawn.append(_box(at(total), at(total + size), part, f"{part}: {gib(size)}"))
        total += size
    if memory_gib is not None:
        drawn += [
            Markup('<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" class="m-limit"/>').format(
                at(memory_gib), _TOP - 6, _TOP + _HIGH + 6
            ),
            _label(at(memory_gib), _TOP - 9, f"{gib(memory_gib)} there", memory_gib > whole / 2),
        ]
    for value in ticks(0, whole * scale, 6):
        x = at(value / scale)
        drawn += [
            Markup('<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" class="axis"/>').format(
                x, _TOP + _HIGH + 2, _TOP + _HIGH + 6
            ),
            Markup('<text x="{}" y="{}" class="label" text-anchor="{}">{}</text>').format(
                x,
                _TOP + _HIGH + 17,
                "middle" if value else "start",
                f"{value:,g}" if value else f"0 {unit}",
            ),
        ]
    there = f" of {gib(memory_gib)}" if memory_gib is not None else ""
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">{}'
        "</svg>"
    ).format(WIDTH, _HEIGHT, f"Peak memory {gib(peak)}{there}", Markup("").join(drawn))


def _box(start: float, end: float, kind: str, title: str) -> Markup:
    return Markup(
        '<rect x="{}" y="{}" width="{}" height="{}" class="m-{}"><title>{}</title></rect>'
    ).format(start, _TOP, round(max(0.0, end - start), 1), _HIGH, kind, title)


def _label(x: float, y: float, text: str, before: bool) -> Markup:
    return Markup('<text x="{}" y="{}" class="label strong" text-anchor="{}">{}</text>').format(
        x, y, "end" if before else "start", text
    )


def memory_rows(parts_gib: Mapping[str, float]) -> list[dict[str, str]]:
    """Name, size, share and meaning of each part that takes something."""
    parts = bar_parts(parts_gib)
    peak = sum(size for _, size in parts)
    return [
        {"part": part, "size": gib(size), "share": f"{size / peak:.0%}", "means": PARTS[part]}
        for part, size in parts
    ]

"""Charts as SVG, which the page's script lets tell the values under the pointer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 12, 34


class Line(NamedTuple):
    """A curve: its name, its style, and a value at each place, None where there is none."""

    name: str
    style: str
    values: Sequence[float | None]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within bounds: 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most)
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def scales(low: float, high: float) -> tuple[float, float]:
    """Bounds with a little room; around a single value, some too."""
    if high <= low:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


class Plane:
    """Where numbers lie on a chart."""

    def __init__(self, across: tuple[float, float], up: tuple[float, float], logarithmic: bool = False) -> None:
        self.across, self.up, self.logarithmic = across, up, logarithmic

    def x(self, value: float) -> float:
        low, high = self.across
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.up
        own = math.log10(value) if self.logarithmic else value
        return TOP + (high - own) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def axes(self, across: str, up: str, whole: bool = False) -> str:
        """Grid, numbers and the names of both axes."""
        parts = []
        if self.logarithmic:
            marks = [10.0**power for power in range(math.ceil(self.up[0]), math.floor(self.up[1]) + 1)]
            if len(marks) < 2:
                marks = [10**own for own in ticks(*self.up, 4)]
        else:
            marks = ticks(*self.up)
        for value, said in zip(marks, labels(marks), strict=True):
            at = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{at + 3.5:.1f}" text-anchor="end">{said}</text>')
        places = [value for value in ticks(*self.across, 7) if not whole or value == round(value)]
        for value, said in zip(places, labels(places), strict=True):
            at = self.x(value)
            parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{said}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(across)}</text>')
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turn = f"rotate(-90 11 {middle})"
        parts.append(
            f'<text class="axis" x="11" y="{middle}" text-anchor="middle" transform="{turn}">{escape(up)}</text>'
        )
        return "".join(parts)


def short(value: float) -> str:
    """A number at an axis."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.4g}"


def labels(marks: Sequence[float]) -> list[str]:
    """Numbers at an axis, with as many digits as tell them apart."""
    said = [short(value) for value in marks]
    for digits in range(2, 17):
        if len(set(said)) == len(said):
            break
        said = [f"{value:.{digits}g}" for value in marks]
    return said


def curves(title: str, at: Sequence[float], lines: Sequence[Line], up: str, marked: float | None = None) -> str:
    """Lines over epochs `at`; `marked` is one of these, which a vertical line shows. Empty where no line has a value.

    Positive values that span more than a factor of 50 are drawn over a logarithmic axis.
    """
    lines = [line for line in lines if any(value is not None and math.isfinite(value) for value in line.values)]
    held = [value for line in lines for value in line.values if value is not None and math.isfinite(value)]
    if not held:
        return ""
    logarithmic = min(held) > 0 and max(held) > 50 * min(held)
    bounds = (math.log10(min(held)), math.log10(max(held))) if logarithmic else (min(held), max(held))
    plane = Plane(scales(min(at), max(at)), scales(*bounds), logarithmic)
    parts = [plane.axes("epoch", up, whole=all(place == round(place) for place in at))]
    if marked is not None:
        x = plane.x(marked)
        parts.append(f'<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    for line in lines:
        points = [
            (plane.x(place), plane.y(value))
            for place, value in zip(at, line.values, strict=True)
            if value is not None and math.isfinite(value)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="{line.style}" points="{path}"/>')
        if len(points) <= 40:
            parts.extend(f'<circle class="{line.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in points)
    data = {
        "at": [round(place, 4) for place in at],
        "x": [round(plane.x(place), 1) for place in at],
        "lines": [
            {"name": line.name, "style": line.style, "values": [_plain(value) for value in line.values]}
            for line in lines
        ],
    }
    keys = [(line.name, f'<line class="{line.style}" x1="1" x2="17" y1="5" y2="5"/>') for line in lines]
    if marked is not None:
        keys.append(("best epoch", '<line class="best" x1="9" x2="9" y1="0" y2="10"/>'))
    legend = "".join(
        f'<li><svg class="key" viewBox="0 0 18 10" aria-hidden="true">{mark}</svg>{escape(name)}</li>'
        for name, mark in keys
    )
    said = "; ".join(f"{line.name}, at last {_last(line.values)}" for line in lines)
    return (
        f'<figure class="chart" data-chart="{escape(json.dumps(data))}"><h3>{escape(title)}</h3>'
        f"{_svg(f'{title}: {said}', *parts)}"
        f'<figcaption><ul class="legend">{legend}</ul></figcaption></figure>'
    )


def _svg(words: str, *parts: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">{"".join(parts)}</svg>'


def _plain(value: float | None) -> float | None:
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _last(values: Sequence[float | None]) -> str:
    return next((f"{value:.4g}" for value in reversed(values) if value is not None), "–")


def scatter(title: str, pairs: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """Points, with the line on which both numbers are equal; both axes have the same bounds."""
    if not pairs:
        return ""
    low = min(min(pair) for pair in pairs)
    high = max(max(pair) for pair in pairs)
    plane = Plane(scales(low, high), scales(low, high))
    points = "".join(f'<circle class="point" cx="{plane.x(x):.1f}" cy="{plane.y(y):.1f}" r="2"/>' for x, y in pairs)
    same = (
        f'<line class="best" x1="{plane.x(low):.1f}" y1="{plane.y(low):.1f}" x2="{plane.x(high):.1f}" '
        f'y2="{plane.y(high):.1f}"/>'
    )
    svg = _svg(f"{title}: {len(pairs)} points", plane.axes(across, up), same, points)
    return f'<figure class="chart"><h3>{escape(title)}</h3>{svg}</figure>'


def histogram(title: str, edges: Sequence[float], counts: Sequence[int], across: str) -> str:
    """How many values lie between edges, as bars."""
    if not any(counts):
        return ""
    plane = Plane((edges[0], edges[-1]), (0, max(counts) * 1.05))
    bars = "".join(
        f'<rect class="bar" x="{plane.x(low):.1f}" width="{max(plane.x(high) - plane.x(low) - 0.6, 0.4):.1f}" '
        f'y="{plane.y(number):.1f}" height="{plane.y(0) - plane.y(number):.1f}"><title>{short(low)} to {short(high)}: '
        f"{number:,}</title></rect>"
        for low, high, number in zip(edges, edges[1:], counts, strict=False)
    )
    svg = _svg(title, plane.axes(across, "samples"), bars)
    return f'<figure class="chart"><h3>{escape(title)}</h3>{svg}</figure>'

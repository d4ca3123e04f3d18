"""The roofline diagram: attainable operations a second over operations per byte, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, degrees, pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.drawing.palette import FAINT, FAMILIES, INK, WORDS
from archspec.figures.units import si
from archspec.reports.cells import short
from archspec.reports.plotting import Extent, Spot, new_figure, place_labels, save, tidy
from archspec.reports.roofline import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

    from archspec.figures.roofline import Prediction
    from archspec.layers import Family

LABELLED = 8
"""Kernels that are named in the diagram, those that take longest."""


class _Point(NamedTuple):
    """Kernels of one family at one place: those of one shape, most of the time."""

    intensity: float
    rate: float
    seconds: float
    family: Family
    first: str
    kernels: int

    @property
    def colour(self) -> str:
        return FAMILIES[self.family].dark

    @property
    def label(self) -> str:
        others = f" and {self.kernels - 1} alike" if self.kernels > 1 else ""
        return f"{self.first}{others}, {seconds(self.seconds)}"


def draw(prediction: Prediction, path: Path) -> None:
    """Writes the diagram of a prediction as SVG, PNG or PDF. Raises `DataError` where it cannot be written."""
    save(figure(prediction), path)


def figure(prediction: Prediction) -> Figure:
    """The diagram: a point on the roof for kernels of equal intensity, its area the time that they take."""
    points = _points(prediction)
    made = new_figure(9, 5.8)
    axes = made.subplots()
    made.subplots_adjust(left=0.085, right=0.97, top=0.84, bottom=0.155)
    roof, texts = _roof(made, axes, prediction, points)
    longest = max((point.seconds for point in points), default=1.0)
    areas = [18 + 500 * point.seconds / longest for point in points]
    star = _marks(axes, prediction, points, areas)
    axes.set_xlabel("arithmetic intensity, FLOPs per byte of memory traffic", color=INK)
    axes.set_ylabel("attainable FLOP/s", color=INK)
    handles, _ = axes.get_legend_handles_labels()
    legend = axes.legend(
        handles=handles, loc="lower right", fontsize=8.5, frameon=True, framealpha=0.9, edgecolor="#DDDDDD"
    )
    made.canvas.draw()
    pixels = made.dpi / 72
    spots = [
        Spot(point.intensity, point.rate, point.label, sqrt(area / pi) * pixels, point.colour, index < LABELLED)
        for index, (point, area) in enumerate(zip(points, areas, strict=True))
    ]
    spots += [Spot(*place, "", 8 * pixels, INK, False) for place in star]
    taken = [Extent(*item.get_window_extent().extents) for item in (legend, *texts)]
    place_labels(axes, spots, taken=taken, paths=[roof], every=False)
    _say(made, prediction)
    return made


def _points(prediction: Prediction) -> list[_Point]:
    """The kernels that take time and move bytes, those of one family and intensity together, the longest first."""
    members: dict[str, tuple[int, int]] = {}
    for row in prediction.rows:
        head = row.fused_into or row.path
        flops, moved = members.get(head, (0, 0))
        members[head] = (flops + row.flops, moved + row.bytes)
    nodes = prediction.graph.by_path()
    rates: dict[tuple[float, Family], float] = {}
    alike: dict[tuple[float, Family], list[tuple[float, str]]] = {}
    for row in prediction.rows:
        if row.fused_into is None and row.seconds and all(members[row.path]):
            flops, moved = members[row.path]
            kind = nodes[row.path].layer.family
            place = (float(f"{flops / moved:.3g}"), kind)
            alike.setdefault(place, []).append((row.seconds, row.path))
            rates[place] = flops / row.seconds
    points = [
        _Point(intensity, rates[intensity, kind], sum(time for time, _ in kernels), kind, kernels[0][1], len(kernels))
        for (intensity, kind), kernels in alike.items()
    ]
    return sorted(points, key=lambda point: -point.seconds)


def _roof(
    made: Figure, axes: Axes, prediction: Prediction, points: Sequence[_Point]
) -> tuple[list[tuple[float, float]], list[Annotation]]:
    """Draws the roof over axes that hold all points: its corners, and the texts along it that labels must not cover."""
    device, dtype = prediction.device, prediction.dtype
    peak, bandwidth, ridge = device.flops[dtype], device.bandwidth, device.ridge(dtype)
    tidy(axes)
    axes.set_xscale("log")
    axes.set_yscale("log")
    xs = [point.intensity for point in points] or [ridge]
    low, high = min(*xs, ridge) / 3, max(*xs, ridge) * 4
    floor = min(min((point.rate for point in points), default=peak) / 4, low * bandwidth * 0.8)
    axes.set_xlim(low, high)
    axes.set_ylim(floor, peak * 6)
    roof = [(low, low * bandwidth), (ridge, peak), (high, peak)]
    axes.plot(*zip(*roof, strict=True), color=INK, linewidth=1.6, zorder=2)
    axes.fill_between([low, ridge, high], [low * bandwidth, peak, peak], floor, color="#F3F5F7", linewidth=0, zorder=0)
    axes.plot([ridge, ridge], [floor, peak], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)

    def beside(text: str, place: tuple[float, float], up: float, **style: Any) -> Annotation:
        return axes.annotate(text, place, xytext=(-4, up), textcoords="offset points", **style)

    texts = [
        beside(f"ridge, {short(ridge)} FLOPs/byte", (ridge, floor), 5, ha="right", fontsize=8, color=FAINT),
        beside(f"peak {si(int(peak))}FLOP/s, {dtype}", (high, peak), 18, ha="right", fontsize=9, color=INK),
    ]
    made.canvas.draw()
    start, end = axes.transData.transform([(low, low * bandwidth), (ridge, peak)])
    beside(
        f"memory {si(int(bandwidth))}B/s",
        (sqrt(low * ridge), sqrt(low * ridge) * bandwidth),
        5,
        rotation=degrees(atan2(end[1] - start[1], end[0] - start[0])),
        rotation_mode="anchor",
        ha="center",
        fontsize=9,
        color=INK,
    )
    return roof, texts


def _marks(
    axes: Axes, prediction: Prediction, points: Sequence[_Point], areas: Sequence[float]
) -> list[tuple[float, float]]:
    """Draws the points, each family in its colour, and a star for the whole step; the star's place where it has one."""
    for name in FAMILIES:
        own = [i for i, point in enumerate(points) if point.family == name]
        if own:
            colour = points[own[0]].colour
            axes.scatter(
                [points[i].intensity for i in own],
                [points[i].rate for i in own],
                [areas[i] for i in own],
                color=colour,
                alpha=0.55,
                edgecolors="white",
                linewidths=0.8,
                zorder=3,
            )
            axes.scatter([], [], 60, color=colour, alpha=0.8, label=WORDS[name])
    if not (prediction.flops and prediction.bytes and prediction.seconds):
        return []
    x, y = prediction.flops / prediction.bytes, prediction.flops / prediction.seconds
    axes.scatter([x], [y], 110, marker="*", color=INK, zorder=4, label=f"whole step, {seconds(prediction.seconds)}")
    return [(x, y)]


def _say(made: Figure, prediction: Prediction) -> None:
    """The heading, and where the figures are from."""
    device, dtype = prediction.device, prediction.dtype
    spread = f" on {prediction.devices} devices" if prediction.devices > 1 else ""
    made.text(0.085, 0.945, f"{prediction.graph.name} on {device.title}", fontsize=13, fontweight="bold", color=INK)
    made.text(
        0.085,
        0.895,
        f"{prediction.graph.mode} mode, batch {prediction.batch}{spread}, {dtype}: "
        f"at least {seconds(prediction.seconds)} a step"
        + (f", at most {prediction.throughput:,.0f} samples a second" if prediction.seconds else ""),
        fontsize=9.5,
        color=FAINT,
    )
    made.text(
        0.085,
        0.02,
        "Roofline model (Williams, Waterman & Patterson 2009): predicted, not measured. A point stands for kernels of "
        f"equal intensity, its area for their time.\nPeaks: {device.source}.",
        fontsize=7.5,
        color=FAINT,
    )

"""The roofline diagram: attainable operations a second over operations per byte, both axes logarithmic."""

from __future__ import annotations

from math import atan2, degrees, pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.drawing.palette import FAINT, FAMILIES, INK, WORDS
from archspec.figures.units import si
from archspec.reports.cells import short
from archspec.reports.plotting import Extent, new_figure, place_labels, save, tidy
from archspec.reports.roofline import seconds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    def label(self) -> str:
        others = f" and {self.kernels - 1} alike" if self.kernels > 1 else ""
        return f"{self.first}{others}, {seconds(self.seconds)}"


def draw(prediction: Prediction, path: Path) -> None:
    """Writes the diagram of a prediction as SVG, PNG or PDF. Raises `DataError` where it cannot be written."""
    save(figure(prediction), path)


def figure(prediction: Prediction) -> Figure:
    """The diagram: a point on the roof for kernels of equal intensity, its area the time that they take."""
    device, dtype = prediction.device, prediction.dtype
    peak, bandwidth, ridge = device.flops[dtype], device.bandwidth, device.ridge(dtype)
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
    points.sort(key=lambda point: -point.seconds)
    made = new_figure(9, 5.8)
    axes = made.subplots()
    made.subplots_adjust(left=0.085, right=0.97, top=0.84, bottom=0.155)
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
    texts = [
        axes.annotate(
            f"ridge, {short(ridge)} FLOPs/byte",
            (ridge, floor),
            xytext=(-4, 5),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=FAINT,
        ),
        axes.annotate(
            f"peak {si(int(peak))}FLOP/s, {dtype}",
            (high, peak),
            xytext=(-4, 18),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=INK,
        ),
    ]
    made.canvas.draw()
    start, end = axes.transData.transform([(low, low * bandwidth), (ridge, peak)])

    axes.annotate(
        f"memory {si(int(bandwidth))}B/s",
        (sqrt(low * ridge), sqrt(low * ridge) * bandwidth),
        xytext=(-4, 5),
        textcoords="offset points",
        rotation=degrees(atan2(end[1] - start[1], end[0] - start[0])),
        rotation_mode="anchor",
        ha="center",
        fontsize=9,
        color=INK,
    )
    colours = {name: FAMILIES[name].dark for name in FAMILIES}
    longest = max((point.seconds for point in points), default=1.0)
    areas = [18 + 500 * point.seconds / longest for point in points]
    for name in FAMILIES:
        own = [i for i, point in enumerate(points) if point.family == name]
        if own:
            axes.scatter(
                [points[i].intensity for i in own],
                [points[i].rate for i in own],
                [areas[i] for i in own],
                color=colours[name],
                alpha=0.55,
                edgecolors="white",
                linewidths=0.8,
                zorder=3,
            )
            axes.scatter([], [], 60, color=colours[name], alpha=0.8, label=WORDS[name])
    whole = bool(prediction.flops and prediction.bytes and prediction.seconds)
    if whole:
        axes.scatter(
            [prediction.flops / prediction.bytes],
            [prediction.flops / prediction.seconds],
            110,
            marker="*",
            color=INK,
            zorder=4,
            label=f"whole step, {seconds(prediction.seconds)}",
        )
    axes.set_xlabel("arithmetic intensity, FLOPs per byte of memory traffic", color=INK)
    axes.set_ylabel("attainable FLOP/s", color=INK)
    handles, _ = axes.get_legend_handles_labels()
    legend = axes.legend(
        handles=handles, loc="lower right", fontsize=8.5, frameon=True, framealpha=0.9, edgecolor="#DDDDDD"
    )
    made.canvas.draw()
    taken = [Extent(*item.get_window_extent().extents) for item in (legend, *texts)]
    star = [(prediction.flops / prediction.bytes, prediction.flops / prediction.seconds)] if whole else []
    pixels = made.dpi / 72
    place_labels(
        axes,
        [*((point.intensity, point.rate) for point in points), *star],
        [*(point.label for point in points), *("" for _ in star)],
        [*(sqrt(area / pi) * pixels for area in areas), *(8 * pixels for _ in star)],
        colours=[*(colours[point.family] for point in points), *(INK for _ in star)],
        taken=taken,
        paths=[roof],
        labelled=[*(i < LABELLED for i in range(len(points))), *(False for _ in star)],
        every=False,
    )
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
    return made

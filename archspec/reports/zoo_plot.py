"""Published accuracy of networks over their multiply–adds, parameters as area."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log10, pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.drawing.palette import FAINT, INK
from archspec.reports.plotting import PALETTE, Extent, Spot, check_suffix, new_figure, place_labels, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archspec.reports.facts import Figures

LARGEST = 1000.0
"""Area of a panel's largest disc in square points."""

CROWD = 6
"""Of more networks for each inch of a panel's width not all are named: lines from far labels would hide the marks."""

MARKERS = "oDs^v"
"""Families beyond the palette's colours are told apart by shape."""

WORDS = {"top1": "top-1", "top5": "top-5"}


def draw(facts: Sequence[Figures], accuracy: str, path: Path) -> list[str]:
    """Writes the plot as SVG, PNG or PDF and returns the names of networks without that accuracy.

    `accuracy` is "top1" or "top5". Raises `DataError` where no network has it or the file cannot be written.
    """
    from archspec.diagnostics import DataError

    check_suffix(path)
    known = [item for item in facts if _value(item, accuracy) is not None]
    if not known:
        raise DataError("E113", f"no network has a published {WORDS[accuracy]} accuracy to plot")
    save(figure(known, accuracy)[0], path)
    return [item.label for item in facts if item not in known]


def _value(facts: Figures, accuracy: str) -> float | None:
    value: float | None = facts.figure(accuracy)
    return value


def figure(facts: Sequence[Figures], accuracy: str) -> tuple[Figure, list[list[Any]]]:
    """The plot of networks that all have the accuracy, and the labels of each panel.

    Networks with another number of classes have a panel of their own: their accuracies cannot be compared.
    """
    panels: dict[int, list[Figures]] = {}
    for item in facts:
        panels.setdefault(item.output[-1], []).append(item)
    ordered = sorted(panels.items(), key=lambda panel: (-len(panel[1]), -panel[0]))
    shares = [max(2.6, len(items) ** 0.5) for _, items in ordered]
    made = new_figure(14 if len(ordered) > 1 else 11, 7.6)
    grid = made.add_gridspec(
        1, len(ordered), width_ratios=shares, left=0.06, right=0.985, top=0.86, bottom=0.15, wspace=0.14
    )
    names = sorted({item.family for item in facts})
    styles = {
        name: (PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE) % len(MARKERS)]) for i, name in enumerate(names)
    }
    labels = []
    for column, (classes, items) in enumerate(ordered):
        axes = made.add_subplot(grid[0, column])
        labels.append(_panel(axes, items, {item.label: styles[item.family] for item in items}, accuracy))
        named = "" if len(labels[-1]) == len(items) else f", {len(labels[-1])} of {len(items)} networks named"
        axes.set_title(f"{classes:,} classes{named}", loc="left", fontsize=10.5, color=INK, pad=8)
        if column == 0:
            axes.set_ylabel(f"published {WORDS[accuracy]} accuracy in %", color=INK)
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=8, alpha=0.85, label=name)
        for name, (colour, marker) in styles.items()
    ]
    made.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(0.985, 0.985),
        ncols=min(len(handles), 8),
        frameon=False,
        fontsize=9.5,
        handletextpad=0.2,
        columnspacing=1.2,
    )
    made.text(0.06, 0.945, "Accuracy and cost", fontsize=15, fontweight="bold", color=INK)
    made.text(
        0.06,
        0.03,
        "Published figures; not measured here. Recipes of training, test crops and input sizes differ; "
        "`archspec compare` names each figure's source.\nMultiply–adds of convolutions and dense layers for one image "
        "of the network's own size; the area of a mark is in proportion to its parameters.",
        fontsize=8,
        color=FAINT,
    )
    return made, labels


def _panel(axes: Axes, items: Sequence[Figures], styles: Mapping[str, tuple[str, str]], accuracy: str) -> list[object]:
    """Draws the networks of one number of classes and returns their labels."""
    macs = [item.figure("macs") for item in items]
    values = [_value(item, accuracy) or 0.0 for item in items]
    most = max(item.figure("params") for item in items)
    areas = [LARGEST * item.figure("params") / most for item in items]
    tidy(axes)
    axes.set_xscale("log")
    axes.set_xlim(min(macs) / 1.9, max(macs) * 1.9)
    spread = max(values) - min(values) or 1.0
    axes.set_ylim(min(values) - 0.14 * spread, max(values) + 0.1 * spread)
    for index in sorted(range(len(items)), key=lambda i: -areas[i]):
        colour, marker = styles[items[index].label]
        axes.scatter(
            [macs[index]],
            [values[index]],
            [areas[index]],
            color=colour,
            marker=marker,
            alpha=0.5,
            edgecolors="white",
            linewidths=0.9,
            zorder=3,
        )
    # The middle of a large disc is where it stands.
    axes.scatter(macs, values, 5, color=[styles[item.label][0] for item in items], zorder=4)
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from archspec.figures.units import si

    # Two, five and ten of each power of ten, where there is room for so many numbers.
    pixels = axes.get_window_extent().width / axes.figure.get_dpi() * 72
    room = pixels / (3 * log10(3.6 * max(macs) / min(macs)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if room > 40 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: si(round(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("multiply–adds of one image", color=INK)
    sizes = _round_sizes(most)
    legend = axes.legend(
        handles=[
            axes.scatter([], [], LARGEST * size / most, color="#B8B8B8", alpha=0.7, edgecolors="white", label=si(size))
            for size in sizes
        ],
        title="parameters",
        title_fontsize=8.5,
        fontsize=8.5,
        loc="best",
        labelspacing=1.6,
        borderpad=1.3,
        handletextpad=1.6,
        framealpha=0.9,
        edgecolor="#DDDDDD",
    )
    made = axes.figure
    made.canvas.draw()
    scale = made.get_dpi() / 72
    spots = [
        Spot(macs[i], values[i], items[i].label, min(sqrt(areas[i] / pi), 6.0) * scale, styles[items[i].label][0])
        for i in _by_weight(items, accuracy)
    ]
    taken = [Extent(*map(float, legend.get_window_extent().extents))]
    if len(items) > CROWD * axes.get_window_extent().width / made.get_dpi():
        return place_labels(axes, spots, taken=taken, every=False, steps=5)
    return place_labels(axes, spots, taken=taken)


def _by_weight(items: Sequence[Figures], accuracy: str) -> list[int]:
    """Places of the networks, those first whose names are least to be missed.

    These are the ones that none is better than at their cost, then those whose ideas the most others extend.
    """
    costs = [(item.figure("macs"), -(_value(item, accuracy) or 0.0)) for item in items]
    front = {i for i, own in enumerate(costs) if not any(a <= own[0] and b < own[1] for a, b in costs)}
    heirs = Counter(name for item in items if item.lineage for name in item.lineage.after)
    return sorted(range(len(items)), key=lambda i: (i not in front, -heirs[items[i].label], i))


def _round_sizes(most: int) -> list[int]:
    """Three round numbers up to the largest: 100 M, 20 M and 5 M for 143 M."""
    power = 10 ** (len(str(most)) - 1)
    top = next(factor for factor in (5, 2, 1) if factor * power <= most) * power
    return [max(1, top // 20), max(1, top // 5), top]

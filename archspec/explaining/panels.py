"""Panels that several pictures of a sample have: its input, what the network says of it, and both in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archspec.drawing.palette import FAINT, INK, RULE
from archspec.explaining.explanation import Answered, Explanation, Sample
from archspec.explaining.sheet import BLUE, ORANGE, Sheet, bare, caption, draw_pixels, fit_within, plot_style
from archspec.images.masks import palette
from archspec.reports.plotting import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def called(sample: Sample) -> str:
    """What a sample is called in titles: its file, or the number of what was given."""
    return f"sample {sample.name}" if sample.name.isdigit() else Path(sample.name).name


def about(made: Explanation, sample: Sample) -> str:
    """Network, sample, and what the network says of it."""
    name = called(sample)
    said = said_of(next(own for own in sample.answers if own.output == sample.explained.output))
    seen = f", {sample.fitted}" if sample.fitted else ""
    return f"{made.name} · {name}{seen}" + (f" · {said}" if said else "")


def said_of(answer: Answered) -> str:
    """The largest of an answer in words; nothing where it rates nothing."""
    if answer.kind == "mask":
        most = ", ".join(f"{name} {100 * share:.1f} %" for name, share in answer.rated[:3])
        return f"predicted, of the pixels: {most}"
    if not answer.rated:
        return ""
    if answer.kind == "numbers":
        more = f" and {len(answer.rated) - 3} more" if len(answer.rated) > 3 else ""
        return "says " + ", ".join(f"{name} {number:.4g}" for name, number in answer.rated[:3]) + more
    if answer.kind == "labels":
        return f"predicted: {labels_said(answer)}"
    name, number = answer.rated[0]
    return f"predicted: {name}, " + (f"{100 * number:.1f} %" if answer.likely else f"score {number:.4g}")


def labels_said(answer: Answered) -> str:
    """The labels that are there, the most probable first; of none the nearest."""
    there = [rated_said(name, number, answer) for name, number in answer.predicted]
    more = f" and {len(there) - 3} more" if len(there) > 3 else ""
    return ", ".join(there[:3]) + more if there else f"no label, the nearest {rated_said(*answer.rated[0], answer)}"


def rated_said(name: str, number: float, answer: Answered) -> str:
    """A class or label with its probability or score."""
    return f"{name} ({100 * number:.1f} %)" if answer.likely else f"{name} ({number:.4g})"


def draw_input(
    made: Explanation, sample: Sample, sheet: Sheet, x: float, y: float, width: float, height: float
) -> tuple[float, float]:
    """The explained input as a panel, and its size in inches."""
    if sample.pixels is not None:
        wide, high = fit_within(sample.pixels.shape, width, height - 0.3)
        axes = sheet.axes(x, y + 0.3, wide, high)
        draw_pixels(axes, sample.pixels)
        draw_ring(axes, sample)
        caption(axes, "×".join(map(str, sample.pixels.shape)))
        return wide, high
    array = np.asarray(sample.inputs[made.input], np.float64)
    axes = sheet.axes(x + 0.5, y + 0.3, width - 0.5, height - 0.6)
    if array.ndim == 2:
        for channel in range(min(array.shape[1], len(PALETTE))):
            axes.plot(array[:, channel], color=PALETTE[channel], linewidth=1)
        axes.set_xlabel("position", fontsize=9.5, color=FAINT)
    else:
        axes.bar(np.arange(len(array)), array, color=PALETTE[0])
        axes.set_xlabel("number", fontsize=9.5, color=FAINT)
    plot_style(axes)
    return width, height - 0.3


def draw_ring(axes: Axes, sample: Sample) -> None:
    """The pixel that was asked for."""
    match = re.search(r" at pixel (\d+), (\d+)$", sample.explained.what)
    if match:
        row, column = int(match[1]), int(match[2])
        axes.plot([column], [row], marker="o", markersize=13, fillstyle="none", color="white", markeredgewidth=4)
        axes.plot([column], [row], marker="o", markersize=13, fillstyle="none", color=ORANGE, markeredgewidth=2)


def draw_bars(
    axes: Axes,
    answer: Answered,
    names: Sequence[str] | None = None,
    colour: str = BLUE,
    others: Sequence[Answered] = (),
) -> None:
    """The largest numbers of an answer, or those of some classes, on a scale that other answers have too."""
    rated = dict(answer.rated)
    own = [(name, rated[name]) for name in names if name in rated] if names else list(answer.rated[:8])
    labels = [name if len(name) <= 22 else name[:21] + "…" for name, _ in own]
    values = [number for _, number in own]
    places = np.arange(len(own))[::-1]
    axes.barh(places, values, color=colour, height=0.62)
    axes.set_yticks(places, labels)
    scaled = [*values, *(number for other in others for name, number in other.rated if not names or name in names)]
    low, high = min(0.0, *scaled), max(0.0, *scaled)
    axes.set_xlim(low * 1.02, 1 if answer.likely and answer.kind != "numbers" else (high - 0.02 * low or 1) * 1.02)
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    for place, value in zip(places, values, strict=True):
        words = f"{100 * value:.1f} %" if answer.likely and answer.kind != "numbers" else f"{value:.4g}"
        axes.text(max(value, 0) + 0.015 * span, place, words, va="center", fontsize=10, color=INK)
    axes.set_xticks([])
    axes.tick_params(axis="y", labelsize=10.5, colors=INK, length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(RULE)
    if low < 0:  # bars begin at 0, and not at the edge
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=RULE)


def draw_classes(sheet: Sheet, answer: Answered, x: float, y: float, height: float) -> None:
    """A map of classes with its legend."""
    mask = answer.mask
    assert mask is not None and answer.value is not None
    wide, high = fit_within(mask.shape, 2.8, height - 0.3)
    axes = sheet.axes(x, y + 0.3, wide, high)
    colours = palette(answer.value.shape[-1])
    axes.imshow(colours[mask], interpolation="nearest")
    bare(axes)
    caption(axes, f"predicted classes, {mask.shape[0]}×{mask.shape[1]}")
    shares = dict(answer.rated)
    keys = [(colours[number], f"{name[:12]}  {100 * shares[name]:.1f} %") for name, number in classes_by_number(answer)]
    sheet.legend(x + wide + 0.2, y + 0.3, keys, 14)


def classes_by_number(answer: Answered) -> list[tuple[str, int]]:
    """The names of the classes in a map with their numbers."""
    assert answer.mask is not None
    order = np.argsort(-np.bincount(answer.mask.reshape(-1)), kind="stable")
    return [(name, int(number)) for (name, _), number in zip(answer.rated, order, strict=False)]

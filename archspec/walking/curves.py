"""Sweeps as a picture: curves, with the moved images below them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from archspec.drawing.palette import FAINT, INK
from archspec.reports.cells import html as as_html
from archspec.reports.plotting import PALETTE, new_figure, tidy
from archspec.walking.ranges import STILL
from archspec.walking.sweeps import Invariance, Sweep
from archspec.walking.tables import TITLES, axis_of, leading, lines, summary, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAINT_CURVES = 30
"""Classes up to which the rest are drawn too, in grey."""
THUMBNAILS = 9
WIDTH = 10.0
"""Inches of a picture, at 144 dots each."""


def png(made: Invariance) -> bytes:
    """The picture as a file of its own."""
    file = BytesIO()
    figure(made).savefig(file, format="png")
    return file.getvalue()


def html(made: Invariance) -> str:
    """The picture, and below it what is said of it."""
    words = "".join(f"<p>{escape(line)}</p>" for line in lines(made, tables=False))
    notes = "".join(f"<p>note: {escape(note)}</p>" for note in made.notes)
    tables = "".join(
        f"<details><summary>{escape(TITLES[sweep.kind])}: numbers</summary>{as_html(table(made, sweep))}</details>"
        for sweep in made.sweeps
    )
    image = f"data:image/png;base64,{b64encode(png(made)).decode()}"
    return (
        f"<div class=archspec-invariance><img style='max-width:100%' alt='curves' src='{image}'>"
        f"{words}{notes}{tables}</div>"
    )


SIDE, HEAD, BODY, TICKS, STRIP, GAP = 0.85, 0.72, 2.9, 0.52, 0.95, 0.2
"""Inches of a panel: left margin, title, curves, ticks and axis title, images, and the space below."""
RIGHT = 1.5


def figure(made: Invariance) -> Figure:
    """A panel for each sweep, one below the other."""
    panel = HEAD + BODY + TICKS + STRIP + GAP
    high = panel * len(made.sweeps)
    picture = new_figure(WIDTH, high)
    for number, sweep in enumerate(made.sweeps):
        _panel(picture, made, sweep, high - number * panel, high)
    return picture


def _panel(picture: Figure, made: Invariance, sweep: Sweep, top: float, high: float) -> None:
    bottom = top - HEAD - BODY
    axes = picture.add_axes((SIDE / WIDTH, bottom / high, (WIDTH - SIDE - RIGHT) / WIDTH, BODY / high))
    tidy(axes)
    title = f"{made.name}: {TITLES[sweep.kind].lower()}"
    picture.text(SIDE / WIDTH, (top - 0.24) / high, title, fontsize=12, color=INK, va="center")
    picture.text(SIDE / WIDTH, (top - 0.5) / high, summary(made, sweep), fontsize=9.5, color=FAINT, va="center")
    ends = _curves(axes, made, sweep)
    if sweep.kind == "scale":
        axes.set_xscale("log", base=2)
    low, end = sweep.values.min(), sweep.values.max()
    axes.set_xlim(low, end)
    _ticks(axes, sweep)
    axes.set_xlabel(axis_of(sweep), color=INK, fontsize=9.5)
    axes.set_ylabel({"share": "pixels that keep their class"}.get(made.what, made.what), color=INK, fontsize=9.5)
    if low <= STILL[sweep.kind] <= end:
        axes.axvline(STILL[sweep.kind], color=FAINT, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    if sweep.held is not None and made.answers in ("classes", "labels") and sweep.held[0] < sweep.held[1]:
        axes.axvspan(*sweep.held, color=PALETTE[0], alpha=0.07, linewidth=0, zorder=0)
    _names(axes, ends)
    _strip(picture, axes, made, sweep, bottom - TICKS, high)


def _curves(axes: Axes, made: Invariance, sweep: Sweep) -> list[tuple[float, str, str]]:
    """Draws the curves; of each that has a name where it ends, the name and the colour."""
    chosen = leading(made, sweep, len(PALETTE))
    ends: list[tuple[float, str, str]] = []
    marker = "o" if len(sweep.values) <= 40 else None
    if made.answers == "map":
        assert sweep.stays is not None
        axes.plot(sweep.values, sweep.stays, color=INK, linewidth=2.2, zorder=4)
        ends.append((float(sweep.stays[-1]), "all pixels", INK))
    rest = [own for own in range(sweep.scores.shape[1]) if own not in chosen]
    if made.answers in ("classes", "labels") and 0 < len(rest) <= FAINT_CURVES:
        for own in rest:
            axes.plot(sweep.values, sweep.scores[:, own], color="#CFCFCF", linewidth=0.8, zorder=1.5)
    for own, colour in zip(chosen, PALETTE, strict=False):
        curve = sweep.scores[:, own]
        axes.plot(sweep.values, curve, color=colour, linewidth=1.8, marker=marker, markersize=2.6, zorder=3)
        known = curve[~np.isnan(curve)]
        if len(known):
            ends.append((float(known[-1]), made.names[own], colour))
    if made.what in ("share", "probability"):
        from matplotlib.ticker import PercentFormatter

        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return ends


def _ticks(axes: Axes, sweep: Sweep) -> None:
    """Ticks that people would choose: whole pixels, quarters of turns, halves and doubles."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

    low, high = float(sweep.values.min()), float(sweep.values.max())
    if sweep.kind == "shift":
        axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    elif sweep.kind == "rotate":
        step = next((own for own in (5, 15, 30, 45, 90) if (high - low) / own <= 10), 90)
        axes.xaxis.set_major_locator(FixedLocator([own for own in range(-360, 361, step) if low <= own <= high]))
    else:
        known = [own for own in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 0.7, 1, 1.4, 2, 4, 8, 16) if low <= own <= high]
        axes.xaxis.set_major_locator(FixedLocator(known or [low, high]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}".replace("-", "−")))


def _names(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names right of the lines' ends, moved apart so far that none covers another."""
    if not ends:
        return
    high = axes.get_window_extent().height
    low, top = axes.get_ylim()
    line = 23.0  # dots that a line of text takes, at 144 an inch
    wanted = sorted(((value - low) / (top - low) * high, value, name, colour) for value, name, colour in ends)
    places = _apart([own[0] for own in wanted], min(line, high / len(wanted)), high)
    # More names than the axis has room for go on with smaller letters.
    size = 8.5 if len(wanted) * line <= high else 8.5 * high / (len(wanted) * line)
    for place, (at, _, name, colour) in zip(places, wanted, strict=True):
        axes.annotate(
            _short(name),
            (1.0, at / high),
            (1.025, place / high),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=size,
            color=colour if colour == INK else _darker(colour),
            va="center",
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 0},
            annotation_clip=False,
        )


def _apart(wanted: Sequence[float], least: float, high: float) -> list[float]:
    """Heights in order, as near to the wanted ones as they can be at so great a distance from one another."""
    groups: list[tuple[float, int]] = []
    for own in wanted:
        groups.append((own, 1))
        # A group's middle is the mean of what its members want; groups that meet become one.
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < least * (groups[-1][1] + groups[-2][1]) / 2:
            (one, first), (two, second) = groups[-2:]
            groups[-2:] = [((one * first + two * second) / (first + second), first + second)]
    places: list[float] = []
    for middle, number in groups:
        half = least * (number - 1) / 2
        middle = min(max(middle, half), high - half)
        places += [middle - half + least * own for own in range(number)]
    return places


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _darker(colour: str) -> str:
    """A colour that letters can be read in."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#{:02X}{:02X}{:02X}".format(*(round(0.78 * own) for own in parts))


def _strip(picture: Figure, axes: Axes, made: Invariance, sweep: Sweep, top: float, high: float) -> None:
    """The moved images below their steps, each with the answer."""
    chosen = np.unique(np.linspace(0, len(sweep.values) - 1, min(THUMBNAILS, len(sweep.values))).round().astype(int))
    tall, wide = sweep.images.shape[1:3]
    room = (WIDTH - SIDE - RIGHT) / max(len(chosen) - 1, 1) * 0.92
    height = STRIP - 0.2
    width = height * wide / tall
    if width > room:
        width, height = room, room * tall / wide
    colours = dict(zip(leading(made, sweep, len(PALETTE)), PALETTE, strict=False))
    for step in chosen:
        middle = picture.transFigure.inverted().transform(axes.transData.transform((sweep.values[step], 0)))[0]
        box = (middle - width / 2 / WIDTH, (top - height) / high, width / WIDTH, height / high)
        small = picture.add_axes(box)
        small.set_xticks([])
        small.set_yticks([])
        pixels = sweep.images[step]
        small.imshow(
            pixels if pixels.shape[-1] == 3 else pixels.mean(-1),
            cmap="gray",
            vmin=0,
            vmax=255,
            aspect="auto",
            interpolation="nearest" if max(tall, wide) <= 64 else "antialiased",
        )
        own = int(sweep.scores[step].argmax()) if made.answers == "classes" else -1
        for spine in small.spines.values():
            spine.set_color(colours.get(own, "#9AA2A9"))
            spine.set_linewidth(1.8 if own >= 0 else 0.8)
        below = sweep.answers[step]
        if sweep.stays is not None:
            below = f"{100 * sweep.stays[step]:.0f} %"
        letters = max(int(room / 0.075), 3)
        below = below if len(below) <= letters else f"{below[: letters - 1]}…"
        picture.text(middle, (top - height - 0.12) / high, below, fontsize=8, color=INK, ha="center", va="center")

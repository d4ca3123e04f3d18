"""What plots share: colours, files, and labels that do not overlap. Matplotlib is imported when something is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError
from archspec.drawing.palette import FAINT, INK
from archspec.writing import write_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D31", "#5D5D5D")
"""Colours that people with any colour vision can tell apart (Okabe & Ito 2008), yellow and black replaced by brown
and grey, which show on white."""


SUFFIXES = (".svg", ".png", ".pdf")


class Extent(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Extent) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return wide * high if wide > 0 and high > 0 else 0.0

    def meets(self, other: Extent) -> bool:
        """Whether the two cover an area."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, other: Extent) -> bool:
        """Whether the other covers all of it."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.bottom <= self.bottom
            and self.top <= other.top
        )


def check_suffix(path: Path) -> None:
    """Raises `DataError` where the file's name ends in no format that can be drawn."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            "E113", f"{path} names no format for a picture", help=[f"the name ends in {', '.join(SUFFIXES)}"]
        )


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=144)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes the figure in the format that the file's name ends in. Raises `DataError` where that cannot be done.

    The same figure gives the same bytes: no date is written, and text in SVG stays text.
    """
    from warnings import catch_warnings, filterwarnings

    from matplotlib import rc_context

    check_suffix(path)
    kind = path.suffix.lower()[1:]
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    rules: Any = {"svg.fonttype": "none", "svg.hashsalt": "archspec", "pdf.fonttype": 42}
    with rc_context(rules), catch_warnings():
        filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for a character that no font has
        write_by(path, lambda file: figure.savefig(file, format=kind, metadata=metadata))


def tidy(axes: Axes) -> None:
    """Light grid, no frame above and on the right."""
    axes.set_axisbelow(True)
    axes.grid(which="major", color="#E4E4E4", linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#999999")
    axes.tick_params(colors=FAINT, which="both", labelsize=9)


class Spot(NamedTuple):
    """A point of a plot in data coordinates, with what is written beside it and the radius of its disc in pixels."""

    x: float
    y: float
    text: str
    radius: float
    colour: str
    labelled: bool = True
    """Whether it has a label, and does not only stand in others' way."""


Line = tuple[tuple[float, float], tuple[float, float]]


class _Room(NamedTuple):
    """What labels may not cover: the box that they lie in, boxes, discs and lines, in pixels."""

    inside: Extent
    boxes: list[Extent]
    discs: list[Extent]
    lines: list[Line]


STEPS = 14
"""Distances from a point at which a place is looked for."""


def place_labels(
    axes: Axes,
    spots: Sequence[Spot],
    *,
    size: float = 8.0,
    taken: Sequence[Extent] = (),
    paths: Sequence[Sequence[tuple[float, float]]] = (),
    every: bool = True,
    steps: int = STEPS,
) -> list[Any]:
    """Writes a label beside each point, none over another label, a point, a path, or a box that is taken.

    `paths` are in data coordinates. Labels take the free place nearest to their points, those in the densest places
    choosing first; one that lies apart is joined to its point by a thin line. Where no place is free the label is
    left out, unless `every`: then it takes the place where it covers least. Where labels may be left out, points
    choose in the order in which they are given. Places are looked for at so many `steps` of 9 pixels from a point.
    """
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    inverse = axes.transData.inverted()
    places = _in_pixels(axes, [(spot.x, spot.y) for spot in spots])
    bounds = axes.get_window_extent(renderer)
    discs = [
        Extent(x - spot.radius, y - spot.radius, x + spot.radius, y + spot.radius)
        for (x, y), spot in zip(places, spots, strict=True)
    ]
    lines = [line for path in paths for line in pairwise(_in_pixels(axes, path))]
    room = _Room(Extent(bounds.x0, bounds.y0, bounds.x1, bounds.y1), list(taken), discs, lines)
    made = [axes.annotate(spot.text, (spot.x, spot.y), fontsize=size, color=INK, zorder=5) for spot in spots]
    sizes = [(extent.width + 4, extent.height + 2) for extent in (item.get_window_extent(renderer) for item in made)]
    wanted = [index for index, spot in enumerate(spots) if spot.labelled]
    for index in set(range(len(spots))) - set(wanted):
        made[index].remove()
    crowd = [sum(abs(x - u) < 150 and abs(y - v) < 60 for u, v in places) for x, y in places]
    placed: dict[int, Extent] = {}
    for index in sorted(wanted, key=lambda i: (-crowd[i], places[i][1], places[i][0])) if every else wanted:
        (x, y), spot = places[index], spots[index]
        box = _best_place((x, y), spot.radius, sizes[index], room, every, steps)
        if box is None:
            made[index].remove()
            continue
        placed[index] = box
        room.boxes.append(box)
        if max(box.left - x, x - box.right, box.bottom - y, y - box.top) - spot.radius > 9:
            room.lines.append(((x, y), _nearest(box, x, y)))
            tips = [inverse.transform(point) for point in room.lines[-1]]
            axes.plot(*zip(*tips, strict=True), color=spot.colour, linewidth=0.6, alpha=0.8, zorder=2.5)
    for index, box in placed.items():
        u, v = inverse.transform((box.left + 2, box.bottom + 1))
        made[index].xyann = (float(u), float(v))
        made[index].set_verticalalignment("bottom")
    return [made[index] for index in sorted(placed)]


def _in_pixels(axes: Axes, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    places = (axes.transData.transform(point) for point in points)
    return [(float(x), float(y)) for x, y in places]


def _best_place(
    place: tuple[float, float], radius: float, size: tuple[float, float], room: _Room, every: bool, steps: int
) -> Extent | None:
    """The box for a label of a size around a disc: the nearest that covers nothing.

    Where there is none, it is the box that covers least if `every` label is wanted, else None.
    """
    (x, y), (wide, high) = place, size
    best: tuple[float, Extent, float] | None = None
    # Most of a large plot is out of reach.
    far = radius + 3 + 9 * steps + max(wide, high)
    around = Extent(x - far, y - far, x + far, y + far)
    boxes = [box for box in room.boxes if box.meets(around)]
    solid = [*boxes, *(disc for disc in room.discs if disc.meets(around))]
    lines = [line for line in room.lines if _crosses(line, around)]
    for step in range(steps):
        reach = radius + 3 + 9 * step
        for turn in range(16 if step else 8):
            angle = 2 * pi * turn / (16 if step else 8)
            middle_x = x + (reach + wide / 2) * cos(angle)
            middle_y = y + (reach + high / 2) * sin(angle)
            box = Extent(middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2)
            if not box.within(room.inside):
                continue
            cover = sum(box.overlap(other) for other in solid if box.meets(other))
            if best is not None and cover + 2 * step >= best[0]:
                continue
            cover += sum(20.0 for line in lines if _crosses(line, box))
            if step > 1:
                line = ((x, y), _nearest(box, x, y))
                cover += sum(20.0 for other in boxes if _crosses(line, other))
            if best is None or cover + 2 * step < best[0]:
                best = (cover + 2 * step, box, cover)
        if best is not None and best[2] == 0:
            break
    return None if best is None or (best[2] > 0 and not every) else best[1]


def _nearest(box: Extent, x: float, y: float) -> tuple[float, float]:
    """The point of a box that is nearest to a point."""
    return min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)


def _crosses(line: Line, box: Extent) -> bool:
    """Whether a line goes through a box (Liang & Barsky 1984)."""
    (x, y), (u, v) = line
    low, high = 0.0, 1.0
    for start, change, least, most in ((x, u - x, box.left, box.right), (y, v - y, box.bottom, box.top)):
        if change == 0:
            if not least < start < most:
                return False
            continue
        first, second = sorted(((least - start) / change, (most - start) / change))
        low, high = max(low, first), min(high, second)
    return low < high - 1e-9

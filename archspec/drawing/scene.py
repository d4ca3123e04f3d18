"""A scene: shapes and text at places in pixels, x to the right and y down, that any writer can put on paper."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import hypot
from typing import Literal, NamedTuple

from archspec.drawing.palette import FAINT

FONT = "DejaVu Sans"
"""What text is measured in; Verdana has the same widths."""

ASCENT, DESCENT = 0.76, 0.24
"""How far letters reach above and below the baseline, in sizes."""

ARROW_LENGTH, ARROW_WIDTH = 4.0, 3.2
"""Size of an arrow's head for a line of width 1; wider lines have larger ones, by the square root."""

Anchor = Literal["start", "middle", "end"]


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


class Bounds(NamedTuple):
    """A rectangle with sides along the axes."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def meets(self, other: Bounds, gap: float = 0.0) -> bool:
        """Whether the two overlap, or lie closer than a gap."""
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )

    def within(self, other: Bounds) -> bool:
        """Whether it lies inside another."""
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


def around(boxes: Iterable[Bounds]) -> Bounds:
    """The smallest box around others. Raises ValueError when there are none."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Bounds(min(lefts), min(tops), max(rights), max(bottoms))


def stretch(start: tuple[float, float], end: tuple[float, float]) -> Bounds:
    """The smallest box around a straight part of a line."""
    (x0, y0), (x1, y1) = start, end
    return Bounds(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


@dataclass(frozen=True, slots=True)
class Style:
    """How a shape is painted: colours as `#rrggbb` or None for none, the line's width and its dashes in pixels."""

    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline of straight lines."""

    points: tuple[Point, ...]
    style: Style
    title: str | None = None
    path: str | None = None

    @property
    def box(self) -> Bounds:
        return around(Bounds(x, y, x, y) for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle with its upper left corner, and corners of a radius."""

    x: float
    y: float
    width: float
    height: float
    style: Style
    radius: float = 0.0
    title: str | None = None
    path: str | None = None

    @property
    def box(self) -> Bounds:
        return Bounds(self.x, self.y, self.x + self.width, self.y + self.height)


class Curve(NamedTuple):
    """A cubic Bézier curve from where the one before ended; a straight line where the controls lie at its ends."""

    control1: Point
    control2: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Path:
    """An open line of cubic Bézier curves, perhaps with an arrow's head at its end."""

    start: Point
    curves: tuple[Curve, ...]
    style: Style
    arrow: bool = False
    title: str | None = None
    path: str | None = None

    @property
    def box(self) -> Bounds:
        """Around the controls, within which the curves lie, and the head."""
        points = [self.start, *(point for curve in self.curves for point in curve)]
        head = [self.head().box] if self.arrow else []
        return around([*(Bounds(x, y, x, y) for x, y in points), *head])

    def head(self) -> Polygon:
        """The arrow's head: a triangle whose tip is the end of the line."""
        tip, (along, across) = self.curves[-1].end, self._direction()
        size = max(self.style.width, 0.25) ** 0.5
        x, y = tip.x - ARROW_LENGTH * size * along, tip.y - ARROW_LENGTH * size * across
        half = ARROW_WIDTH * size / 2
        corners = (tip, Point(x - half * across, y + half * along), Point(x + half * across, y - half * along))
        return Polygon(corners, Style(fill=self.style.stroke, opacity=self.style.opacity))

    def shaft(self) -> tuple[Curve, ...]:
        """The line without what the head covers."""
        if not self.arrow:
            return self.curves
        *before, last = self.curves
        along, across = self._direction()
        back = 0.9 * ARROW_LENGTH * max(self.style.width, 0.25) ** 0.5
        start = before[-1].end if before else self.start
        end = Point(last.end.x - back * along, last.end.y - back * across)
        straight = last.control1 == start and last.control2 == last.end
        moved = Point(last.control2.x - back * along, last.control2.y - back * across)
        return (*before, line(end) if straight else Curve(last.control1, moved, end))

    def _direction(self) -> tuple[float, float]:
        """Where the line goes at its end, with length 1."""
        start = self.curves[-2].end if len(self.curves) > 1 else self.start
        last = self.curves[-1]
        for point in (last.control2, last.control1, start):
            x, y = last.end.x - point.x, last.end.y - point.y
            if length := hypot(x, y):
                return x / length, y / length
        return 1.0, 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its baseline, `rotate` degrees clockwise about (x, y)."""

    x: float
    y: float
    text: str
    size: float = 11.0
    bold: bool = False
    anchor: Anchor = "start"
    colour: str = "#1f2933"
    rotate: Literal[0, -90] = 0
    title: str | None = None
    path: str | None = None

    @property
    def box(self) -> Bounds:
        """What the letters cover, by their measured width."""
        width = text_width(self.text, self.size, self.bold)
        left = {"start": 0.0, "middle": -width / 2, "end": -width}[self.anchor]
        above, below = ASCENT * self.size, DESCENT * self.size
        if self.rotate:
            return Bounds(self.x - above, self.y - left - width, self.x + below, self.y - left)
        return Bounds(self.x + left, self.y - above, self.x + left + width, self.y + below)


Shape = Polygon | Rectangle | Path | Text


@dataclass(frozen=True, slots=True)
class Scene:
    """Shapes from the back to the front, on an opaque ground, so that it reads on a page of any colour."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str
    background: str = "#ffffff"


def line(end: Point) -> Curve:
    """A straight line as a `Curve`; writers know it by controls that lie at the end."""
    return Curve(end, end, end)


def polyline(points: Iterable[Point], style: Style, *, arrow: bool = False) -> Path:
    """Straight lines from point to point."""
    start, *others = points
    return Path(start, tuple(line(point) for point in others), style, arrow)


def is_straight(start: Point, curve: Curve) -> bool:
    """Whether a curve is a straight line."""
    return curve.control2 == curve.end and curve.control1 in (start, curve.end)


LEAST_HEADING = 420.0
"""Room that a heading has at least, in pixels."""


def headed(
    title: str,
    name: str,
    facts: str,
    width: float,
    *,
    sizes: tuple[float, float] = (16.0, 11.0),
    baselines: tuple[float, float] = (14.0, 32.0),
) -> list[Text]:
    """A heading whose upper left corner is at (0, 0): the title, or the name where there is none, and facts below it.

    Under a title the facts begin with the name. A title that is too wide is cut, and told in full by the tooltip.
    """
    title = " ".join(title.split())
    whole = title or name
    short = shortened(whole, width, sizes[0], True)
    facts = f"{shortened(name, width / 2, sizes[1])} · {facts}" if title and title != name else facts
    return [
        Text(0, baselines[0], short, sizes[0], True, title=whole if short != whole else None),
        Text(0, baselines[1], facts, sizes[1], colour=FAINT),
    ]


def moved(shape: Shape, x: float, y: float) -> Shape:
    """A shape at another place."""
    if isinstance(shape, (Rectangle, Text)):
        return replace(shape, x=shape.x + x, y=shape.y + y)

    def put(point: Point) -> Point:
        return Point(point.x + x, point.y + y)

    if isinstance(shape, Polygon):
        return replace(shape, points=tuple(map(put, shape.points)))
    curves = tuple(Curve(*map(put, curve)) for curve in shape.curves)
    return replace(shape, start=put(shape.start), curves=curves)


def elbow(points: Sequence[Point], style: Style, radius: float = 7.0) -> Path:
    """A line of level and upright stretches with rounded corners and an arrow at its end."""
    curves: list[Curve] = []
    at = points[0]
    for corner, following in zip(points[1:], [*points[2:], None], strict=True):
        if following is None:
            curves.append(line(corner))
            break
        before = abs(corner.x - at.x) + abs(corner.y - at.y)
        after = abs(following.x - corner.x) + abs(following.y - corner.y)
        bend = min(radius, before / 2, after / 2)
        start = towards(corner, at, bend)
        end = towards(corner, following, bend)
        curves += [line(start), Curve(towards(corner, at, bend * 0.45), towards(corner, following, bend * 0.45), end)]
        at = end
    return Path(points[0], tuple(curves), style, arrow=True)


def towards(start: Point, end: Point, length: float) -> Point:
    """The point so far from the start on a level or upright line."""
    whole = abs(end.x - start.x) + abs(end.y - start.y) or 1.0
    return Point(start.x + (end.x - start.x) * length / whole, start.y + (end.y - start.y) * length / whole)


_CHARACTERS = "".join(map(chr, range(32, 127))) + "·×–—−“”‘’…→←↑↓≤≥½°±²³µßæøÆØαβγδεηθκλμπρστφω√"
_ADVANCES = (
    "318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 636 636 636 337 "
    "337 838 838 838 531 1000 684 686 698 770 632 575 775 752 295 295 656 557 863 748 787 603 787 695 635 611 732 "
    "684 989 685 611 685 390 337 390 838 500 500 613 635 550 635 615 352 635 634 278 278 579 278 974 634 612 635 "
    "635 411 521 392 634 592 818 592 592 525 636 337 636 838 318 838 500 1000 838 518 518 318 318 1000 838 838 "
    "838 838 838 838 969 500 838 401 401 636 630 982 612 974 787 659 638 592 612 541 634 612 589 592 636 602 635 "
    "634 602 660 837 637 "
)
_BOLD_ADVANCES = (
    "348 456 521 838 696 1002 872 306 457 457 523 838 380 415 380 365 696 696 696 696 696 696 696 696 696 696 400 "
    "400 838 838 838 580 1000 774 762 734 830 683 683 821 837 372 372 775 637 995 837 850 733 850 770 720 682 812 "
    "774 1103 771 724 725 457 365 457 838 500 500 675 716 593 716 678 435 716 712 343 343 665 343 1042 712 687 "
    "716 716 493 595 478 712 652 924 645 652 582 712 365 712 838 380 838 500 1000 838 657 657 380 380 1000 838 "
    "838 838 838 838 838 1035 500 838 438 438 736 719 1048 687 1085 850 687 716 681 687 557 712 687 710 633 736 "
    "791 716 779 638 782 869 667 "
)
"""Advance widths of the font's regular and bold faces, in thousandths of the size."""


@cache
def _advances(bold: bool) -> dict[str, int]:
    numbers = (_BOLD_ADVANCES if bold else _ADVANCES).split()
    return {character: int(number) for character, number in zip(_CHARACTERS, numbers, strict=True)}


@cache
def _advance(character: str, bold: bool) -> int:
    known = _advances(bold)
    if character in known:
        return known[character]
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 1000
    base = unicodedata.normalize("NFD", character)[0]
    return known.get(base, 770 if bold else 700)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text in pixels: the sum of its letters' advances; those that the table lacks count as wide."""
    # In whole numbers, since newer Pythons add floats otherwise than older ones do.
    return size * sum(_advance(character, bold) for character in text) / 1000


def shortened(text: str, width: float, size: float, bold: bool = False) -> str:
    """The text, or as much of both its ends as fits a width, with an ellipsis between."""
    if text_width(text, size, bold) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        short = text[:head].rstrip() + "…" + text[len(text) - kept + head :].lstrip()
        if text_width(short, size, bold) <= width:
            return short
    return "…"

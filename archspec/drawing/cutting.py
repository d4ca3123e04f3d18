"""A picture that is cut at some heights: what lies in each piece, and which lines go from one to another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from archspec.drawing.layout import SHAPE_SIZE, Box, Direction, Link, Outline, Picture, shape_place
from archspec.drawing.ranks import Corner
from archspec.drawing.scene import ASCENT, DESCENT, Bounds, stretch, text_width

_BETWEEN = 4.0

Line = tuple[Corner, Corner]


@dataclass
class Crossing:
    """A line from a column to a later one: its corners in both, and where it leaves the one and enters the other."""

    first: int
    last: int
    before: list[Corner]
    after: list[Corner]
    leaves: float
    enters: float

    @property
    def bare(self) -> range:
        """The columns under which it goes."""
        return range(self.first, self.last)


class Cut:
    """A picture that goes down, and the heights at which it is cut into columns.

    `titles` says how it is drawn in the end: down, or turned to the right, where titles lie along the way. `limits` are
    the heights of each column, `crossings` the lines between them by the number of their link, `lines` those in each
    column with their tensors, and `texts` what shapes beside lines cover.
    """

    def __init__(self, picture: Picture, cuts: Sequence[float], titles: Direction) -> None:
        self.picture, self.cuts, self.titles = picture, cuts, titles
        self.limits = [(-1.0, cuts[0]), *pairwise(cuts), (cuts[-1], picture.height + 1)]
        boxes = {box.path for box in picture.boxes}
        self.texts = [_shape(link, titles) for link in picture.links if link.source in boxes and link.port == "value"]
        self.crossings: dict[int, Crossing] = {}
        self.lines = self._lines()

    def column(self, y: float) -> int:
        """The column that a height is in."""
        return bisect_right(self.cuts, y)

    def reached(self, item: Box | Outline) -> range:
        """The columns that a box or an outline is in."""
        low, high = ends(item)
        return range(self.column(low), self.column(high) + 1)

    def _lines(self) -> list[list[tuple[str, Line]]]:
        """The lines in each column with their tensors; what goes on in another column is found on the way."""
        lines: list[list[tuple[str, Line]]] = [[] for _ in self.limits]
        open_ends: list[int] = []
        for number, link in enumerate(self.picture.links):
            first, last = self.column(link.points[0][1]), self.column(link.points[-1][1])
            if first == last:
                lines[first] += [(link.tensor, part) for part in pairwise(link.points)]
                continue
            left, entered = self.cuts[first], self.cuts[last - 1]
            crossing = self.crossings[number] = Crossing(
                first,
                last,
                [(x, y) for x, y in link.points if y < left],
                [(x, y) for x, y in link.points if y > entered],
                x_at(link.points, left),
                x_at(link.points[::-1], entered),
            )
            lines[first] += [(link.tensor, part) for part in pairwise([*crossing.before, (crossing.leaves, left)])]
            lines[last] += [(link.tensor, part) for part in pairwise([(crossing.enters, entered), *crossing.after])]
            open_ends.append(number)
        for number in open_ends:
            self._straighten(number, lines)
        return lines

    def _straighten(self, number: int, lines: list[list[tuple[str, Line]]]) -> None:
        """What would go across to above its target, which is elsewhere now, goes straight down instead if it can."""
        crossing, tensor = self.crossings[number], self.picture.links[number].tensor
        left = self.cuts[crossing.first]
        if len(crossing.before) < 3 or crossing.before[-1][1] != crossing.before[-2][1]:
            return
        x, corner = crossing.before[-2]
        boxes = (box for box in self.picture.boxes if corner < box.y + box.height / 2 and box.y - box.height / 2 < left)
        if any(abs(x - box.x) < box.width / 2 + 8 for box in boxes):
            return
        way = Bounds(x, corner, x, left)
        if any(text.meets(way, 1) for text in self.texts) or any(
            other != tensor and line[0][0] == line[1][0] and stretch(*line).meets(way, _BETWEEN)
            for other, line in lines[crossing.first]
        ):
            return
        crossing.before.pop()
        crossing.leaves = x
        lines[crossing.first].append((tensor, ((x, corner), (x, left))))


def ends(item: Box | Outline) -> tuple[float, float]:
    """The heights of its upper and its lower side."""
    return item.y - item.height / 2, item.y + item.height / 2


def holds(outline: Outline, other: Outline) -> bool:
    """Whether an open block is around another one."""
    return outline.level < other.level and (
        abs(outline.x - other.x) < outline.width / 2 and abs(outline.y - other.y) < outline.height / 2
    )


def _shape(link: Link, titles: Direction) -> Bounds:
    """What the shape beside a link covers."""
    (x, y), width = link.points[0], text_width(link.shape, SHAPE_SIZE)
    if titles == "down":
        left, base = shape_place(x, y, titles)
        return Bounds(left, base - ASCENT * SHAPE_SIZE, left + width, base + DESCENT * SHAPE_SIZE)
    top, base = shape_place(y, x, titles)
    return Bounds(base - ASCENT * SHAPE_SIZE, top, base + DESCENT * SHAPE_SIZE, top + width)


def x_at(points: Sequence[Corner], y: float) -> float:
    """The x of the first stretch of a line that goes through a height."""
    return next(x0 for (x0, y0), (_, y1) in pairwise(points) if min(y0, y1) <= y <= max(y0, y1) and y0 != y1)

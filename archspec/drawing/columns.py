"""The columns of a long drawing side by side, and lines from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from archspec.drawing.continuing import Parts
from archspec.drawing.cutting import Cut, ends, x_at
from archspec.drawing.layout import Box, Direction, Link, Outline, Picture
from archspec.drawing.ranks import Corner

_STEP = 12.0
_GUTTER = 36.0
_BELOW, _BELOW_OUTLINE = 4.0, 8.0
_ASIDE = 14.0


def in_columns(picture: Picture, cuts: Sequence[float], titles: Direction) -> Picture:
    """A picture that goes down cut at these heights, its pieces side by side.

    An outline that is cut open has a part in each column that it reaches, with its title in each. `titles` says how it
    is drawn in the end: down, or turned to the right, where titles lie along the way.
    """
    columns = _Columns(Cut(picture, cuts, titles))
    boxes = tuple(columns.box(item) for item in picture.boxes)
    outlines = tuple(part for item in picture.outlines for part in columns.parts(item))
    links = tuple(columns.link(number) for number in range(len(picture.links)))
    return Picture(columns.width, columns.height, boxes, outlines, links, "down")


class _Columns:
    """Where a picture's pieces go: how wide each is, and what goes on from one to the next."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        parts = Parts(cut)
        self.known, self.leads, self.tails = parts.known, parts.leads, parts.tails
        order = sorted(self.cut.crossings, key=self._order)
        self.above = self._above(order)
        lows, highs = self._extents()
        self.gutters: list[float] = []
        """Of each column where the first line goes up beside it."""
        self.offsets: list[float] = []
        self.width = 0.0
        for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
            self.width += (_GUTTER + _STEP * max(0, len(self.above[index]) - 1)) if index else 0.0
            self.gutters.append(self.width - _GUTTER / 2)
            self.offsets.append(self.width - low)
            self.width += high - low
        self.top = max(_STEP * len(lanes) + 6.0 if lanes else 0.0 for lanes in self.above)
        self.ends = [
            self.top + lead + min(high, cut.picture.height) - max(low, 0.0) + tail
            for (low, high), lead, tail in zip(self.cut.limits, self.leads, self.tails, strict=True)
        ]
        self.under = self._under(order)
        self.height = max([*self.ends, *(y + _STEP for y in self.under.values())])

    def moved(self, x: float, y: float, index: int) -> Corner:
        """Where a place of a column goes."""
        return x + self.offsets[index], y - max(self.cut.limits[index][0], 0.0) + self.top + self.leads[index]

    def box(self, box: Box) -> Box:
        """A box in its column."""
        x, y = self.moved(box.x, box.y, self.cut.column(box.y))
        return replace(box, x=x, y=y)

    def parts(self, outline: Outline) -> Iterator[Outline]:
        """An outline, or its part in each column that it reaches."""
        low, high = ends(outline)
        if len(self.cut.reached(outline)) == 1:
            left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
            x, y = self.moved((left + right) / 2, (low + high) / 2, self.cut.column(low))
            yield replace(outline, x=x, y=y, width=right - left, height=high - low)
            return
        for index in self.cut.reached(outline):
            part = self.known[outline.path, index]
            x, y = self.moved((part.left + part.right) / 2, (part.low + part.high) / 2, index)
            width, height = part.right - part.left, part.high - part.low
            yield replace(outline, x=x, y=y, width=width, height=height, heading=part.heading, continued=part.continued)

    def link(self, number: int) -> Link:
        """A line in its column, or from one to another: under the columns that it passes, up the gutter, and down."""
        link = self.cut.picture.links[number]
        crossing = self.cut.crossings.get(number)
        if crossing is None:
            index = self.cut.column(link.points[0][1])
            return replace(link, points=tuple(self.moved(x, y, index) for x, y in link.points))
        first, last = crossing.first, crossing.last
        entering = _STEP * self.above[last][link.tensor]
        x_left, x_entered = crossing.leaves + self.offsets[first], crossing.enters + self.offsets[last]
        x_up, y_over, y_under = self.gutters[last] - entering, self.top - 6 - entering, self.under[number]
        return replace(
            link,
            points=(
                *(self.moved(x, y, first) for x, y in crossing.before),
                *((x_left, y_under), (x_up, y_under), (x_up, y_over), (x_entered, y_over)),
                *(self.moved(x, y, last) for x, y in crossing.after),
            ),
        )

    def _order(self, number: int) -> tuple[float, float]:
        """Short ways are inside, and of these those that leave on the right."""
        crossing, link = self.cut.crossings[number], self.cut.picture.links[number]
        return crossing.last - crossing.first, -x_at(link.points, self.cut.cuts[crossing.first])

    def _above(self, order: Iterable[int]) -> list[dict[str, int]]:
        """Of each column the tensors that enter it above, with the number of each one's line."""
        above: list[dict[str, int]] = [{} for _ in self.cut.limits]
        for number in order:
            lanes = above[self.cut.crossings[number].last]
            lanes.setdefault(self.cut.picture.links[number].tensor, len(lanes))
        return above

    def _extents(self) -> tuple[list[float], list[float]]:
        """The least and the greatest x of what each column holds."""
        lows, highs = [1e9] * len(self.cut.limits), [-1e9] * len(self.cut.limits)

        def hold(index: int, low: float, high: float) -> None:
            lows[index], highs[index] = min(lows[index], low), max(highs[index], high)

        for item in self.cut.picture.items:
            for index in range(
                self.cut.column(item.y - item.height / 2), self.cut.column(item.y + item.height / 2) + 1
            ):
                hold(index, item.x - item.width / 2, item.x + item.width / 2)
        for (_, index), part in self.known.items():
            hold(index, part.left, part.right)
        for link in self.cut.picture.links:
            ends = {self.cut.column(link.points[0][1]), self.cut.column(link.points[-1][1])}
            for (x0, y0), (x1, y1) in pairwise(link.points):
                for index in {self.cut.column(min(y0, y1)), self.cut.column(max(y0, y1))} & ends:
                    hold(index, min(x0, x1) - 4, max(x0, x1) + 4)
        for text in self.cut.texts:
            # What sticks out a little meets no line beside the column.
            hold(self.cut.column(text.top), text.left + _ASIDE, text.right - _ASIDE)
        return lows, highs

    def _under(self, order: Iterable[int]) -> dict[int, float]:
        """Of each line between columns the height at which it goes under those that it passes.

        Lines of one tensor share a height where they can; lines of different ones are apart.
        """
        found: dict[int, float] = {}
        taken: list[tuple[float, float, float, str]] = []
        open_below = {index for path, index in self.known if (path, index + 1) in self.known}
        for number in order:
            crossing, tensor = self.cut.crossings[number], self.cut.picture.links[number].tensor
            gap = _BELOW_OUTLINE if open_below.intersection(crossing.bare) else _BELOW
            least = max(self.ends[index] for index in crossing.bare) + gap
            left = crossing.leaves + self.offsets[crossing.first]
            right = self.gutters[crossing.last] - _STEP * self.above[crossing.last][tensor]
            others = [y for y, low, high, other in taken if other != tensor and low < right + 1 and left - 1 < high]
            shared = sorted({y for y, _, _, other in taken if other == tensor and y >= least})
            y = next((y for y in shared if all(abs(y - other) > _STEP - 1 for other in others)), least)
            while near := [other for other in others if abs(other - y) < _STEP - 1]:
                y = max(near) + _STEP
            found[number] = y
            taken.append((y, left, right, tensor))
        return found

"""Long drawings in columns: cut where little is cut through, and joined by lines between the columns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log

from archspec.drawing.layout import MARGIN, SHAPE_SIZE, TITLE_BESIDE, TITLE_SIZE, Box, Link, Outline, Picture, turned
from archspec.drawing.routing import Corner
from archspec.drawing.scene import text_width

_STEP = 12.0
_GUTTER = 36.0
_ABOVE = 7.0
_LONG, _LONG_RIGHT = 900.0, 1700.0
_SHAPE, _SHAPE_RIGHT = 1.4, 1.8
_MAX_COLUMNS = 12
_MAX_CUT = 8
_COST = 70.0


def wrapped(picture: Picture) -> Picture:
    """The picture in columns, or rows where it goes to the right, so that it is somewhat wider than high.

    A picture that is short already, or has nowhere to be cut, stays as it is.
    """
    if picture.direction == "right":
        return turned(_wrapped(turned(picture), 1 / _SHAPE_RIGHT, _LONG_RIGHT), "right")
    return _wrapped(picture, _SHAPE, _LONG)


def _wrapped(picture: Picture, shape: float, long: float) -> Picture:
    if picture.height < long or any(link.points[-1][1] < link.points[0][1] - 1 for link in picture.links):
        return picture
    cuts = _candidates(picture)
    best, nearest = _misfit(picture.width, picture.height, shape), picture
    for columns in range(2, min(_MAX_COLUMNS, len(cuts) + 1) + 1):
        chosen = _chosen(cuts, columns, picture.height)
        if chosen is None:
            break
        tried = _in_columns(picture, chosen)
        misfit = _misfit(tried.width, tried.height, shape)
        if misfit < best:
            best, nearest = misfit, tried
        elif tried.width > shape * tried.height:
            break
    return nearest


def _misfit(width: float, height: float, shape: float) -> float:
    return abs(log(width / height / shape))


def _candidates(picture: Picture) -> list[tuple[float, float]]:
    """Heights at which no box is cut, and what it costs to cut there: outlines cut open, lines more than one."""
    tops = sorted({item.y - item.height / 2 - _ABOVE for item in picture.items} - {-_ABOVE})
    boxes = [(box.y - box.height / 2 - 3, box.y + box.height / 2 + 3) for box in picture.boxes]
    edges = sorted(
        edge
        for outline in picture.outlines
        for edge in (outline.y - outline.height / 2, outline.y + outline.height / 2)
    )
    cuts = []
    for y in tops:
        near = bisect_left(edges, y - 4)
        if y <= 0 or (near < len(edges) and edges[near] < y + 4) or any(low < y < high for low, high in boxes):
            continue
        crossing = {link.tensor for link in picture.links if link.points[0][1] < y < link.points[-1][1]}
        if not crossing or len(crossing) > _MAX_CUT:
            continue
        opened = sum(abs(outline.y - y) < outline.height / 2 for outline in picture.outlines)
        cuts.append((y, 5.0 * opened + 1.5 * (len(crossing) - 1)))
    return cuts


def _chosen(cuts: Sequence[tuple[float, float]], columns: int, height: float) -> list[float] | None:
    """The cuts that make columns of nearly one length at little cost."""
    ideal = height / columns
    ends = [(0.0, 0.0), *cuts, (height, 0.0)]
    # best[i]: the cost up to the i-th end with so many columns, and the end before.
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, -1)}]
    for _ in range(columns):
        row: dict[int, tuple[float, int]] = {}
        for index in range(1, len(ends)):
            y, cost = ends[index]
            options = [
                (known + cost * _COST + abs(y - ends[before][0] - ideal) ** 1.5 / ideal**0.5 * 2, before)
                for before, (known, _) in best[-1].items()
                if before < index
            ]
            if options:
                row[index] = min(options)
        best.append(row)
    if len(ends) - 1 not in best[-1]:
        return None
    chosen = []
    index = len(ends) - 1
    for row in reversed(best[1:]):
        chosen.append(ends[index][0])
        index = row[index][1]
    return chosen[::-1][:-1]


def _in_columns(picture: Picture, cuts: Sequence[float]) -> Picture:
    """The picture cut at these heights, its pieces side by side."""
    columns = _Columns(picture, cuts)
    boxes = tuple(columns.box(item) for item in picture.boxes)
    outlines = tuple(part for item in picture.outlines for part in columns.outline(item))
    links = tuple(columns.link(item) for item in picture.links)
    return Picture(columns.width, columns.height, boxes, outlines, links, "down")


class _Columns:
    """Where a picture's pieces go: how wide each is, and what goes on from one to the next."""

    def __init__(self, picture: Picture, cuts: Sequence[float]) -> None:
        self.picture = picture
        self.cuts = cuts
        self.limits = [(-1.0, cuts[0]), *pairwise(cuts), (cuts[-1], picture.height + 1)]
        self.lengths = [min(high, picture.height) - max(low, 0.0) for low, high in self.limits]
        self.below, self.above = self._lanes()
        """Of each column the tensors that leave it below and enter it above, with the number of each one's line."""
        self.lows, highs = self._extents()
        self.offsets: list[float] = []
        self.width = 0.0
        for index, (low, high) in enumerate(zip(self.lows, highs, strict=True)):
            self.width += (_GUTTER + _STEP * max(0, len(self.above[index]) - 1)) if index else 0.0
            self.offsets.append(self.width - low)
            self.width += high - low
        self.top = max(_STEP * len(lanes) + 6.0 if lanes else 0.0 for lanes in self.above)
        self.height = max(
            self.top + length + (_STEP * len(lanes) + 4 if lanes else 0)
            for length, lanes in zip(self.lengths, self.below, strict=True)
        )

    def column(self, y: float) -> int:
        """The column that a height is in."""
        return bisect_right(self.cuts, y)

    def ends(self, link: Link) -> tuple[int, int]:
        """The columns in which a line begins and ends."""
        return self.column(link.points[0][1]), self.column(link.points[-1][1])

    def moved(self, x: float, y: float, index: int) -> Corner:
        """Where a place of a column goes."""
        return x + self.offsets[index], y - max(self.limits[index][0], 0.0) + self.top

    def _lanes(self) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
        """Room for the lines between columns, shared by the lines of one tensor; short ways are inside."""
        below: list[dict[str, int]] = [{} for _ in self.limits]
        above: list[dict[str, int]] = [{} for _ in self.limits]
        crossing = [(link, *self.ends(link)) for link in self.picture.links]
        crossing = [(link, first, last) for link, first, last in crossing if first != last]
        crossing.sort(key=lambda item: (item[2] - item[1], -_x_at(item[0], self.cuts[item[1]])))
        for link, first, last in crossing:
            for index in range(first, last):
                below[index].setdefault(link.tensor, len(below[index]))
            above[last].setdefault(link.tensor, len(above[last]))
        return below, above

    def _extents(self) -> tuple[list[float], list[float]]:
        """The least and the greatest x of what each column holds."""
        lows, highs = [1e9] * len(self.limits), [-1e9] * len(self.limits)

        def hold(index: int, low: float, high: float) -> None:
            lows[index], highs[index] = min(lows[index], low), max(highs[index], high)

        for item in self.picture.items:
            for index in range(self.column(item.y - item.height / 2), self.column(item.y + item.height / 2) + 1):
                hold(index, item.x - item.width / 2, item.x + item.width / 2)
        for link in self.picture.links:
            for (x0, y0), (x1, y1) in pairwise(link.points):
                for index in {self.column(min(y0, y1)), self.column(max(y0, y1))} & set(self.ends(link)):
                    hold(index, min(x0, x1) - 4, max(x0, x1) + 4)
        return lows, highs

    def box(self, box: Box) -> Box:
        """A box in its column."""
        x, y = self.moved(box.x, box.y, self.column(box.y))
        return replace(box, x=x, y=y)

    def outline(self, outline: Outline) -> Iterator[Outline]:
        """An outline's part in each column that it reaches; the first has its heading."""
        low, high = outline.y - outline.height / 2, outline.y + outline.height / 2
        for index in range(self.column(low), self.column(high) + 1):
            begin, end = max(low, self.limits[index][0]), min(high, self.limits[index][1])
            heading = outline.heading if begin == low else ""
            left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
            if end - begin < high - low:
                left, right = self._about(outline, index, left, right)
            x, y = self.moved((left + right) / 2, (begin + end) / 2, index)
            yield replace(outline, x=x, y=y, width=right - left, height=end - begin, heading=heading)

    def _about(self, outline: Outline, index: int, left: float, right: float) -> tuple[float, float]:
        """The sides of an outline's part about what it holds in a column."""
        low = max(outline.y - outline.height / 2, self.limits[index][0])
        high = min(outline.y + outline.height / 2, self.limits[index][1])
        inner = [
            item for item in self.picture.items
            if low < item.y + item.height / 2 and item.y - item.height / 2 < high and left < item.x < right
            and item is not outline and not (isinstance(item, Outline) and item.level <= outline.level)
        ]  # fmt: skip
        if not inner:
            return left, right
        links = self.picture.links
        lines = [x for link in links for x, y in link.points if low < y < high and left < x < right]
        lines += [
            link.points[0][0] + text_width(link.shape, SHAPE_SIZE)
            for link in links
            if low < link.points[0][1] < high and left < link.points[0][0] < right
        ]
        least = min([*(item.x - item.width / 2 for item in inner), *lines]) - MARGIN
        most = max([*(item.x + item.width / 2 for item in inner), *lines]) + MARGIN
        if index == self.column(outline.y - outline.height / 2):
            # The title has room beside what enters.
            room = text_width(outline.heading, TITLE_SIZE, True) + TITLE_BESIDE
            entering = [link.points[-1][0] for link in links if link.target == outline.path]
            if entering and room > max(min(entering) - least, most - max(entering)):
                least = min(entering) - room
        return max(left, least), min(right, most)

    def link(self, link: Link) -> Link:
        """A line in its column, or from one to another."""
        first, last = self.ends(link)
        if first == last:
            return replace(link, points=tuple(self.moved(x, y, first) for x, y in link.points))
        left, entered = self.cuts[first], self.cuts[last - 1]
        before = self._until(link, first, left)
        after = [self.moved(x, y, last) for x, y in link.points if y > entered]
        # Under the columns that it passes, up the gutter, and down into its column; each tensor at a place of its own.
        lowest = max(self.lengths[first:last]) + self.top
        lane = max(self.below[index][link.tensor] for index in range(first, last))
        y_left = self.moved(_x_at(link, left), left, first)[1]
        y_under = (y_left if last - first == 1 else lowest) + 4 + _STEP * lane
        entering = _STEP * self.above[last][link.tensor]
        x_up, y_over = self.offsets[last] + self.lows[last] - _GUTTER / 2 - entering, self.top - 6 - entering
        x_entered = self.moved(_x_at(link, entered), entered, last)[0]
        between = [(before[-1][0], y_under), (x_up, y_under), (x_up, y_over), (x_entered, y_over)]
        return replace(link, points=(*before, *between, *after))

    def _until(self, link: Link, first: int, left: float) -> list[Corner]:
        """The corners of a line in the column that it leaves at a height."""
        points = [self.moved(x, y, first) for x, y in link.points if y < left]
        across = len(points) > 2 and points[-1][1] == points[-2][1]
        if across and self._clear(points[-2][0] - self.offsets[first], link, left):
            # What would go across to above its target, which is elsewhere now, goes straight down instead.
            points.pop()
        return points

    def _clear(self, x: float, link: Link, y: float) -> bool:
        """Whether a line can go down to a height from the last corner before it."""
        corner = max(at for _, at in link.points if at < y)
        return not any(
            corner < box.y + box.height / 2 and box.y - box.height / 2 < y and abs(x - box.x) < box.width / 2 + 8
            for box in self.picture.boxes
        )


def _x_at(link: Link, y: float) -> float:
    """The x where a line goes through a height."""
    return next(x0 for (x0, y0), (_, y1) in pairwise(link.points) if min(y0, y1) <= y <= max(y0, y1) and y0 != y1)

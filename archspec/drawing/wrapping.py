"""Long drawings in columns: cut where little is cut through, and joined by lines between the columns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log

from archspec.drawing.layout import MARGIN, SHAPE_SIZE, TITLE_BESIDE, TITLE_SIZE, Link, Outline, Picture, turned
from archspec.drawing.scene import text_width

Point = tuple[float, float]

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
    limits = [(-1.0, cuts[0]), *pairwise(cuts), (cuts[-1], picture.height + 1)]

    def column(y: float) -> int:
        return bisect_right(cuts, y)

    def cut_at(link: Link, y: float) -> float:
        """The x where a line goes through a height."""
        return next(x0 for (x0, y0), (_, y1) in pairwise(link.points) if min(y0, y1) <= y <= max(y0, y1) and y0 != y1)

    def clear(x: float, link: Link, y: float) -> bool:
        """Whether a line can go down to a height from the last corner before it."""
        corner = max(at for _, at in link.points if at < y)
        return not any(
            corner < box.y + box.height / 2 and box.y - box.height / 2 < y and abs(x - box.x) < box.width / 2 + 8
            for box in picture.boxes
        )

    # What each column holds in x, and the lines between columns.
    lows, highs = [1e9] * len(limits), [-1e9] * len(limits)

    def hold(index: int, low: float, high: float) -> None:
        lows[index], highs[index] = min(lows[index], low), max(highs[index], high)

    for item in picture.items:
        for index in range(column(item.y - item.height / 2), column(item.y + item.height / 2) + 1):
            hold(index, item.x - item.width / 2, item.x + item.width / 2)
    parts: list[tuple[Link, int, int]] = []
    for link in picture.links:
        first, last = column(link.points[0][1]), column(link.points[-1][1])
        parts.append((link, first, last))
        for (x0, y0), (x1, y1) in pairwise(link.points):
            for index in {column(min(y0, y1)), column(max(y0, y1))} & {first, last}:
                hold(index, min(x0, x1) - 4, max(x0, x1) + 4)
    # Room for the shapes beside lines.
    crossing = [(link, first, last) for link, first, last in parts if first != last]
    below: list[dict[str, int]] = [{} for _ in limits]
    above: list[dict[str, int]] = [{} for _ in limits]
    for link, first, last in sorted(crossing, key=lambda part: (part[2] - part[1], -cut_at(part[0], cuts[part[1]]))):
        for index in range(first, last):
            below[index].setdefault(link.tensor, len(below[index]))
        above[last].setdefault(link.tensor, len(above[last]))
    offsets, tops = [], []
    x = 0.0
    for index in range(len(limits)):
        lanes = len(above[index])
        x += (_GUTTER + _STEP * max(0, lanes - 1)) if index else 0.0
        offsets.append(x - lows[index])
        tops.append(_STEP * lanes + 6.0 if lanes else 0.0)
        x += highs[index] - lows[index]
    width = x
    top = max(tops)
    lengths = [min(high, picture.height) - max(low, 0.0) for low, high in limits]
    height = max(top + length + (_STEP * len(below[i]) + 4 if below[i] else 0) for i, length in enumerate(lengths))

    def moved(at_x: float, at_y: float, index: int) -> Point:
        return at_x + offsets[index], at_y - max(limits[index][0], 0.0) + top

    def holds(outline: Outline, index: int, left: float, right: float) -> tuple[float, float]:
        """The sides of an outline's part about what it holds in a column."""
        low, high = (
            max(outline.y - outline.height / 2, limits[index][0]),
            min(outline.y + outline.height / 2, limits[index][1]),
        )
        inner = [
            item for item in picture.items
            if low < item.y + item.height / 2 and item.y - item.height / 2 < high and left < item.x < right
            and item is not outline and not (isinstance(item, Outline) and item.level <= outline.level)
        ]  # fmt: skip
        lines = [x for link in picture.links for x, y in link.points if low < y < high and left < x < right]
        lines += [
            link.points[0][0] + text_width(link.shape, SHAPE_SIZE)
            for link in picture.links
            if low < link.points[0][1] < high and left < link.points[0][0] < right
        ]
        if not inner:
            return left, right
        least = min([*(item.x - item.width / 2 for item in inner), *lines]) - MARGIN
        most = max([*(item.x + item.width / 2 for item in inner), *lines]) + MARGIN
        if index == column(outline.y - outline.height / 2):
            # The title has room beside what enters.
            room = text_width(outline.heading, TITLE_SIZE, True) + TITLE_BESIDE
            ends = [link.points[-1][0] for link in picture.links if link.target == outline.path]
            if ends and room > max(min(ends) - least, most - max(ends)):
                least = min(ends) - room
        return max(left, least), min(right, most)

    boxes = []
    for box in picture.boxes:
        at_x, at_y = moved(box.x, box.y, column(box.y))
        boxes.append(replace(box, x=at_x, y=at_y))
    outlines: list[Outline] = []
    for outline in picture.outlines:
        low, high = outline.y - outline.height / 2, outline.y + outline.height / 2
        for index in range(column(low), column(high) + 1):
            begin, end = max(low, limits[index][0]), min(high, limits[index][1])
            heading = outline.heading if begin == low else ""
            left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
            if end - begin < high - low:
                left, right = holds(outline, index, left, right)
            at_x, at_y = moved((left + right) / 2, (begin + end) / 2, index)
            part = replace(outline, x=at_x, y=at_y, width=right - left, height=end - begin, heading=heading)
            outlines.append(part)
    links = []
    for link, first, last in parts:
        if first == last:
            links.append(replace(link, points=tuple(moved(x, y, first) for x, y in link.points)))
            continue
        left, entered = cuts[first], cuts[last - 1]
        x_left, x_entered = cut_at(link, left), cut_at(link, entered)
        points = [moved(x, y, first) for x, y in link.points if y < left]
        if len(points) > 2 and points[-1][1] == points[-2][1] and clear(points[-2][0] - offsets[first], link, left):
            # What would go across to above its target, which is elsewhere now, goes straight down instead.
            points.pop()
        x0, y0 = points[-1][0], moved(x_left, left, first)[1]
        # Under the columns that it passes, up the gutter, and down into its column; each tensor at a place of its own.
        lowest = max(lengths[index] for index in range(first, last)) + top
        lane = max(below[index][link.tensor] for index in range(first, last))
        y_under = (y0 if last - first == 1 else lowest) + 4 + _STEP * lane
        x_up = offsets[last] + lows[last] - _GUTTER / 2 - _STEP * above[last][link.tensor]
        y_over = top - 6 - _STEP * above[last][link.tensor]
        x1, y1 = moved(x_entered, entered, last)
        points += [(x0, y_under), (x_up, y_under), (x_up, y_over), (x1, y_over)]
        rest = [moved(x, y, last) for x, y in link.points if y > entered]
        links.append(replace(link, points=(*points, *rest)))
    return Picture(width, height, tuple(boxes), tuple(outlines), tuple(links), "down")

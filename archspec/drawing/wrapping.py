"""Long drawings in columns: cut where little is cut through."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import inf, log

from archspec.drawing.columns import in_columns
from archspec.drawing.layout import Direction, Picture, turned

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
        return turned(_wrapped(turned(picture), 1 / _SHAPE_RIGHT, _LONG_RIGHT, "right"), "right")
    return _wrapped(picture, _SHAPE, _LONG, "down")


def _wrapped(picture: Picture, shape: float, long: float, titles: Direction) -> Picture:
    if picture.height < long or any(link.points[-1][1] < link.points[0][1] - 1 for link in picture.links):
        return picture
    cuts = _candidates(picture)
    best, nearest = _misfit(picture.width, picture.height, shape), picture
    for columns in range(2, min(_MAX_COLUMNS, len(cuts) + 1) + 1):
        chosen = _chosen(cuts, columns, picture.height)
        if chosen is None:
            break
        tried = in_columns(picture, chosen, titles)
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
    root = ideal**0.5
    ends = [(0.0, 0.0), *cuts, (height, 0.0)]
    # best[i]: the cost up to the i-th end with so many columns, and the end before.
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, -1)}]
    for _ in range(columns):
        row: dict[int, tuple[float, int]] = {}
        known = [(ends[before][0], so_far, before) for before, (so_far, _) in best[-1].items()]
        starts, numbers = [start for start, *_ in known], list(best[-1])
        least = min((so_far for _, so_far, _ in known), default=0.0)
        for index in range(1, len(ends)):
            y, cost = ends[index]
            past = bisect_left(numbers, index)
            middle = bisect_left(starts, y - ideal, hi=past)
            added = cost * _COST
            lowest, found = inf, -1
            # Away from the ideal start, down and up, only as far as the length alone leaves hope.
            for way in (range(middle, past), range(middle - 1, -1, -1)):
                for at in way:
                    start, so_far, before = known[at]
                    misfit = abs(y - start - ideal) ** 1.5 / root * 2
                    if least + added + misfit > lowest:
                        break
                    total = so_far + added + misfit
                    if total < lowest or (total == lowest and before < found):
                        lowest, found = total, before
            if found >= 0:
                row[index] = (lowest, found)
        best.append(row)
    if len(ends) - 1 not in best[-1]:
        return None
    chosen = []
    index = len(ends) - 1
    for row in reversed(best[1:]):
        chosen.append(ends[index][0])
        index = row[index][1]
    return chosen[::-1][:-1]

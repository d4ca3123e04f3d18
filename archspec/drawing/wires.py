"""Lines of the look of a graph, with rounded corners, and the shapes beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from archspec.drawing.layout import SHAPE_BESIDE, SHAPE_SIZE, Picture, shape_place
from archspec.drawing.palette import FAINT
from archspec.drawing.ranks import Corner
from archspec.drawing.scene import (
    ASCENT,
    Bounds,
    Curve,
    Path,
    Point,
    Shape,
    Style,
    Text,
    line,
    stretch,
    text_width,
    towards,
)

LINK = "#5f6b76"
"""Colour of links."""

DASH = (4.0, 3.0)
"""Dashes of what takes indices or a size only."""

_RADIUS = 7.0
_LEAST = 2.0
_NEAR = 0.05
_OUTSIDE = 14.0


def wires(picture: Picture) -> list[Shape]:
    """The lines of all links. Of a dashed line only what no other line of its tensor covers is drawn."""
    boxes = {box.path for box in picture.boxes}
    drawn: dict[str, list[Bounds]] = {}
    for link in picture.links:
        if link.port == "value":
            drawn.setdefault(link.tensor, []).extend(stretches(link.points))
    shapes: list[Shape] = []
    for link in picture.links:
        arrow = link.target in boxes
        if link.port == "value":
            shapes.append(_rounded(link.points, Style(None, LINK, 1.3), arrow))
            continue
        covered = drawn.setdefault(link.tensor, [])
        for points in _bare(link.points, covered):
            shapes.append(_rounded(points, Style(None, LINK, 1.3, DASH), arrow and points[-1] == link.points[-1]))
        covered += stretches(link.points)
    return shapes


def stretches(points: Sequence[Corner]) -> Iterator[Bounds]:
    """The straight parts of a line."""
    for start, end in pairwise(points):
        yield stretch(start, end)


def crossed(bounds: Bounds, lines: Sequence[Bounds]) -> bool:
    """Whether lines go through text, and not along its edge only."""
    return any(bounds.meets(part, -1) for part in lines)


def shapes_beside(picture: Picture, lines: Sequence[Bounds]) -> list[Shape]:
    """The shapes of what leaves boxes, on the right of its line: on the left where lines would go through it."""
    boxes = {box.path for box in picture.boxes}
    texts: dict[Corner, Text] = {}
    starts: dict[Corner, Corner] = {}
    for link in picture.links:
        if link.source in boxes and link.port == "value":
            at = shape_place(*link.points[0], picture.direction)
            texts[at], starts[at] = Text(*at, link.shape, SHAPE_SIZE, colour=FAINT), link.points[0]
    for at, text in list(texts.items()):
        if not crossed(text.box, lines):
            continue
        moves = {at: _other_side(*starts[at], text, picture)}
        # Where another one is in the way, that may step aside too.
        near = [key for key, known in texts.items() if key != at and known.box.meets(moves[at].box)]
        moves |= {key: _other_side(*starts[key], texts[key], picture) for key in near}
        after = {**texts, **moves}
        if not any(
            crossed(moved.box, lines) or any(key != to and moved.box.meets(known.box) for key, known in after.items())
            for to, moved in moves.items()
        ):
            texts = after
    return list(texts.values())


def _other_side(x: float, y: float, text: Text, picture: Picture) -> Text:
    if picture.direction == "right":
        return Text(text.x, y + 4 + ASCENT * SHAPE_SIZE, text.text, SHAPE_SIZE, colour=FAINT)
    left = x - SHAPE_BESIDE - text_width(text.text, SHAPE_SIZE)
    return Text(max(left, -_OUTSIDE), text.y, text.text, SHAPE_SIZE, colour=FAINT)


def _bare(points: Sequence[Corner], covered: Sequence[Bounds]) -> Iterator[list[Corner]]:
    """The parts of a line along the axes that do not lie on any of others."""
    current: list[Corner] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        upright = abs(x0 - x1) < _NEAR
        at, start, end = (x0, y0, y1) if upright else (y0, x0, x1)
        low, high = min(start, end), max(start, end)
        free = [(low, high)]
        for part in covered:
            same, first, last = (part.left, part.top, part.bottom) if upright else (part.top, part.left, part.right)
            across = part.right - part.left if upright else part.bottom - part.top
            if across < _NEAR and abs(same - at) < 0.5:
                free = [
                    piece
                    for a, b in free
                    for piece in ((a, min(b, first)), (max(a, last), b))
                    if piece[1] - piece[0] > _NEAR
                ]
        if low == high:
            continue
        for a, b in free if start < end else [(b, a) for a, b in reversed(free)]:
            one, two = ((x0, a), (x0, b)) if upright else ((a, y0), (b, y0))
            if current and abs(current[-1][0] - one[0]) + abs(current[-1][1] - one[1]) < _NEAR:
                current.append(two)
            else:
                yield from _long(current)
                current = [one, two]
    yield from _long(current)


def _long(points: list[Corner]) -> Iterator[list[Corner]]:
    if sum(abs(x0 - x1) + abs(y0 - y1) for (x0, y0), (x1, y1) in pairwise(points)) > _LEAST:
        yield points


def _rounded(points: Sequence[tuple[float, float]], style: Style, arrow: bool) -> Path:
    """A line along the axes with rounded corners."""
    corners = [Point(*points[0])]
    for x, y in points[1:]:
        if abs(x - corners[-1].x) + abs(y - corners[-1].y) < 0.05:
            continue
        if len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (abs(x0 - x1) < 0.05 and abs(x1 - x) < 0.05) or (abs(y0 - y1) < 0.05 and abs(y1 - y) < 0.05):
                corners.pop()
        corners.append(Point(x, y))
    curves: list[Curve] = []
    for index, corner in enumerate(corners[1:-1], 1):
        before, after = corners[index - 1], corners[index + 1]
        radius = min(_RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = towards(corner, before, radius), towards(corner, after, radius)
        curves += [
            line(start),
            Curve(towards(corner, before, radius * 0.45), towards(corner, after, radius * 0.45), end),
        ]
    curves.append(line(corners[-1]))
    return Path(corners[0], tuple(curves), style, arrow)


def _distance(a: Point, b: Point) -> float:
    return abs(a.x - b.x) + abs(a.y - b.y)

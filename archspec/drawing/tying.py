"""Lines from what uses another's arrays to the other, where both are in sight of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from archspec.drawing.layout import Box, Outline, Picture
from archspec.drawing.scene import Bounds, Point, stretch

MANY = 24
"""Lines that a picture has; of more, captions alone tell."""

_ASIDE = 7.0
_CLEAR = 4.0


def tied(picture: Picture, written: Sequence[Bounds]) -> list[list[Point]]:
    """Corners of the lines: straight from side to side, or around the left or right sides of boxes above each other.

    A line that would cross a box, run along a link or into what is `written` is left out.
    """
    pairs = [(item, other) for item in picture.items if (other := _other(picture, item))]
    if len(pairs) > MANY:
        return []
    found: list[list[Point]] = []
    joined: dict[str, list[Box | Outline]] = {}
    for one, other in pairs:
        # What is out of sight may be joined to another that uses the same arrays.
        for two in (other, *reversed(joined.get(other.path, []))):
            ways = _ways(one, two)
            free = (way for way in ways if _is_free(way, one, two, picture, written) and not _meets(way, found))
            if points := next(free, None):
                found.append(points)
                joined.setdefault(other.path, []).append(one)
                break
    return found


def _other(picture: Picture, item: Box | Outline) -> Box | Outline | None:
    """What is drawn of the layer or block whose arrays an item uses: itself, or the box that it is folded in."""
    if item.tie is None or not item.tie.whole or (isinstance(item, Outline) and item.continued):
        return None
    path = item.tie.path
    for other in picture.items:
        if other.path == path:
            return other
    inside = [box for box in picture.boxes if any(f"{layer}.".startswith(f"{path}.") for layer in box.layers)]
    return inside[0] if len(inside) == 1 and inside[0] is not item else None


def _bounds(item: Box | Outline) -> Bounds:
    return Bounds(item.x - item.width / 2, item.y - item.height / 2, item.x + item.width / 2, item.y + item.height / 2)


def _ways(one: Box | Outline, two: Box | Outline) -> Iterator[list[Point]]:
    a, b = sorted((_bounds(one), _bounds(two)))
    top, bottom = max(a.top, b.top), min(a.bottom, b.bottom)
    if bottom - top > 2 * _CLEAR and a.right < b.left:
        y = (top + bottom) / 2
        yield [Point(a.right, y), Point(b.left, y)]
    above, below = sorted((_bounds(one), _bounds(two)), key=lambda box: box.top)
    if above.bottom < below.top:
        ends = (above.top + above.bottom) / 2, (below.top + below.bottom) / 2
        for x, sides in (
            (min(a.left, b.left) - _ASIDE, (above.left, below.left)),
            (max(a.right, b.right) + _ASIDE, (above.right, below.right)),
        ):
            yield [Point(sides[0], ends[0]), Point(x, ends[0]), Point(x, ends[1]), Point(sides[1], ends[1])]


def _is_free(
    points: Sequence[Point], one: Box | Outline, two: Box | Outline, picture: Picture, written: Sequence[Bounds]
) -> bool:
    ends = [_bounds(one), _bounds(two)]
    items = [_bounds(item) for item in picture.items]
    around = [box for box in items if all(end.within(box) and end != box for end in ends)]
    if not all(box.left + 1 < point.x < box.right - 1 for box in around for point in points):
        return False
    obstacles = [box for box in items if box not in around and not any(box.within(end) for end in ends)]
    for first, last in pairwise(points):
        part = stretch(first, last)
        if any(part.meets(box, _CLEAR) for box in (*obstacles, *written)):
            return False
        for link in picture.links:
            for start, end in pairwise(link.points):
                along = (first.x == last.x) == (start[0] == end[0])
                if along and part.meets(stretch(start, end), _CLEAR):
                    return False
    return True


def _meets(points: Sequence[Point], others: Sequence[Sequence[Point]]) -> bool:
    """Whether a line would lie on another one."""
    for other in others:
        for first, last in pairwise(points):
            part = stretch(first, last)
            for start, end in pairwise(other):
                if (first.x == last.x) == (start.x == end.x) and part.meets(stretch(start, end), _CLEAR):
                    return True
    return False

"""Lines of the paper look from row to row: straight where nothing is in the way, else round boxes, lines and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from archspec.drawing.scene import Bounds, Path, Point, around, stretch
from archspec.drawing.skyline import Places
from archspec.drawing.volumes import Figure, Volume

_CLEAR = 4.0
"""Between a line that goes round something and that."""
_STUB = 9.0
"""The straight end of such a line, with its arrow."""
_NEAR = 3.5
"""Lines side by side that are closer than this read as one."""
_PORTS = 5.0
"""Between lines that meet one side of a volume."""
_BEND, _CROSS, _LABEL, _LINE, _BOX = 20.0, 25.0, 3e3, 1e6, 1e7
"""What a bend, a line crossed, a label, another tensor's line and a box cost, in pixels of a longer way."""
_MOST = 150
"""Heights, and places across, that a way may turn at: more would take long."""

Link = tuple[int, int]

_State = tuple[int, int, bool]
"""A place on the grid, by column and row, and whether the way came there level."""


class _Way(NamedTuple):
    """A line, or a stretch of one, and the number of the volume whose output it carries: None of a label's leader."""

    source: int | None
    points: Sequence[Point]


def crossings(figure: Figure, places: Places) -> dict[Link, list[Point]]:
    """The corners of the lines between rows, by source and target.

    They go down from the middle and into the left, or out to the right and up from below. Those that would run through
    boxes, over labels or along lines of other tensors go round these, where there is room.
    """
    boxes = {at: _box(placed) for at, placed in enumerate(figure.volumes)}
    labels = [text.box for text in places.labels if text.path not in _outputs(figure)]
    fixed = [*_level(figure), *_arcs(figure, places), *_leaders(places)]
    found: dict[Link, list[Point]] = {}
    waiting: list[Link] = []
    for one, two in figure.rows.crossings:
        points = _plain(figure.volumes[one], figure.volumes[two])
        around_it = [box for at, box in boxes.items() if at not in (one, two)]
        if _is_clear(_Way(one, points), around_it, labels, fixed):
            found[one, two] = points
            fixed.append(_Way(one, points))
        else:
            waiting.append((one, two))
    for one, two in waiting:
        points = _round(figure, (one, two), boxes, labels, fixed)
        found[one, two] = points
        fixed.append(_Way(one, points))
    return found


def _plain(source: Volume, target: Volume) -> list[Point]:
    if source.y < target.y:
        end = target.x - 4 if target.group.first.role == "output" else target.box.left - 2
        return [source.bottom, Point(source.middle, target.y), Point(end, target.y)]
    tip = Point(target.bottom.x, target.bottom.y + 1)
    return [Point(source.end, source.y), Point(tip.x, source.y), tip]


def _box(placed: Volume) -> Bounds:
    """Around a volume; of an output, which has none, around its label."""
    if placed.group.first.role != "output":
        return placed.box
    half = placed.label_height / 2
    return Bounds(placed.x, placed.y - half, placed.x + placed.label_width, placed.y + half)


def _outputs(figure: Figure) -> set[str]:
    return {placed.group.first.path for placed in figure.volumes if placed.group.first.role == "output"}


def _level(figure: Figure) -> Iterator[_Way]:
    """The arrows from neighbour to neighbour."""
    for two, one in figure.rows.before.items():
        if one in figure.groups[two].sources and not figure.volumes[two].attached:
            start, end = figure.volumes[one], _box(figure.volumes[two])
            yield _Way(one, [Point(start.end, start.y), Point(end.left, start.y)])


def _arcs(figure: Figure, places: Places) -> Iterator[_Way]:
    for (one, two), y in places.levels.items():
        start, end = figure.volumes[one].top, figure.volumes[two].top
        yield _Way(one, [start, Point(start.x, y), Point(end.x, y), end])


def _leaders(places: Places) -> Iterator[_Way]:
    for shape in places.leaders:
        if isinstance(shape, Path):
            yield _Way(None, [shape.start, *(curve.end for curve in shape.curves)])


def _is_clear(way: _Way, boxes: Sequence[Bounds], labels: Sequence[Bounds], lines: Sequence[_Way]) -> bool:
    """Whether a line meets no box and no label, and lies on no line of another tensor."""
    for start, end in pairwise(way.points):
        part = stretch(start, end)
        if any(part.meets(box, -0.5) for box in (*boxes, *labels)):
            return False
        for line in lines:
            if line.source is not None and line.source != way.source:
                for first, last in pairwise(line.points):
                    if _is_level(first, last) == _is_level(start, end) and part.meets(stretch(first, last), _NEAR):
                        return False
    return True


def _is_level(start: Point, end: Point) -> bool:
    return abs(start.y - end.y) < abs(start.x - end.x)


class _Barrier(NamedTuple):
    """What makes a way longer that goes through an area, level or upright."""

    area: Bounds
    level: float
    upright: float


def _barriers(
    figure: Figure, link: Link, boxes: dict[int, Bounds], labels: Sequence[Bounds], lines: Sequence[_Way]
) -> list[_Barrier]:
    found = [_Barrier(_wider(box, _CLEAR), _BOX, _BOX) for box in boxes.values()]
    found += [_Barrier(_wider(label, _CLEAR - 2), _LABEL, _LABEL) for label in labels]
    for line in lines:
        if line.source == link[0]:
            continue
        along = _LABEL if line.source is None else _LINE
        for start, end in pairwise(line.points):
            part = stretch(start, end)
            if _is_level(start, end):
                found.append(_Barrier(_wider(part, _NEAR), along, 0.0))
                found.append(_Barrier(part, 0.0, _CROSS))
            else:
                found.append(_Barrier(_wider(part, _NEAR), 0.0, along))
                found.append(_Barrier(part, _CROSS, 0.0))
    return found


def _wider(box: Bounds, by: float) -> Bounds:
    return Bounds(box.left - by, box.top - by, box.right + by, box.bottom + by)


def _leaving(placed: Volume) -> list[list[Point]]:
    """The beginnings of ways out of a volume: to the right, down and up."""
    box = placed.box
    return [
        [Point(placed.end, placed.y), Point(box.right + _CLEAR, placed.y)],
        [placed.bottom, Point(placed.middle, box.bottom + _CLEAR)],
        [placed.top, Point(placed.middle, box.top - _CLEAR)],
    ]


def _entering(placed: Volume) -> list[list[Point]]:
    """The ends of ways into a volume: from the left, above and below, in the middle of a side or beside that."""
    box = _box(placed)
    if placed.group.first.role == "output":
        left = [placed.y + by for by in (0.0, -_PORTS, _PORTS)]
        return [[Point(box.left - 4 - _STUB, y), Point(box.left - 4, y)] for y in left]
    # Beyond the middle there is room on what is large enough only.
    reach = min(_PORTS, placed.body / 2 - 1)
    found = []
    if placed.height > 4 * _PORTS or placed.group.first.role != "symbol":
        found.append([Point(box.left - 2 - _STUB, placed.y), Point(box.left - 2, placed.y)])
    for by in (0.0, -reach, reach) if reach > _NEAR else (0.0,):
        x = placed.middle + by
        sunk = 1.5 if by and placed.group.first.role == "symbol" else 0.0
        up, down = placed.top.y - 1 + sunk, placed.bottom.y + 1 - sunk
        found.append([Point(x, box.top - 1 - _STUB), Point(x, up)])
        found.append([Point(x, box.bottom + 1 + _STUB), Point(x, down)])
    return found


def _round(
    figure: Figure, link: Link, boxes: dict[int, Bounds], labels: Sequence[Bounds], lines: Sequence[_Way]
) -> list[Point]:
    """The shortest way with few bends that meets as little as can be."""
    source, target = figure.volumes[link[0]], figure.volumes[link[1]]
    starts, ends = _leaving(source), _entering(target)
    barriers = _barriers(figure, link, boxes, labels, lines)

    def worth(stub: Sequence[Point], own: int) -> float:
        """The cost of a way's first or last stretch, which may touch its own volume."""
        part, level = stretch(*stub), _is_level(*stub)
        mine = _wider(boxes[own], _CLEAR)
        costs = [
            barrier.level if level else barrier.upright
            for barrier in barriers
            if barrier.area != mine and part.meets(barrier.area)
        ]
        return sum(costs)

    page = around([barrier.area for barrier in barriers])
    xs = _places(
        [x for item in barriers for x in (item.area.left, item.area.right)] + [page.left - 8, page.right + 8],
        [stub[at].x for stubs, at in ((starts, 1), (ends, 0)) for stub in stubs],
    )
    ys = _places(
        [y for item in barriers for y in (item.area.top, item.area.bottom)] + [page.top - 8, page.bottom + 8],
        [stub[at].y for stubs, at in ((starts, 1), (ends, 0)) for stub in stubs],
    )
    level, upright = _costs(xs, ys, barriers)
    column, row = {x: at for at, x in enumerate(xs)}, {y: at for at, y in enumerate(ys)}

    best: dict[_State, float] = {}
    came: dict[_State, _State | int] = {}
    heap: list[tuple[float, _State]] = []

    def reach(state: _State, cost: float, by: _State | int) -> None:
        if cost < best.get(state, float("inf")):
            best[state], came[state] = cost, by
            heappush(heap, (cost, state))

    finish: dict[_State, list[tuple[float, int]]] = {}
    for number, stub in enumerate(starts):
        state = column[stub[1].x], row[stub[1].y], _is_level(*stub)
        reach(state, worth(stub, link[0]), number)
    for number, stub in enumerate(ends):
        spot = column[stub[0].x], row[stub[0].y]
        cost = worth(stub, link[1])
        finish.setdefault((*spot, _is_level(*stub)), []).append((cost, number))
        finish.setdefault((*spot, not _is_level(*stub)), []).append((cost + _BEND, number))
    least, last = float("inf"), (heap[0][1], 0)
    while heap and heap[0][0] < least:
        cost, state = heappop(heap)
        if cost > best[state]:
            continue
        for more, number in finish.get(state, ()):
            if cost + more < least:
                least, last = cost + more, (state, number)
        x, y, along = state
        turn_level, turn_upright = (0.0, _BEND) if along else (_BEND, 0.0)
        for to in (x - 1, x + 1):
            if 0 <= to < len(xs):
                reach((to, y, True), cost + turn_level + level[y][min(x, to)], state)
        for to in (y - 1, y + 1):
            if 0 <= to < len(ys):
                reach((x, to, False), cost + turn_upright + upright[x][min(y, to)], state)
    way: list[Point] = []
    step: _State | int = last[0]
    while not isinstance(step, int):
        way.append(Point(xs[step[0]], ys[step[1]]))
        step = came[step]
    return _corners([*starts[step], *reversed(way), *ends[last[1]]])


def _places(edges: Sequence[float], needed: Sequence[float]) -> list[float]:
    """Where a way may turn: at the edges, thinned out if they are many, and where ways begin and end."""
    step = 0.1
    while True:
        kept: list[float] = []
        for edge in sorted(edges):
            if not kept or edge - kept[-1] >= step:
                kept.append(edge)
        if len(kept) <= _MOST:
            return sorted({*kept, *needed})
        step *= 1.5


def _costs(
    xs: Sequence[float], ys: Sequence[float], barriers: Sequence[_Barrier]
) -> tuple[list[list[float]], list[list[float]]]:
    """What the stretches of a grid cost: level ones by row and column, upright ones by column and row."""
    level = [[right - left for left, right in pairwise(xs)] for _ in ys]
    upright = [[bottom - top for top, bottom in pairwise(ys)] for _ in xs]
    for (left, top, right, bottom), one, other in barriers:
        # A line is crossed once, whatever stretches meet there.
        for places, stretches, table, cost, low, high, near, far in (
            (ys, xs, level, one, top, bottom, left, right),
            (xs, ys, upright, other, left, right, top, bottom),
        ):
            if not cost:
                continue
            rows = [at for at, place in enumerate(places) if low < place < high or low == place == high]
            parts = [
                at
                for at, (start, end) in enumerate(pairwise(stretches))
                if (start < far and near < end) or (near == far and start < near <= end)
            ]
            for at in rows:
                for part in parts:
                    table[at][part] += cost
    return level, upright


def _corners(points: Sequence[Point]) -> list[Point]:
    """The points of a way at which it turns."""
    kept = [points[0]]
    for at, following in pairwise(points[1:]):
        if abs(at.x - kept[-1].x) + abs(at.y - kept[-1].y) < 0.01:
            continue
        straight_x = abs(kept[-1].x - at.x) < 0.01 and abs(at.x - following.x) < 0.01
        straight_y = abs(kept[-1].y - at.y) < 0.01 and abs(at.y - following.y) < 0.01
        if not (straight_x or straight_y):
            kept.append(at)
    return [*kept, points[-1]]

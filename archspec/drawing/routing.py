"""Places of the boxes of one frame, which Graphviz ranks and orders, and lines between them along the axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum
from typing import NamedTuple

Size = tuple[float, float]
Corner = tuple[float, float]

_BESIDE = 26.0
_STEP = 12.0
_CLEAR = 10.0
_APART = 8.0
_BEFORE, _AFTER = 16.0, 14.0
_BORDER = 4.0

MAX_PASSED = 5000
"""Ranks that all lines of a frame together may pass: more cannot be followed by eye, or placed in reasonable time."""

_MAX_PLACED = 2000
"""Ranks that they may pass for Graphviz to place them: its time grows faster than their square."""

PORT_STEP = 72.0
"""Distance of tensors that leave a box, so that their shapes can be read."""


class Lane(NamedTuple):
    """What a line connects: boxes by their numbers, None for the frame's border, and the number of its tensor."""

    source: int | None
    target: int | None
    tensor: int


class Ranks(NamedTuple):
    """Boxes in ranks from the top down: each one's x and rank, and for each lane the x where it passes ranks between.

    The upper border's rank is −1 and the lower border's that after the last.
    """

    x: list[float]
    rank: list[int]
    height: int
    passing: list[dict[int, float]]


def placed_by_dot(sizes: Sequence[Size], lanes: Sequence[Lane]) -> Ranks:
    """Ranks and order as Graphviz's dot has them. A plain chain needs no Graphviz."""
    chain = _chain(len(sizes), lanes)
    if chain:
        return chain
    import pygraphviz

    graph = pygraphviz.AGraph(directed=True, strict=False)
    graph.graph_attr.update(nodesep=_BESIDE / 72, ranksep=0.5, splines="true")
    graph.node_attr.update(shape="box", fixedsize="true", label="")
    graph.edge_attr.update(dir="none", label="")
    for number, (width, height) in enumerate(sizes):
        graph.add_node(f"b{number}", width=width / 72, height=height / 72)
    borders: dict[str, list[str]] = {"source": [], "sink": []}
    for lane in lanes:
        for end, name, kind in ((lane.source, f"i{lane.tensor}", "source"), (lane.target, f"o{lane.tensor}", "sink")):
            if end is None and name not in borders[kind]:
                borders[kind].append(name)
                graph.add_node(name, width=0.1, height=0.01)
    for kind, names in borders.items():
        if names:
            graph.add_subgraph(names, rank=kind)
    above, below = _depths(len(sizes), lanes)
    whole = max(up + down for up, down in zip(above, below, strict=True))
    between = passed(len(sizes), lanes)
    # Where there are too many long lines, as in a densely connected network, they go beside all boxes.
    crowded = sum(between) > _MAX_PLACED
    given = [not (crowded and ranks) for ranks in between]
    for number, (source, target, tensor) in enumerate(lanes):
        if not given[number]:
            continue
        tail = f"i{tensor}" if source is None else f"b{source}"
        head = f"o{tensor}" if target is None else f"b{target}"
        up = -1 if source is None else above[source]
        down = -1 if target is None else below[target]
        # The longest way from above to below is kept straight; what leaves it stands beside.
        main = up + 1 + down == whole
        near = target is not None and above[target] == up + 1
        graph.add_edge(tail, head, key=str(number), weight=100 if main else 8 if near else 1)
    graph.layout("dot")
    places = {node: tuple(map(float, node.attr["pos"].split(","))) for node in graph.nodes()}
    heights = sorted({round(-places[f"b{number}"][1], 1) for number in range(len(sizes))})
    levels: list[float] = []
    for height in heights:
        # Rounding leaves boxes of one rank some tenths of a pixel apart.
        if not levels or height - levels[-1] > 2:
            levels.append(height)

    def rank_of(y: float) -> int:
        return min(range(len(levels)), key=lambda index: abs(levels[index] + y))

    xs = [places[f"b{number}"][0] for number in range(len(sizes))]
    ranks = [rank_of(places[f"b{number}"][1]) for number in range(len(sizes))]
    passing: list[dict[int, float]] = []
    beside = max(x + width / 2 for x, (width, _) in zip(xs, sizes, strict=True)) + _BESIDE
    for number, (source, target, tensor) in enumerate(lanes):
        first = -1 if source is None else ranks[source]
        last = len(levels) if target is None else ranks[target]
        passes: dict[int, float] = {}
        if not given[number]:
            passes = dict.fromkeys(range(first + 1, last), beside)
        elif last - first > 1:
            tail = f"i{tensor}" if source is None else f"b{source}"
            head = f"o{tensor}" if target is None else f"b{target}"
            curve = _sampled(graph.get_edge(tail, head, str(number)).attr["pos"])
            passes = {rank: _x_at(curve, -levels[rank]) for rank in range(first + 1, last)}
        passing.append(passes)
    for number in range(len(sizes)):
        sources = {lane.source for lane in lanes if lane.target == number}
        alone = ranks.count(ranks[number]) == 1 and not any(ranks[number] in lane for lane in passing)
        if len(sources) > 2 and alone:
            # What joins many branches stands in their middle.
            ends = [xs[source] for source in sources if source is not None]
            xs[number] = (min(ends) + max(ends)) / 2
    return Ranks(xs, ranks, len(levels), passing)


def passed(count: int, lanes: Sequence[Lane]) -> list[int]:
    """For each lane how many ranks lie between its ends, by the longest ways to them."""
    above, below = _depths(count, lanes)
    whole = max((up + down for up, down in zip(above, below, strict=True)), default=0)
    ranks = []
    for lane in lanes:
        first = -1 if lane.source is None else above[lane.source]
        last = whole + 1 if lane.target is None else above[lane.target]
        ranks.append(max(0, last - first - 1))
    return ranks


def _chain(count: int, lanes: Sequence[Lane]) -> Ranks | None:
    if any(
        (lane.source if lane.source is not None else -1) + 1 != (lane.target if lane.target is not None else count)
        for lane in lanes
    ):
        return None
    return Ranks([0.0] * count, list(range(count)), count, [{} for _ in lanes])


def _depths(count: int, lanes: Sequence[Lane]) -> tuple[list[int], list[int]]:
    """For each box the length of the longest ways to it from above and from it on; what goes back up does not count."""
    above, below = [0] * count, [0] * count
    forward = sorted(
        (lane.source, lane.target)
        for lane in lanes
        if lane.source is not None and lane.target is not None and lane.source < lane.target
    )
    for source, target in forward:
        above[target] = max(above[target], above[source] + 1)
    for source, target in reversed(forward):
        below[source] = max(below[source], below[target] + 1)
    return above, below


def _sampled(text: str) -> list[Corner]:
    """Points along the splines that Graphviz writes."""
    points = [tuple(map(float, word.split(",")[-2:])) for word in text.replace(";", " ").split()]
    places: list[Corner] = []
    for start in range(0, len(points) - 3, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[start : start + 4]
        for step in range(17):
            t = step / 16
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            places.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return places


def _x_at(curve: Sequence[Corner], y: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(curve):
        if (y0 - y) * (y1 - y) <= 0 and y0 != y1:
            return x0 + (x1 - x0) * (y - y0) / (y1 - y0)
    return min(curve, key=lambda point: abs(point[1] - y))[0]


Range = tuple[float, float]


class _End(NamedTuple):
    """Where a line meets a box, or passes a rank: its x, and the least and greatest when some box is open.

    Those are for when this box is folded, and when it is open itself.
    """

    box: int | None
    x: float
    folded: Range
    opened: Range | None


class _Way(NamedTuple):
    """A lane from rank to rank: its first and last, and its x in each of the gaps' upper and lower ends."""

    first: int
    last: int
    xs: list[float]


def routed(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    room: float = 0.0,
    inside: Sequence[tuple[float | None, float | None]] | None = None,
) -> tuple[float, float, list[Corner], list[list[Corner]]]:
    """Width and height of a frame, the centres of its boxes, and the corners of each lane's line.

    The lines go straight past boxes, and across in the gaps between ranks only, each tensor at a height of its own,
    with at least some room between a box and the first of them.

    Boxes that are blocks can be opened, and then the lines meet them elsewhere. `inside` says of each lane how far from
    the middle of its source it leaves that, when open, and so of its target; None where nothing opens. So the lines of
    different tensors do not lie over each other then either.
    """
    members: list[list[int]] = [[] for _ in range(ranks.height)]
    for number, rank in enumerate(ranks.rank):
        members[rank].append(number)
    for row in members:
        row.sort(key=lambda number: ranks.x[number])
    spans = []
    for lane in lanes:
        first = -1 if lane.source is None else ranks.rank[lane.source]
        last = ranks.height if lane.target is None else ranks.rank[lane.target]
        spans.append((first, last))
    passes = _passes(sizes, lanes, ranks, members, spans)
    ways = _ports(sizes, lanes, ranks, spans, passes)

    tracks, counts = _tracks(lanes, ways, _ends(sizes, lanes, ranks, ways, inside), ranks.height)
    before = max(_BEFORE, room)
    y = 0.0
    tops: list[float] = []
    gap_tops: list[float] = []
    heights = [max((sizes[number][1] for number in rank), default=0.0) for rank in members]
    for gap in range(ranks.height + 1):
        gap_tops.append(y)
        inner = max(0, counts[gap] - 1) * _STEP
        if gap == 0:
            y += _BORDER + inner + (_AFTER if counts[gap] else 0)
        elif gap == ranks.height:
            y += (before if counts[gap] else _BORDER) + inner
        else:
            y += before + inner + _AFTER
        if gap < ranks.height:
            tops.append(y)
            y += heights[gap]
    total = y
    centres = [(ranks.x[number], tops[rank] + heights[rank] / 2) for number, rank in enumerate(ranks.rank)]

    routes = []
    for number, (lane, way) in enumerate(zip(lanes, ways, strict=True)):
        start = 0.0 if lane.source is None else centres[lane.source][1] + sizes[lane.source][1] / 2
        end = total if lane.target is None else centres[lane.target][1] - sizes[lane.target][1] / 2
        points = [(way.xs[0], start)]
        for step, gap in enumerate(_gaps(way)):
            at = gap_tops[gap] + (_BORDER if gap == 0 else before) + tracks[number, step] * _STEP
            points += [(way.xs[step], at), (way.xs[step + 1], at)]
        points.append((way.xs[-1], end))
        routes.append(points)
    lefts = [x - sizes[number][0] / 2 for number, (x, _) in enumerate(centres)]
    rights = [x + sizes[number][0] / 2 for number, (x, _) in enumerate(centres)]
    xs = [x for route in routes for x, _ in route]
    low = min(lefts + [x - _BORDER for x in xs], default=0.0)
    high = max(rights + [x + _BORDER for x in xs], default=0.0)
    return (
        high - low,
        total,
        [(x - low, y) for x, y in centres],
        [[(x - low, y) for x, y in route] for route in routes],
    )


def _gaps(way: _Way) -> range | list[int]:
    """The gaps that a way crosses in; one that goes back up does so beside all boxes."""
    return range(way.first + 1, way.last + 1) if way.last > way.first else [way.first + 1, way.last]


def _passes(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    members: Sequence[Sequence[int]],
    spans: Sequence[tuple[int, int]],
) -> list[list[float]]:
    """For each lane its x in the ranks that it passes, the same in all of them where that can be."""
    taken: dict[int, list[tuple[float, int]]] = {}

    def is_free(x: float, between: range, tensor: int) -> bool:
        return all(
            other == tensor or abs(x - place) >= _STEP - 0.5 for rank in between for place, other in taken.get(rank, ())
        )

    def free_near(x: float, low: float, high: float, between: range, tensor: int) -> float:
        for step in range(60):
            for sign in (1, -1) if low > -1e8 else (-1, 1):
                at = x + sign * step * _STEP
                if low <= at <= high and is_free(at, between, tensor):
                    return at
        # In a narrow way between boxes lines are nearer to each other, but never on each other.
        others = [place for rank in between for place, other in taken.get(rank, ()) if other != tensor]
        if not others or high - low > 1e8 or min(abs(x - place) for place in others) >= 2:
            return x
        tried = [low + (high - low) * number / 24 for number in range(25)]
        return max(tried, key=lambda at: min(abs(at - place) for place in others))

    passes: list[list[float]] = [[] for _ in lanes]
    for number in sorted(range(len(lanes)), key=lambda index: spans[index][1] - spans[index][0]):
        first, last = spans[number]
        tensor = lanes[number].tensor
        if last <= first:
            right = max(ranks.x[box] + sizes[box][0] / 2 for box in range(len(sizes)))
            between = range(ranks.height)
            x = free_near(right + 2 * _CLEAR, right, 1e9, between, tensor)
            passes[number] = [x]
            for rank in between:
                taken.setdefault(rank, []).append((x, tensor))
            continue
        if last - first < 2:
            continue
        rooms = []
        for rank in range(first + 1, last):
            x = ranks.passing[number][rank]
            left = [ranks.x[box] + sizes[box][0] / 2 for box in members[rank] if ranks.x[box] <= x]
            right_sides = [ranks.x[box] - sizes[box][0] / 2 for box in members[rank] if ranks.x[box] > x]
            low, high = max(left, default=-1e9), min(right_sides, default=1e9)
            edge = min(_CLEAR, (high - low) / 3)
            rooms.append((low + edge, high - edge, x))
        low, high = max(room[0] for room in rooms), min(room[1] for room in rooms)
        between = range(first + 1, last)
        if low <= high:
            if high > 1e8:
                wish = low + 4
            elif low < -1e8:
                wish = high - 4
            else:
                wish = min(max(sorted(room[2] for room in rooms)[len(rooms) // 2], low), high)
            xs = [free_near(wish, low, high, between, tensor)] * len(rooms)
        else:
            xs = [
                free_near(min(max(x, low), high), low, high, range(rank, rank + 1), tensor)
                for rank, (low, high, x) in zip(between, rooms, strict=True)
            ]
        passes[number] = xs
        for rank, x in zip(between, xs, strict=True):
            taken.setdefault(rank, []).append((x, tensor))
    return passes


def _ports(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    spans: Sequence[tuple[int, int]],
    passes: Sequence[Sequence[float]],
) -> list[_Way]:
    """The ways with their ends: what leaves a box in order by tensor, what enters it by line."""

    def near(number: int, end: int | None, other: int | None, passed: float | None) -> float:
        """Where a line comes from, as seen from the box or border at its end."""
        if passed is not None:
            return passed
        if other is not None:
            return ranks.x[other]
        return ranks.x[end] if end is not None else 0.0

    starts: dict[tuple[int, int], list[float]] = {}
    arrivals: dict[int, list[tuple[float, int]]] = {}
    for number, lane in enumerate(lanes):
        path = passes[number]
        if lane.source is not None:
            starts.setdefault((lane.source, lane.tensor), []).append(
                near(number, lane.source, lane.target, path[0] if path else None)
            )
        if lane.target is not None:
            arrivals.setdefault(lane.target, []).append(
                (near(number, lane.target, lane.source, path[-1] if path else None), number)
            )
    leave: dict[tuple[int, int], float] = {}
    by_box: dict[int, list[tuple[float, int]]] = {}
    for (box, tensor), ends in starts.items():
        by_box.setdefault(box, []).append((fsum(ends) / len(ends), tensor))
    for box, tensors in by_box.items():
        for (_, tensor), offset in zip(sorted(tensors), _offsets(len(tensors), sizes[box][0], PORT_STEP), strict=True):
            leave[box, tensor] = ranks.x[box] + offset
    arrive: dict[int, float] = {}
    for box, lines in arrivals.items():
        lines.sort()
        offsets = _offsets(len(lines), sizes[box][0])
        straight = [i for i, (x, _) in enumerate(lines) if abs(x - ranks.x[box]) < 3]
        if straight and len(lines) > 1:
            # The line from straight above goes to the middle, the others beside it.
            half, most = sizes[box][0] / 2, max(straight[0], len(lines) - 1 - straight[0])
            room = min(24.0, (half - 10) / most)
            if room < 2:
                # Nearer, lines would lie over each other: they take the whole side.
                room = (half - 2) / most
            offsets = [(i - straight[0]) * room for i in range(len(lines))]
        for (_, number), offset in zip(lines, offsets, strict=True):
            arrive[number] = ranks.x[box] + offset

    # Where values enter and leave the frame: above and below the box that they go to or come from.
    enter: dict[int, float] = {}
    exits: dict[int, float] = {}
    for number in sorted(range(len(lanes)), key=lambda index: (spans[index][1] - spans[index][0], index)):
        lane = lanes[number]
        if lane.source is None:
            ends = [arrive[i] for i, other in enumerate(lanes) if other.source is None and other.tensor == lane.tensor
                    and other.target is not None and spans[i][1] == 0]  # fmt: skip
            otherwise = passes[number][0] if passes[number] else arrive.get(number, 0.0)
            wish = fsum(ends) / len(ends) if ends else otherwise
            # Nor above a line of another tensor that passes the first boxes: each might have to cross above the other.
            passing = [path[0] for path, (first, _), other in zip(passes, spans, lanes, strict=True)
                       if path and first == -1 and other.tensor != lane.tensor]  # fmt: skip
            enter.setdefault(lane.tensor, _free(wish, [*enter.values(), *passing]))
        if lane.target is None:
            path = passes[number]
            start = leave[lane.source, lane.tensor] if lane.source is not None else enter[lane.tensor]
            exits.setdefault(lane.tensor, _free(path[-1] if path else start, list(exits.values())))
    ways = []
    for number, (lane, span) in enumerate(zip(lanes, spans, strict=True)):
        start = enter[lane.tensor] if lane.source is None else leave[lane.source, lane.tensor]
        end = exits[lane.tensor] if lane.target is None else arrive[number]
        path = list(passes[number])
        # A step too small to be seen as one is none, where no other line ends.
        straight_on = (path or [start])[-1]
        others = [] if lane.target is None else [arrive[i] for _, i in arrivals[lane.target] if i != number]
        if abs(straight_on - end) < 3 and all(abs(straight_on - x) >= 1 for x in others):
            end = straight_on
        ways.append(_Way(*span, [start, *path, end]))
    return ways


def _free(x: float, taken: Sequence[float]) -> float:
    while any(abs(x - other) < _STEP for other in taken):
        x += _STEP
    return x


def _offsets(count: int, width: float, step: float = 24.0) -> list[float]:
    """Ports spread about a box's middle."""
    step = min(step, (width - 4) / count)
    return [(index - (count - 1) / 2) * step for index in range(count)]


def _ends(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    ways: Sequence[_Way],
    inside: Sequence[tuple[float | None, float | None]] | None,
) -> list[tuple[_End, _End]]:
    """Where each lane begins and ends."""

    def opened(box: int | None, offset: float | None) -> Range | None:
        if box is None or offset is None:
            return None
        x, half = ranks.x[box], sizes[box][0] / 2
        # How far it is then is not known: what is inside, and what is around, is stretched. But it stays on its side,
        # and what is in the middle stays there.
        if abs(offset) < 0.5:
            return x, x
        near, far = x + max(-_APART, min(_APART, offset)), x + (half if offset > 0 else -half)
        return min(near, far), max(near, far)

    def folded(box: int | None, x: float) -> Range:
        if box is None or not opens:
            return x, x
        # A box keeps its size where what is around it is stretched: lines meet it nearer to its middle than that.
        middle = ranks.x[box] + max(-_APART, min(_APART, x - ranks.x[box]))
        return min(x, middle), max(x, middle)

    offsets = inside or [(None, None)] * len(lanes)
    opens = any(offset is not None for pair in offsets for offset in pair)
    return [
        (
            _End(lane.source, way.xs[0], folded(lane.source, way.xs[0]), opened(lane.source, first)),
            _End(lane.target, way.xs[-1], folded(lane.target, way.xs[-1]), opened(lane.target, last)),
        )
        for lane, way, (first, last) in zip(lanes, ways, offsets, strict=True)
    ]


def _meet(a: _End, b: _End, gap: float) -> bool:
    """Whether two places may be nearer than a gap."""
    return any(one[0] - other[1] < gap and other[0] - one[1] < gap for one, other in _states(a, b))


def _is_left(a: _End, b: _End) -> bool:
    """Whether one place is always clear to the left of another."""
    return all(one[1] + _APART <= other[0] for one, other in _states(a, b))


def _states(a: _End, b: _End) -> list[tuple[Range, Range]]:
    """Where two places can be at once: on one box, both are as it is folded or open."""
    if a.box is not None and a.box == b.box:
        return [((a.x, a.x), (b.x, b.x)), *([(a.opened, b.opened)] if a.opened and b.opened else [])]
    return [
        (one, other)
        for one in (a.folded, *([a.opened] if a.opened else []))
        for other in (b.folded, *([b.opened] if b.opened else []))
    ]


def _tracks(
    lanes: Sequence[Lane], ways: Sequence[_Way], ends: Sequence[tuple[_End, _End]], count: int
) -> tuple[dict[tuple[int, int], int], list[int]]:
    """For each lane's step its track in the gap that it crosses there, and how many tracks each gap has.

    A tensor has one track in a gap. Tensors that can lie over each other have different ones; and where one can go down
    from where another one came, the latter crosses above.
    """
    tracks: dict[tuple[int, int], int] = {}
    in_gap: list[dict[int, list[tuple[int, int]]]] = [{} for _ in range(count + 1)]
    for number, way in enumerate(ways):
        for step, gap in enumerate(_gaps(way)):
            in_gap[gap].setdefault(lanes[number].tensor, []).append((number, step))

    def end(number: int, step: int) -> _End:
        xs = ways[number].xs
        if 0 < step < len(xs) - 1:
            return _End(None, xs[step], (xs[step], xs[step]), None)
        return ends[number][min(step, 1)]

    counts = []
    for nets in in_gap:
        tops: dict[int, list[_End]] = {}
        bottoms: dict[int, list[_End]] = {}
        for tensor, steps in nets.items():
            # Lines of one tensor that go the same way count once.
            tops[tensor] = list(dict.fromkeys(end(number, step) for number, step in steps))
            bottoms[tensor] = list(dict.fromkeys(end(number, step + 1) for number, step in steps))
        certain = {
            tensor: {
                other
                for other in nets
                if other != tensor and any(abs(a.x - b.x) < 6 for a in tops[other] for b in bottoms[tensor])
            }
            for tensor in nets
        }
        above = {
            tensor: {
                other
                for other in nets
                if other != tensor and any(_meet(a, b, 6) for a in tops[other] for b in bottoms[tensor])
            }
            for tensor in nets
        }

        def is_left(tensor: int, other: int, places: dict[int, list[_End]]) -> bool:
            return all(_is_left(a, b) for a in places[tensor] for b in places[other])

        places = {tensor: [*tops[tensor], *bottoms[tensor]] for tensor in nets}
        track: dict[int, int] = {}
        order = {
            tensor: (
                len(above[tensor]),
                _turn(
                    [ways[number].xs[step] for number, step in steps],
                    [ways[number].xs[step + 1] for number, step in steps],
                ),
            )
            for tensor, steps in nets.items()
        }
        waiting = sorted(nets, key=order.__getitem__)
        while waiting:
            ready = [tensor for tensor in waiting if not above[tensor] & set(waiting)]
            ready = ready or [tensor for tensor in waiting if not certain[tensor] & set(waiting)] or waiting[:1]
            tensor = ready[0]
            waiting.remove(tensor)
            at = max((track[other] + 1 for other in above[tensor] if other in track), default=0)
            while any(
                track[other] == at and not is_left(tensor, other, places) and not is_left(other, tensor, places)
                for other in track
            ):
                at += 1
            track[tensor] = at
        for tensor, steps in nets.items():
            for number, step in steps:
                tracks[number, step] = track[tensor]
        counts.append(max(track.values(), default=-1) + 1)
    return tracks, counts


def _turn(uppers: Sequence[float], lowers: Sequence[float]) -> float:
    """Of lines to the same side, the one that begins farthest to that side crosses above the others: so none meet."""
    right = fsum(lowers) / len(lowers) > fsum(uppers) / len(uppers)
    return -max(uppers) if right else min(uppers)

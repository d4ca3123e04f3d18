"""Ranks of a frame's boxes, their order, and where lines pass ranks between, as Graphviz has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Size = tuple[float, float]
Corner = tuple[float, float]

_BESIDE = 26.0

MAX_PASSED = 5000
"""Ranks that all lines of a frame together may pass: more cannot be followed by eye, or placed in reasonable time."""

_MAX_PLACED = 2000
"""Ranks that they may pass for Graphviz to place them: its time grows faster than their square."""


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

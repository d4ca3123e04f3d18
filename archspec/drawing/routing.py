"""Places of the boxes of one frame, in ranks, and lines between them along the axes."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.drawing.ports import STEP, passes_of, ways_of
from archspec.drawing.ranks import Corner, Lane, Ranks, Size
from archspec.drawing.tracks import ends_of, gaps_of, tracks_of

_BEFORE, _AFTER = 16.0, 14.0
_BORDER = 4.0


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
    passes = passes_of(sizes, lanes, ranks, members, spans)
    ways = ways_of(sizes, lanes, ranks, spans, passes)

    tracks, counts = tracks_of(lanes, ways, ends_of(sizes, lanes, ranks, ways, inside), ranks.height)
    before = max(_BEFORE, room)
    y = 0.0
    tops: list[float] = []
    gap_tops: list[float] = []
    heights = [max((sizes[number][1] for number in rank), default=0.0) for rank in members]
    for gap in range(ranks.height + 1):
        gap_tops.append(y)
        inner = max(0, counts[gap] - 1) * STEP
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
        for step, gap in enumerate(gaps_of(way)):
            at = gap_tops[gap] + (_BORDER if gap == 0 else before) + tracks[number, step] * STEP
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

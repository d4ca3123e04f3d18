"""The tracks of lines in the gaps between ranks: at which height each tensor crosses there, whatever is open."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from archspec.drawing.ports import Way
from archspec.drawing.ranks import Lane, Ranks, Size

_APART = 8.0

Range = tuple[float, float]


class End(NamedTuple):
    """Where a line meets a box, or passes a rank: its x, and the least and greatest when some box is open.

    Those are for when this box is folded, and when it is open itself.
    """

    box: int | None
    x: float
    folded: Range
    opened: Range | None


def gaps_of(way: Way) -> range | list[int]:
    """The gaps that a way crosses in; one that goes back up does so beside all boxes."""
    return range(way.first + 1, way.last + 1) if way.last > way.first else [way.first + 1, way.last]


def ends_of(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    ways: Sequence[Way],
    inside: Sequence[tuple[float | None, float | None]] | None,
) -> list[tuple[End, End]]:
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
            End(lane.source, way.xs[0], folded(lane.source, way.xs[0]), opened(lane.source, first)),
            End(lane.target, way.xs[-1], folded(lane.target, way.xs[-1]), opened(lane.target, last)),
        )
        for lane, way, (first, last) in zip(lanes, ways, offsets, strict=True)
    ]


def _meet(a: End, b: End, gap: float) -> bool:
    """Whether two places may be nearer than a gap."""
    return any(one[0] - other[1] < gap and other[0] - one[1] < gap for one, other in _states(a, b))


def _is_left(a: End, b: End) -> bool:
    """Whether one place is always clear to the left of another."""
    return all(one[1] + _APART <= other[0] for one, other in _states(a, b))


def _states(a: End, b: End) -> list[tuple[Range, Range]]:
    """Where two places can be at once: on one box, both are as it is folded or open."""
    if a.box is not None and a.box == b.box:
        return [((a.x, a.x), (b.x, b.x)), *([(a.opened, b.opened)] if a.opened and b.opened else [])]
    return [
        (one, other)
        for one in (a.folded, *([a.opened] if a.opened else []))
        for other in (b.folded, *([b.opened] if b.opened else []))
    ]


def tracks_of(
    lanes: Sequence[Lane], ways: Sequence[Way], ends: Sequence[tuple[End, End]], count: int
) -> tuple[dict[tuple[int, int], int], list[int]]:
    """For each lane's step its track in the gap that it crosses there, and how many tracks each gap has.

    A tensor has one track in a gap. Tensors that can lie over each other have different ones; and where one can go down
    from where another one came, the latter crosses above.
    """
    tracks: dict[tuple[int, int], int] = {}
    in_gap: list[dict[int, list[tuple[int, int]]]] = [{} for _ in range(count + 1)]
    for number, way in enumerate(ways):
        for step, gap in enumerate(gaps_of(way)):
            in_gap[gap].setdefault(lanes[number].tensor, []).append((number, step))

    def end(number: int, step: int) -> End:
        xs = ways[number].xs
        if 0 < step < len(xs) - 1:
            return End(None, xs[step], (xs[step], xs[step]), None)
        return ends[number][min(step, 1)]

    counts = []
    for nets in in_gap:
        tops: dict[int, list[End]] = {}
        bottoms: dict[int, list[End]] = {}
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

        def is_left(tensor: int, other: int, places: dict[int, list[End]]) -> bool:
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

"""Where lines leave and enter boxes, and where they pass the ranks between."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from archspec.drawing.ranks import Lane, Ranks, Size

STEP = 12.0
"""Distance of lines that lie beside each other."""

PORT_STEP = 72.0
"""Distance of tensors that leave a box, so that their shapes can be read."""

_CLEAR = 10.0


class Way(NamedTuple):
    """A lane from rank to rank: its first and last, and its x in each of the gaps' upper and lower ends."""

    first: int
    last: int
    xs: list[float]


def passes_of(
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
            other == tensor or abs(x - place) >= STEP - 0.5 for rank in between for place, other in taken.get(rank, ())
        )

    def free_near(x: float, low: float, high: float, between: range, tensor: int) -> float:
        for step in range(60):
            for sign in (1, -1) if low > -1e8 else (-1, 1):
                at = x + sign * step * STEP
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


def ways_of(
    sizes: Sequence[Size],
    lanes: Sequence[Lane],
    ranks: Ranks,
    spans: Sequence[tuple[int, int]],
    passes: Sequence[Sequence[float]],
) -> list[Way]:
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
        ways.append(Way(*span, [start, *path, end]))
    return ways


def _free(x: float, taken: Sequence[float]) -> float:
    while any(abs(x - other) < STEP for other in taken):
        x += STEP
    return x


def _offsets(count: int, width: float, step: float = 24.0) -> list[float]:
    """Ports spread about a box's middle."""
    step = min(step, (width - 4) / count)
    return [(index - (count - 1) / 2) * step for index in range(count)]

"""Where labels and arcs of the paper look stand: along the skyline of each row, and the rows under one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.drawing.palette import FAINT, INK, RULE
from archspec.drawing.scene import ASCENT, DESCENT, Bounds, Point, Shape, Style, Text, polyline
from archspec.drawing.volumes import LEADING, SMALL, Figure, Volume

_LEADER = Style(stroke=RULE, width=0.6)


@dataclass
class Places:
    """Labels, lines from labels to their volumes, and the height of each arc."""

    labels: list[Text] = field(default_factory=list)
    leaders: list[Shape] = field(default_factory=list)
    levels: dict[tuple[int, int], float] = field(default_factory=dict)


def place_down(figure: Figure) -> Places:
    """Labels along the skyline of each row; rows under one another, those that begin last on top."""
    places = Places()
    spans: dict[int, tuple[float, float]] = {}
    for number, row in enumerate(figure.rows.chains):
        boxes = [_extent(figure, at) for at in row]
        lefts = [figure.volumes[source].middle for source, at in figure.rows.crossings if at in row]
        rights = [figure.volumes[at].middle for source, at in figure.rows.crossings if source in row]
        spans[number] = (
            min([box.left for box in boxes] + lefts),
            max([box.right for box in boxes] + rights),
        )
    standing = _row_labels(figure, places, 0)
    for number in _from_the_top(figure, spans):
        left, right = spans[number]
        boxes = _row_labels(figure, None, number)
        top = min(box.top for box in boxes)
        over = [box.bottom for box in standing if box.left < right + 12 and left - 12 < box.right]
        axis = max(over, default=0.0) + 14 - top
        for at in figure.rows.chains[number]:
            figure.volumes[at].y = axis
        _row_labels(figure, places, number)
        standing.append(Bounds(left, axis + top, right, axis + max(box.bottom for box in boxes)))
    return places


def _from_the_top(figure: Figure, spans: dict[int, tuple[float, float]]) -> list[int]:
    """The rows under the trunk: those that begin last on top, and of those that begin with an input each where lines to
    and from the trunk cross the fewest others.
    """
    others = range(1, len(figure.rows.chains))
    inputs = [number for number in others if figure.groups[figure.rows.chains[number][0]].first.role == "input"]
    order = sorted(set(others) - set(inputs), key=lambda number: (-spans[number][0], number))
    lines: dict[int, list[float]] = {number: [] for number in others}
    row = {at: number for number, chain in enumerate(figure.rows.chains) for at in chain}
    for source, at in figure.rows.crossings:
        for end, line in ((row[at], source), (row[source], at)):
            if end in lines:
                lines[end].append(figure.volumes[line].middle)

    def crosses(lower: int, upper: int) -> bool:
        left, right = spans[upper]
        return any(left + 1 < x < right - 1 for x in lines[lower])

    for number in inputs:
        costs = [
            sum(crosses(number, upper) for upper in order[:at]) + sum(crosses(lower, number) for lower in order[at:])
            for at in range(len(order) + 1)
        ]
        least = min(costs)
        order.insert(max(at for at, cost in enumerate(costs) if cost == least), number)
    return order


def _extent(figure: Figure, at: int) -> Bounds:
    placed = figure.volumes[at]
    wide = placed.label_width / 2
    box = placed.box
    return box._replace(
        left=min(box.left, placed.label_middle - wide), right=max(box.right, placed.label_middle + wide)
    )


def _row_labels(figure: Figure, places: Places | None, number: int) -> list[Bounds]:
    """Boxes around all that a row has, with its labels and the arcs over it, kept where there are `places`."""
    row = [figure.volumes[at] for at in figure.rows.chains[number]]
    volumes = [placed.box for placed in row]
    boxes = list(volumes)
    labels: list[Text] = []
    leaders: list[Shape] = []
    for placed in row:
        middle, wide, high = placed.label_middle, placed.label_width, placed.label_height
        if placed.group.first.role == "output":
            top = placed.y - high / 2
        else:
            reach = wide / 2 + 2
            near = [box for box in volumes if box.left < middle + reach and middle - reach < box.right]
            if placed.above:
                top = min(box.top for box in near) - 5 - high
                if placed.top.y - top - high > 14:
                    ends = [Point(placed.middle, top + high + 1), placed.top]
                    leaders.append(polyline(ends, _LEADER))
            else:
                top = max(box.bottom for box in near) + 5
                if top - placed.bottom.y > 14:
                    leaders.append(polyline([placed.bottom, Point(placed.middle, top - 1)], _LEADER))
        box = Bounds(middle - wide / 2, top, middle + wide / 2, top + high)
        boxes.append(box)
        labels += _texts(figure, placed, box)
    arcs = []
    if any(placed.arcs for placed in row):
        arcs = _arc_levels(figure, number, boxes)
        boxes += [Bounds(x1, y, x2, y + 1) for _, _, x1, x2, y in arcs]
    if places is not None:
        places.labels += labels
        places.leaders += leaders
        places.levels.update({(one, two): y for one, two, _, _, y in arcs})
    return boxes


def _texts(figure: Figure, placed: Volume, box: Bounds) -> Iterator[Text]:
    step = placed.group.first
    extra = (LEADING - SMALL * (ASCENT + DESCENT)) / 2
    for index, text in enumerate(placed.lines):
        size, bold = placed.font(index)
        y = box.top + index * LEADING + extra + ASCENT * size
        colour = INK if bold else FAINT
        title = placed.name if bold and "…" in text else None
        yield Text((box.left + box.right) / 2, y, text, size, bold, "middle", colour, title=title, path=step.path)


def _arc_levels(figure: Figure, number: int, boxes: list[Bounds]) -> list[tuple[int, int, float, float, float]]:
    mine = set(figure.rows.chains[number])
    arcs: list[tuple[int, int, float, float, float]] = []
    spans = sorted(
        (figure.volumes[two].middle - figure.volumes[one].middle, one, two)
        for one, two in figure.rows.arcs
        if one in mine
    )
    for _, one, two in spans:
        left, right = figure.volumes[one].middle, figure.volumes[two].middle
        y = min(box.top for box in boxes if box.left <= right and left <= box.right) - 12
        for _, _, x1, x2, level in sorted(arcs, key=lambda arc: -arc[4]):
            if x1 <= right and left <= x2 and abs(level - y) < 9:
                y = level - 9
        arcs.append((one, two, left, right, y))
    return arcs

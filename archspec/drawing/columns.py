"""The columns of a long drawing: what is in each, titles of blocks that go on in it, and lines from one to the next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from archspec.drawing.layout import (
    MARGIN,
    SHAPE_BESIDE,
    SHAPE_SIZE,
    TITLE,
    TITLE_BESIDE,
    TITLE_SIZE,
    Box,
    Direction,
    Link,
    Outline,
    Picture,
    shape_place,
)
from archspec.drawing.ranks import Corner
from archspec.drawing.scene import ASCENT, DESCENT, Bounds, text_width

_STEP = 12.0
_GUTTER = 36.0
_BELOW, _BELOW_OUTLINE = 4.0, 8.0
_NESTED = 6.0
_CLEAR = 10.0
_BETWEEN = 4.0
_TITLE_ENDS = 20.0
_SHORTER = 80.0
_ASIDE = 14.0

Line = tuple[Corner, Corner]


def in_columns(picture: Picture, cuts: Sequence[float], titles: Direction) -> Picture:
    """A picture that goes down cut at these heights, its pieces side by side.

    An outline that is cut open has a part in each column that it reaches, with its title in each. `titles` says how it
    is drawn in the end: down, or turned to the right, where titles lie along the way.
    """
    columns = _Columns(picture, cuts, titles)
    boxes = tuple(columns.box(item) for item in picture.boxes)
    outlines = tuple(part for item in picture.outlines for part in columns.parts(item))
    links = tuple(columns.link(number) for number in range(len(picture.links)))
    return Picture(columns.width, columns.height, boxes, outlines, links, "down")


@dataclass
class _Part:
    """What a column has of an outline that is cut: its sides, in the picture's places, and its title."""

    outline: Outline
    left: float
    right: float
    low: float
    high: float
    heading: str
    continued: bool


@dataclass
class _Crossing:
    """A line from a column to a later one: its corners in both, and where it leaves the one and enters the other."""

    first: int
    last: int
    before: list[Corner]
    after: list[Corner]
    leaves: float
    enters: float

    @property
    def bare(self) -> range:
        """The columns under which it goes."""
        return range(self.first, self.last)


class _Columns:
    """Where a picture's pieces go: how wide each is, and what goes on from one to the next."""

    def __init__(self, picture: Picture, cuts: Sequence[float], titles: Direction) -> None:
        self.picture, self.cuts, self.titles = picture, cuts, titles
        self.limits = [(-1.0, cuts[0]), *pairwise(cuts), (cuts[-1], picture.height + 1)]
        self.crossings: dict[int, _Crossing] = {}
        boxes = {box.path for box in picture.boxes}
        self.texts = [_shape(link, titles) for link in picture.links if link.source in boxes and link.port == "value"]
        self.lines = self._lines()
        self.leads = [0.0 for _ in self.limits]
        self.tails = [0.0 for _ in self.limits]
        """Of each column the room above it for titles of what goes on in it, and below it."""
        self.known = self._parts()
        order = sorted(self.crossings, key=self._order)
        self.above = self._above(order)
        lows, highs = self._extents()
        self.gutters: list[float] = []
        """Of each column where the first line goes up beside it."""
        self.offsets: list[float] = []
        self.width = 0.0
        for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
            self.width += (_GUTTER + _STEP * max(0, len(self.above[index]) - 1)) if index else 0.0
            self.gutters.append(self.width - _GUTTER / 2)
            self.offsets.append(self.width - low)
            self.width += high - low
        self.top = max(_STEP * len(lanes) + 6.0 if lanes else 0.0 for lanes in self.above)
        self.ends = [
            self.top + lead + min(high, picture.height) - max(low, 0.0) + tail
            for (low, high), lead, tail in zip(self.limits, self.leads, self.tails, strict=True)
        ]
        self.under = self._under(order)
        self.height = max([*self.ends, *(y + _STEP for y in self.under.values())])

    def column(self, y: float) -> int:
        """The column that a height is in."""
        return bisect_right(self.cuts, y)

    def moved(self, x: float, y: float, index: int) -> Corner:
        """Where a place of a column goes."""
        return x + self.offsets[index], y - max(self.limits[index][0], 0.0) + self.top + self.leads[index]

    def box(self, box: Box) -> Box:
        """A box in its column."""
        x, y = self.moved(box.x, box.y, self.column(box.y))
        return replace(box, x=x, y=y)

    def parts(self, outline: Outline) -> Iterator[Outline]:
        """An outline, or its part in each column that it reaches."""
        low, high = _ends(outline)
        if self.column(low) == self.column(high):
            left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
            x, y = self.moved((left + right) / 2, (low + high) / 2, self.column(low))
            yield replace(outline, x=x, y=y, width=right - left, height=high - low)
            return
        for index in range(self.column(low), self.column(high) + 1):
            part = self.known[outline.path, index]
            x, y = self.moved((part.left + part.right) / 2, (part.low + part.high) / 2, index)
            width, height = part.right - part.left, part.high - part.low
            yield replace(outline, x=x, y=y, width=width, height=height, heading=part.heading, continued=part.continued)

    def link(self, number: int) -> Link:
        """A line in its column, or from one to another: under the columns that it passes, up the gutter, and down."""
        link = self.picture.links[number]
        crossing = self.crossings.get(number)
        if crossing is None:
            index = self.column(link.points[0][1])
            return replace(link, points=tuple(self.moved(x, y, index) for x, y in link.points))
        first, last = crossing.first, crossing.last
        entering = _STEP * self.above[last][link.tensor]
        x_left, x_entered = crossing.leaves + self.offsets[first], crossing.enters + self.offsets[last]
        x_up, y_over, y_under = self.gutters[last] - entering, self.top - 6 - entering, self.under[number]
        return replace(
            link,
            points=(
                *(self.moved(x, y, first) for x, y in crossing.before),
                *((x_left, y_under), (x_up, y_under), (x_up, y_over), (x_entered, y_over)),
                *(self.moved(x, y, last) for x, y in crossing.after),
            ),
        )

    def _lines(self) -> list[list[tuple[str, Line]]]:
        """The lines in each column with their tensors; what goes on in another column is found on the way."""
        lines: list[list[tuple[str, Line]]] = [[] for _ in self.limits]
        open_ends: list[int] = []
        for number, link in enumerate(self.picture.links):
            first, last = self.column(link.points[0][1]), self.column(link.points[-1][1])
            if first == last:
                lines[first] += [(link.tensor, part) for part in pairwise(link.points)]
                continue
            left, entered = self.cuts[first], self.cuts[last - 1]
            crossing = self.crossings[number] = _Crossing(
                first,
                last,
                [(x, y) for x, y in link.points if y < left],
                [(x, y) for x, y in link.points if y > entered],
                _x_at(link.points, left),
                _x_at(link.points[::-1], entered),
            )
            lines[first] += [(link.tensor, part) for part in pairwise([*crossing.before, (crossing.leaves, left)])]
            lines[last] += [(link.tensor, part) for part in pairwise([(crossing.enters, entered), *crossing.after])]
            open_ends.append(number)
        for number in open_ends:
            self._straighten(number, lines)
        return lines

    def _straighten(self, number: int, lines: list[list[tuple[str, Line]]]) -> None:
        """What would go across to above its target, which is elsewhere now, goes straight down instead if it can."""
        crossing, tensor = self.crossings[number], self.picture.links[number].tensor
        left = self.cuts[crossing.first]
        if len(crossing.before) < 3 or crossing.before[-1][1] != crossing.before[-2][1]:
            return
        x, corner = crossing.before[-2]
        boxes = (box for box in self.picture.boxes if corner < box.y + box.height / 2 and box.y - box.height / 2 < left)
        if any(abs(x - box.x) < box.width / 2 + 8 for box in boxes):
            return
        way = Bounds(x, corner, x, left)
        if any(text.meets(way, 1) for text in self.texts) or any(
            other != tensor and _bounds(line).meets(way, _BETWEEN) and line[0][0] == line[1][0]
            for other, line in lines[crossing.first]
        ):
            return
        crossing.before.pop()
        crossing.leaves = x
        lines[crossing.first].append((tensor, ((x, corner), (x, left))))

    def _parts(self) -> dict[tuple[str, int], _Part]:
        """The parts of the outlines that are cut, by their paths and columns; room for their titles is made."""
        cut = [item for item in self.picture.outlines if self.column(_ends(item)[0]) != self.column(_ends(item)[1])]
        found: dict[tuple[str, int], _Part] = {}
        for index, limits in enumerate(self.limits):
            here = [item for item in cut if _ends(item)[0] < limits[1] and limits[0] < _ends(item)[1]]
            # From the inside out: what is around a part has room for it.
            here.sort(key=lambda item: -item.level)
            for item in here:
                inside = [found[other.path, index] for other in here if _holds(item, other)]
                found[item.path, index] = self._about(item, index, inside)
            self._make_room(index, [found[item.path, index] for item in here])
        return found

    def _make_room(self, index: int, parts: Sequence[_Part]) -> None:
        """Puts the ends of a column's parts into one another, as whole outlines are, with room for titles."""
        begin, end = self.limits[index]
        entering = [part for part in parts if part.continued]
        leaving = [part for part in parts if part.high == end]
        step = _NESTED if self.titles == "right" else TITLE
        ins = {id(part): step * sum(_holds(other.outline, part.outline) for other in entering) for part in entering}
        outs = {id(part): _NESTED * sum(_holds(other.outline, part.outline) for other in leaving) for part in leaving}
        lead = max((at + step for at in ins.values()), default=0.0)
        tail = max(outs.values(), default=0.0)
        if self.titles == "right":
            for part in parts:
                if part.heading:
                    room = text_width(part.heading, TITLE_SIZE, True) + _TITLE_ENDS
                    if part.continued:
                        lead = max(lead, room - (part.high - begin) + ins[id(part)])
                    else:
                        tail = max(tail, room - (end - part.low) + outs[id(part)])
        for part in entering:
            part.low = begin - lead + ins[id(part)]
        for part in leaving:
            part.high = end + tail - outs[id(part)]
        self.leads[index], self.tails[index] = lead, tail

    def _about(self, outline: Outline, index: int, inside: Sequence[_Part]) -> _Part:
        """An outline's part in a column: its sides are about what it holds there and have room for its title."""
        begin, end = self.limits[index]
        continued = _ends(outline)[0] < begin
        low, high = max(_ends(outline)[0], begin), min(_ends(outline)[1], end)
        left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
        inner = [
            item for item in self.picture.items
            if low < item.y + item.height / 2 and item.y - item.height / 2 < high and left < item.x < right
            and item is not outline and not (isinstance(item, Outline) and item.level <= outline.level)
        ]  # fmt: skip
        part = _Part(outline, left, right, low, high, outline.heading, continued)
        before = TITLE if self.titles == "right" else MARGIN
        if inner:
            spans = [(item.x - item.width / 2, item.x + item.width / 2) for item in inner]
            spans += [
                (min(x0, x1), max(x0, x1))
                for _, ((x0, y0), (x1, y1)) in self.lines[index]
                if min(y0, y1) < high and low < max(y0, y1) and left < min(x0, x1) and max(x0, x1) < right
            ]
            spans += [
                (text.left - SHAPE_BESIDE, text.right)
                for text in self.texts
                if low < text.top < high and left < text.left < right
            ]
            part.left = max(left, min(least for least, _ in spans) - before)
            part.right = min(right, max(most for _, most in spans) + MARGIN)
            if not continued and self.titles == "down":
                # The title has room beside what enters.
                room = text_width(outline.heading, TITLE_SIZE, True) + TITLE_BESIDE
                entering = [link.points[-1][0] for link in self.picture.links if link.target == outline.path]
                if entering and room > max(min(entering) - part.left, part.right - max(entering)):
                    part.left = max(left, min(entering) - room)
        if inside:
            part.left = min(part.left, *(item.left - before for item in inside))
            part.right = max(part.right, *(item.right + MARGIN for item in inside))
        if continued:
            self._entitle(part, index)
        return part

    def _entitle(self, part: _Part, index: int) -> None:
        """Says again what goes on, in a gap between the lines that enter the column; if need be the part grows."""
        title = f"{part.heading} (continued)"
        if self.titles == "right":
            part.heading = title
            return
        name = part.heading.split(": ")[0]
        lines = sorted(
            crossing.enters
            for crossing in self.crossings.values()
            if crossing.last == index and part.left - 1 < crossing.enters < part.right + 1
        )
        least, most = self._free(part, index)
        sides: list[tuple[float, float, float, str]] = []
        for shorter, text in enumerate((title, f"{name} (continued)", f"{name} …")):
            room = text_width(text, TITLE_SIZE, True) + TITLE_BESIDE
            left, right = (lines[0] if lines else part.right) - room, (lines[-1] if lines else part.left) + room
            if any(last - first >= room for first, last in pairwise([part.left, *lines, part.right])):
                sides.append((_SHORTER * shorter, part.left, part.right, text))
                break
            if left >= least:
                sides.append((_SHORTER * shorter + part.left - left, left, part.right, text))
            if right <= most:
                sides.append((_SHORTER * shorter + right - part.right, part.left, right, text))
        _, part.left, part.right, part.heading = min(sides, default=(0, part.left, part.right, title))

    def _free(self, part: _Part, index: int) -> tuple[float, float]:
        """How far a part's sides can go before they meet what is not in it, and have room for what is around it."""
        outline = part.outline
        around = [item for item in self.picture.outlines if _holds(item, outline)]
        least, most = -1e9, 1e9
        low, high = part.low, part.high
        spans = [
            (item.x - item.width / 2, item.x + item.width / 2)
            for item in self.picture.items
            if item not in around
            and self.column(item.y - item.height / 2) <= index <= self.column(item.y + item.height / 2)
            and item.y - item.height / 2 < high and low < item.y + item.height / 2
        ]  # fmt: skip
        spans += [
            (min(x0, x1), max(x0, x1))
            for _, ((x0, y0), (x1, y1)) in self.lines[index]
            if min(y0, y1) < high and low < max(y0, y1)
        ]
        spans += [(text.left, text.right) for text in self.texts if low < text.top < high]
        room = _CLEAR + MARGIN * len(around)
        for first, last in spans:
            if last <= part.left + 1:
                least = max(least, last + room)
            elif first >= part.right - 1:
                most = min(most, first - room)
        return least, most

    def _order(self, number: int) -> tuple[float, float]:
        """Short ways are inside, and of these those that leave on the right."""
        crossing, link = self.crossings[number], self.picture.links[number]
        return crossing.last - crossing.first, -_x_at(link.points, self.cuts[crossing.first])

    def _above(self, order: Iterable[int]) -> list[dict[str, int]]:
        """Of each column the tensors that enter it above, with the number of each one's line."""
        above: list[dict[str, int]] = [{} for _ in self.limits]
        for number in order:
            lanes = above[self.crossings[number].last]
            lanes.setdefault(self.picture.links[number].tensor, len(lanes))
        return above

    def _extents(self) -> tuple[list[float], list[float]]:
        """The least and the greatest x of what each column holds."""
        lows, highs = [1e9] * len(self.limits), [-1e9] * len(self.limits)

        def hold(index: int, low: float, high: float) -> None:
            lows[index], highs[index] = min(lows[index], low), max(highs[index], high)

        for item in self.picture.items:
            for index in range(self.column(item.y - item.height / 2), self.column(item.y + item.height / 2) + 1):
                hold(index, item.x - item.width / 2, item.x + item.width / 2)
        for (_, index), part in self.known.items():
            hold(index, part.left, part.right)
        for link in self.picture.links:
            ends = {self.column(link.points[0][1]), self.column(link.points[-1][1])}
            for (x0, y0), (x1, y1) in pairwise(link.points):
                for index in {self.column(min(y0, y1)), self.column(max(y0, y1))} & ends:
                    hold(index, min(x0, x1) - 4, max(x0, x1) + 4)
        for text in self.texts:
            # What sticks out a little meets no line beside the column.
            hold(self.column(text.top), text.left + _ASIDE, text.right - _ASIDE)
        return lows, highs

    def _under(self, order: Iterable[int]) -> dict[int, float]:
        """Of each line between columns the height at which it goes under those that it passes.

        Lines of one tensor share a height where they can; lines of different ones are apart.
        """
        found: dict[int, float] = {}
        taken: list[tuple[float, float, float, str]] = []
        open_below = {index for path, index in self.known if (path, index + 1) in self.known}
        for number in order:
            crossing, tensor = self.crossings[number], self.picture.links[number].tensor
            gap = _BELOW_OUTLINE if open_below.intersection(crossing.bare) else _BELOW
            least = max(self.ends[index] for index in crossing.bare) + gap
            left = crossing.leaves + self.offsets[crossing.first]
            right = self.gutters[crossing.last] - _STEP * self.above[crossing.last][tensor]
            others = [y for y, low, high, other in taken if other != tensor and low < right + 1 and left - 1 < high]
            shared = sorted({y for y, _, _, other in taken if other == tensor and y >= least})
            y = next((y for y in shared if all(abs(y - other) > _STEP - 1 for other in others)), least)
            while near := [other for other in others if abs(other - y) < _STEP - 1]:
                y = max(near) + _STEP
            found[number] = y
            taken.append((y, left, right, tensor))
        return found


def _ends(item: Box | Outline) -> tuple[float, float]:
    return item.y - item.height / 2, item.y + item.height / 2


def _holds(outline: Outline, other: Outline) -> bool:
    """Whether an open block is around another one."""
    return outline.level < other.level and (
        abs(outline.x - other.x) < outline.width / 2 and abs(outline.y - other.y) < outline.height / 2
    )


def _bounds(line: Line) -> Bounds:
    (x0, y0), (x1, y1) = line
    return Bounds(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _shape(link: Link, titles: Direction) -> Bounds:
    """What the shape beside a link covers."""
    (x, y), width = link.points[0], text_width(link.shape, SHAPE_SIZE)
    if titles == "down":
        left, base = shape_place(x, y, titles)
        return Bounds(left, base - ASCENT * SHAPE_SIZE, left + width, base + DESCENT * SHAPE_SIZE)
    top, base = shape_place(y, x, titles)
    return Bounds(base - ASCENT * SHAPE_SIZE, top, base + DESCENT * SHAPE_SIZE, top + width)


def _x_at(points: Sequence[Corner], y: float) -> float:
    """The x of the first stretch of a line that goes through a height."""
    return next(x0 for (x0, y0), (_, y1) in pairwise(points) if min(y0, y1) <= y <= max(y0, y1) and y0 != y1)

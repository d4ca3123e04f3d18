"""Open blocks in the places of their folded boxes: frames are stretched, each by what is open in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from archspec.drawing.layout import MARGIN, TITLE, Box, Frame, Link, Outline, Picture, turned


class Stretch:
    """A monotone, piecewise linear map of a frame's x or y that makes room: no distance shrinks.

    Each need (low, high, length) becomes at least so long; in the order given, what is too short grows evenly.
    """

    def __init__(self, needs: Sequence[tuple[float, float, float]]) -> None:
        self._at = sorted({place for low, high, _ in needs for place in (low, high)})
        self._to = list(self._at)
        number = {place: index for index, place in enumerate(self._at)}
        for low, high, length in needs:
            first, last = number[low], number[high]
            now = self._to[last] - self._to[first]
            if length <= now or last == first:
                continue
            base, factor = self._to[first], length / now
            for index in range(first + 1, len(self._to)):
                inside = index <= last
                self._to[index] = base + (self._to[index] - base) * factor if inside else self._to[index] + length - now

    def __call__(self, value: float) -> float:
        if not self._at:
            return value
        index = bisect_right(self._at, value)
        if index == 0:
            return value - self._at[0] + self._to[0]
        if index == len(self._at):
            return value - self._at[-1] + self._to[-1]
        low, high = self._at[index - 1], self._at[index]
        share = (value - low) / (high - low)
        return self._to[index - 1] + share * (self._to[index] - self._to[index - 1])


@dataclass
class _Opened:
    """A frame with its open blocks in place: a picture, and where values enter and leave it."""

    picture: Picture
    anchor: float
    entries: dict[str, float]
    exits: dict[str, float]


def unfold(frames: Mapping[str, Frame], opened: Collection[str]) -> Picture:
    """The network with the blocks of these paths open; paths without a frame, or in a folded block, do nothing.

    An open block is put where its folded box was: the frame, with margins and a title bar around it, so that the
    frame's anchor comes to the box's centre in x. For that the coordinates of the frame around it are stretched, in x
    about each such centre and in y over each such box, by `Stretch`: so what did not overlap does not, at any depth.
    A folded box keeps its size. Links are stretched with the frame; their ends keep their places on folded boxes, and
    on an open block go to where the same tensor enters or leaves inside.
    """
    whole = _opened(frames, "", set(opened), 0).picture
    return turned(whole, "right") if frames[""].direction == "right" else whole


def _opened(frames: Mapping[str, Frame], path: str, opened: Collection[str], level: int) -> _Opened:
    """A frame with its blocks of these paths open, and theirs."""
    frame = frames[path]
    inner = {
        box.path: _opened(frames, box.path, opened, level + 1)
        for box in frame.boxes
        if box.path in opened and box.path in frames
    }
    unfolding = _Unfolding(frame, inner, level)
    for box in frame.boxes:
        if box.path in inner:
            unfolding.open(box, frames[box.path])
        else:
            unfolding.keep(box)
    for link in frame.links:
        unfolding.join(link)
    made = unfolding.result()
    wide = level and frame.direction == "down"
    return _with_room(made, frame.heading_width - made.anchor) if wide and _lacks(made, frame.heading_width) else made


def _lacks(made: _Opened, heading_width: float) -> bool:
    """Whether a title has no room on either side of what enters."""
    return heading_width > max(made.anchor, made.picture.width - made.anchor)


def _with_room(made: _Opened, more: float) -> _Opened:
    """The same with so much more room at its left."""
    picture = made.picture
    return _Opened(
        replace(
            picture,
            width=picture.width + more,
            boxes=tuple(replace(item, x=item.x + more) for item in picture.boxes),
            outlines=tuple(replace(item, x=item.x + more) for item in picture.outlines),
            links=tuple(replace(link, points=tuple((x + more, y) for x, y in link.points)) for link in picture.links),
        ),
        made.anchor + more,
        {tensor: x + more for tensor, x in made.entries.items()},
        {tensor: x + more for tensor, x in made.exits.items()},
    )


class _Unfolding:
    """A frame, stretched for the blocks that are open in it, and what has its place already."""

    def __init__(self, frame: Frame, inner: Mapping[str, _Opened], level: int) -> None:
        self.frame = frame
        self.inner = inner
        self.level = level
        self.right = self.bottom = MARGIN
        self.left, self.top = (TITLE, MARGIN) if frame.direction == "right" else (MARGIN, TITLE)
        self.folded = {box.path: box for box in frame.boxes}
        self.x_of, self.y_of = self._stretched()
        self.x_shift, self.y_shift = -self.x_of(0.0), -self.y_of(0.0)
        self.boxes: list[Box] = []
        self.outlines: list[Outline] = []
        self.links: list[Link] = []
        self.sides: dict[str, tuple[Box, float, float]] = {}
        """Of each box, folded or open: where it is, its upper and its lower side."""
        self.corners: dict[str, tuple[float, float]] = {}
        """Of each open block: where the frame inside begins."""
        self.entries: dict[str, float] = {}
        self.exits: dict[str, float] = {}

    def _stretched(self) -> tuple[Stretch, Stretch]:
        """The maps of x and y that make room for what is open."""
        across, along = [], []
        for path, opened in self.inner.items():
            box = self.folded[path]
            across += [
                (box.x - box.width / 2, box.x, self.left + opened.anchor),
                (box.x, box.x + box.width / 2, self.right + opened.picture.width - opened.anchor),
            ]
            length = self.top + opened.picture.height + self.bottom
            along.append((box.y - box.height / 2, box.y + box.height / 2, length))
        return Stretch(across), Stretch(along)

    def _placed(self, box: Box) -> Box:
        """A box of the frame, its centre where stretching puts it."""
        y = (self.y_of(box.y - box.height / 2) + self.y_of(box.y + box.height / 2)) / 2 + self.y_shift
        return replace(box, x=self.x_of(box.x) + self.x_shift, y=y)

    def keep(self, box: Box) -> None:
        """Places a folded box."""
        placed = self._placed(box)
        self.boxes.append(placed)
        self.sides[box.path] = (placed, placed.y - box.height / 2, placed.y + box.height / 2)

    def open(self, box: Box, frame: Frame) -> None:
        """Places an open block: its outline, and all inside it."""
        opened, placed = self.inner[box.path], self._placed(box)
        width = self.left + opened.picture.width + self.right
        height = self.top + opened.picture.height + self.bottom
        upper, lower = placed.y - height / 2, placed.y + height / 2
        at_x, at_y = placed.x - opened.anchor, upper + self.top
        self.corners[box.path] = (at_x, at_y)
        self.sides[box.path] = (placed, upper, lower)
        middle = at_x - self.left + width / 2
        self.outlines.append(
            Outline(box.path, frame.heading, middle, placed.y, width, height, self.level + 1, frame.tie)
        )
        self.boxes += [replace(item, x=item.x + at_x, y=item.y + at_y) for item in opened.picture.boxes]
        self.outlines += [replace(item, x=item.x + at_x, y=item.y + at_y) for item in opened.picture.outlines]
        for link in opened.picture.links:
            points = [(x + at_x, y + at_y) for x, y in link.points]
            # What enters or leaves goes on to the outline's side.
            if not link.source:
                points[0] = (points[0][0], upper)
            if not link.target:
                points[-1] = (points[-1][0], lower)
            ends = (link.source or box.path, link.target or box.path)
            self.links.append(replace(link, source=ends[0], target=ends[1], points=tuple(points)))

    def join(self, link: Link) -> None:
        """Places a link of the frame, once all boxes have their places."""
        points = [(self.x_of(x) + self.x_shift, self.y_of(y) + self.y_shift) for x, y in link.points]
        for end, path, beside in ((0, link.source, 1), (-1, link.target, -2)):
            points[end] = self._end(link, end, path) if path else points[end]
            points[beside] = (points[end][0], points[beside][1])
        if not link.source:
            self.entries.setdefault(link.tensor, points[0][0])
        if not link.target:
            self.exits.setdefault(link.tensor, points[-1][0])
        self.links.append(replace(link, points=tuple(points)))

    def _end(self, link: Link, end: int, path: str) -> tuple[float, float]:
        """Where the first or last point of a link touches the box of a path."""
        placed, upper, lower = self.sides[path]
        y = lower if end == 0 else upper
        opened = self.inner.get(path)
        if opened is None:
            return placed.x + link.points[end][0] - self.folded[path].x, y
        known = opened.exits if end == 0 else opened.entries
        # Of very many tensors, not the same may be drawn inside.
        return known.get(link.tensor, opened.anchor) + self.corners[path][0], y

    def result(self) -> _Opened:
        """The picture of all that was placed."""
        width, height = self.x_of(self.frame.width) + self.x_shift, self.y_of(self.frame.height) + self.y_shift
        anchor = next(iter(self.entries.values()), width / 2)
        boxes, outlines, links = tuple(self.boxes), tuple(self.outlines), tuple(self.links)
        picture = Picture(width, height, boxes, outlines, links, self.frame.direction)
        return _Opened(picture, anchor, self.entries, self.exits)

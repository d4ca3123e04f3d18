"""Blocks that go on in the next column: the part that each column has of them, with its title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from archspec.drawing.cutting import Cut, ends, holds
from archspec.drawing.layout import MARGIN, SHAPE_BESIDE, TITLE, TITLE_BESIDE, TITLE_SIZE, Outline
from archspec.drawing.scene import text_width

_NESTED = 6.0
_CLEAR = 10.0
_TITLE_ENDS = 20.0
_SHORTER = 120.0


@dataclass
class Part:
    """What a column has of an outline that is cut: its sides, in the picture's places, and its title."""

    outline: Outline
    left: float
    right: float
    low: float
    high: float
    heading: str
    continued: bool


class Parts:
    """The parts of all outlines that are cut, by their paths and columns.

    `leads` is the room that each column has above it for titles of what goes on in it, `tails` that below it.
    """

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self.leads = [0.0 for _ in cut.limits]
        self.tails = [0.0 for _ in cut.limits]
        self.known: dict[tuple[str, int], Part] = {}
        self._find()

    def _find(self) -> None:
        """Finds all parts, and makes room for their titles."""
        cut = [item for item in self.cut.picture.outlines if len(self.cut.reached(item)) > 1]
        found = self.known
        for index, limits in enumerate(self.cut.limits):
            here = [item for item in cut if ends(item)[0] < limits[1] and limits[0] < ends(item)[1]]
            # From the inside out: what is around a part has room for it.
            here.sort(key=lambda item: -item.level)
            for item in here:
                inside = [found[other.path, index] for other in here if holds(item, other)]
                found[item.path, index] = self._about(item, index, inside)
            self._make_room(index, [found[item.path, index] for item in here])

    def _make_room(self, index: int, parts: Sequence[Part]) -> None:
        """Puts the ends of a column's parts into one another, as whole outlines are, with room for titles."""
        begin, end = self.cut.limits[index]
        entering = [part for part in parts if part.continued]
        leaving = [part for part in parts if part.high == end]
        step = _NESTED if self.cut.titles == "right" else TITLE
        ins = {id(part): step * sum(holds(other.outline, part.outline) for other in entering) for part in entering}
        outs = {id(part): _NESTED * sum(holds(other.outline, part.outline) for other in leaving) for part in leaving}
        lead = max((at + step for at in ins.values()), default=0.0)
        tail = max(outs.values(), default=0.0)
        if self.cut.titles == "right":
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

    def _about(self, outline: Outline, index: int, inside: Sequence[Part]) -> Part:
        """An outline's part in a column: its sides are about what it holds there and have room for its title."""
        begin, end = self.cut.limits[index]
        continued = ends(outline)[0] < begin
        low, high = max(ends(outline)[0], begin), min(ends(outline)[1], end)
        left, right = outline.x - outline.width / 2, outline.x + outline.width / 2
        inner = [
            item for item in self.cut.picture.items
            if low < item.y + item.height / 2 and item.y - item.height / 2 < high and left < item.x < right
            and item is not outline and not (isinstance(item, Outline) and item.level <= outline.level)
        ]  # fmt: skip
        part = Part(outline, left, right, low, high, outline.heading, continued)
        before = TITLE if self.cut.titles == "right" else MARGIN
        if inner:
            spans = [(item.x - item.width / 2, item.x + item.width / 2) for item in inner]
            spans += [
                (min(x0, x1), max(x0, x1))
                for _, ((x0, y0), (x1, y1)) in self.cut.lines[index]
                if min(y0, y1) < high and low < max(y0, y1) and left < min(x0, x1) and max(x0, x1) < right
            ]
            spans += [
                (text.left - SHAPE_BESIDE, text.right)
                for text in self.cut.texts
                if low < text.top < high and left < text.left < right
            ]
            part.left = max(left, min(least for least, _ in spans) - before)
            part.right = min(right, max(most for _, most in spans) + MARGIN)
            if not continued and self.cut.titles == "down":
                # The title has room beside what enters.
                room = text_width(outline.heading, TITLE_SIZE, True) + TITLE_BESIDE
                entering = [link.points[-1][0] for link in self.cut.picture.links if link.target == outline.path]
                if entering and room > max(min(entering) - part.left, part.right - max(entering)):
                    part.left = max(left, min(entering) - room)
        if inside:
            part.left = min(part.left, *(item.left - before for item in inside))
            part.right = max(part.right, *(item.right + MARGIN for item in inside))
        if continued:
            self._entitle(part, index)
        return part

    def _entitle(self, part: Part, index: int) -> None:
        """Says again what goes on, in a gap between the lines that enter the column; if need be the part grows."""
        title = f"{part.heading} (continued)"
        if self.cut.titles == "right":
            part.heading = title
            return
        name = part.heading.split(": ")[0]
        lines = sorted(
            crossing.enters
            for crossing in self.cut.crossings.values()
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

    def _free(self, part: Part, index: int) -> tuple[float, float]:
        """How far a part's sides can go before they meet what is not in it, and have room for what is around it."""
        outline = part.outline
        around = [item for item in self.cut.picture.outlines if holds(item, outline)]
        least, most = -1e9, 1e9
        low, high = part.low, part.high
        spans = [
            (item.x - item.width / 2, item.x + item.width / 2)
            for item in self.cut.picture.items
            if item not in around
            and index in self.cut.reached(item)
            and item.y - item.height / 2 < high and low < item.y + item.height / 2
        ]  # fmt: skip
        spans += [
            (min(x0, x1), max(x0, x1))
            for _, ((x0, y0), (x1, y1)) in self.cut.lines[index]
            if min(y0, y1) < high and low < max(y0, y1)
        ]
        spans += [(text.left, text.right) for text in self.cut.texts if low < text.top < high]
        for (_, at), other in self.known.items():
            # What has grown, and what is to be around it.
            if at == index and other.outline not in around and not holds(outline, other.outline):
                more = MARGIN * (other.outline.level - 1)
                spans.append((other.left - more, other.right + more))
        room = _CLEAR + MARGIN * len(around)
        for first, last in spans:
            if last <= part.left + 1:
                least = max(least, last + room)
            elif first >= part.right - 1:
                most = min(most, first - room)
        return least, most

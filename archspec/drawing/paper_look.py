"""The look of papers' figures: maps as volumes in a row from the input to the outputs, drawn to scale.

Height and width of maps are to one scale; depth grows with the square root of the channels, and the length of a
vector's bar with the square root of its features (as in the figures of LeCun et al. 1998, Krizhevsky et al. 2012,
Simonyan & Zisserman 2015 and Badrinarayanan et al. 2017, which draw depth and long vectors shortened too).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from archspec.drawing import palette
from archspec.drawing.palette import FAINT, INK, RULE, Colours
from archspec.drawing.scene import (
    ASCENT,
    DESCENT,
    Box,
    Curve,
    Path,
    Point,
    Polygon,
    Rectangle,
    Scene,
    Shape,
    Style,
    Text,
    around,
    headed,
    line,
    polyline,
    shortened,
    text_width,
)
from archspec.drawing.steps import Group, Step, groups, name_of, scope_of, what
from archspec.drawing.words import is_counted
from archspec.figures.units import si
from archspec.graph import Graph, Node
from archspec.layers import Family

LARGEST = 200.0
"""Height of the highest map, or 3/4 of the width of the widest; less by a quarter where no map has more than `TINY`."""
TINY = 64
SMALLEST = 1.6
"""Height and width of what would be too small to see."""
RIGHT, UP = 0.27, 0.20
"""How far a map's width of 1 goes to the right and up on the page."""
DEEPEST, STEEPEST = 44.0, 4.0
"""Depth of the volume with most channels, unless that is more than this per root of a channel."""
LONGEST, FASTEST = 112.0, 9.0
"""Length of the longest vector's bar, and the most per root of a feature."""
BAR, BAR_BACK = 9.0, Point(6.0, 4.5)
"""Thickness of a vector's bar, and how far it reaches to the right and up."""
RADIUS = 8.0
SHOWN = 6
"""Slabs of a group that are drawn; of more, the first two and the last."""
MARK = 2.6
"""Width of the band for a merged layer."""

MAX_BANDS = 12
"""Bands on a volume: more are too narrow to be seen."""

NAME, SMALL, LEADING = 10.5, 10.0, 12.5
LABEL_GAP = 9.0
MAX_LABEL = 118.0
ARROW = 17.0
MARGIN = 18.0
LEAST_WIDTH = 460.0

_FLOW = Style(stroke=INK, width=1.1)
_ARC = Style(stroke="#47525d", width=1.1)
_DASHED = Style(stroke="#7c3a64", width=1.1, dash=(4, 3))
_FRAME = Style(stroke="#47525d", width=0.8)
_GLASS = Style(fill="#ffffff", opacity=0.55)
_RAY = Style(stroke="#6b7680", width=0.6, dash=(3, 2))
_LEADER = Style(stroke=RULE, width=0.6)


@dataclass
class Placed:
    """A group at its place: `x` is the left end of its body on the axis `y` of its row.

    `slab` is the thickness of one slab, `back` how far the width of the map goes right and up. The label stands `above`
    or below; `arcs` begin or end over it, and it is `crossed` by lines from or to another row, from which its label
    keeps `aside` if it cannot go above. What is `attached` touches the volume before it and needs no arrow.
    """

    group: Group
    slab: float
    height: float
    back: Point
    row: int = 0
    x: float = 0.0
    y: float = 0.0
    lines: list[str] = field(default_factory=list)
    above: bool = False
    aside: bool = False
    arcs: bool = False
    crossed: bool = False
    attached: bool = False

    @property
    def drawn(self) -> list[tuple[float, Step]]:
        """Slabs and where each begins, counted from `x`."""
        steps = self.group.steps
        if len(steps) <= SHOWN:
            return [(index * self.slab, step) for index, step in enumerate(steps)]
        return [(0.0, steps[0]), (self.slab, steps[1]), (2 * self.slab + self.dots, steps[-1])]

    @property
    def dots(self) -> float:
        """Room for the dots that stand for slabs left out."""
        return self.back.x + 26.0

    @property
    def body(self) -> float:
        return self.drawn[-1][0] + self.slab

    @property
    def end(self) -> float:
        return self.x + self.body

    @property
    def middle(self) -> float:
        return self.x + self.body / 2

    @property
    def box(self) -> Box:
        """Around the drawn volumes."""
        right, up = self.back.x / 2, self.back.y / 2
        half = self.height / 2
        return Box(self.x - right, self.y - half - up, self.end + right, self.y + half + up)

    @property
    def top(self) -> Point:
        """The middle of the upper face."""
        return Point(self.middle, self.y - self.height / 2)

    @property
    def bottom(self) -> Point:
        """Where a line from below meets the front."""
        return Point(self.middle, self.y + self.height / 2 + self.back.y / 2)

    @property
    def label_width(self) -> float:
        return max((text_width(text, *_font(index)) for index, text in enumerate(self.lines)), default=0.0)

    @property
    def label_height(self) -> float:
        return LEADING * len(self.lines)

    @property
    def label_middle(self) -> float:
        if self.group.first.role == "output":
            return self.x + self.label_width / 2
        return self.middle - self.label_width / 2 - 7 if self.aside else self.middle

    def on_side(self, u: float, v: float, x: float) -> Point:
        """A point of the map itself at a place on the axis: `u` of its width from the front, `v` of its height."""
        right, up = self.back
        return Point(
            x + (u - 0.5) * right,
            self.y + (v - 0.5) * self.height - (u - 0.5) * up,
        )


def _font(index: int) -> tuple[float, bool]:
    return (NAME, True) if index == 0 else (SMALL, False)


def scene(graph: Graph) -> Scene:
    """The figure of a graph as it is given, train-only outputs included.

    Raises DrawingError when it would have more volumes than can be read.
    """
    return _Figure(graph).scene()


class _Figure:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.groups = groups(graph)
        self._choose_scales()
        self.placed = [self._sized(group) for group in self.groups]
        self.rows = self._rows()
        for number, row in enumerate(self.rows):
            for at in row:
                self.placed[at].row = number
        before = {second: first for row in self.rows for first, second in pairwise(row)}
        edges = [(source, at) for at, group in enumerate(self.groups) for source in group.sources]
        self.before = before
        self.arcs = [
            (source, at)
            for source, at in edges
            if self.placed[source].row == self.placed[at].row and before.get(at) != source
        ]
        self.crossings = [(source, at) for source, at in edges if self.placed[source].row != self.placed[at].row]
        for ends, name in ((self.arcs, "arcs"), (self.crossings, "crossed")):
            for at in {at for pair in ends for at in pair}:
                setattr(self.placed[at], name, True)
        self.frames = self._wants_frames()
        self.common = self._common()
        self._label()
        self._place_across()
        self._place_down()

    # Sizes

    def _choose_scales(self) -> None:
        """Pixels per pixel of a map, per root of a channel and per root of a feature."""
        maps = [group.first.type.shape for group in self.groups if group.first.type.is_map]
        vectors = [group.first.type.size for group in self.groups if not group.first.type.is_map]
        largest = max((max(height, 0.75 * width) for height, width, _ in maps), default=1.0)
        self.scale = (LARGEST if largest > TINY else 0.75 * LARGEST) / largest
        self.per_channel = min(STEEPEST, DEEPEST / max((shape[2] for shape in maps), default=1) ** 0.5)
        self.per_feature = min(FASTEST, LONGEST / max(vectors, default=1) ** 0.5)

    def _sized(self, group: Group) -> Placed:
        step = group.first
        if step.role == "symbol":
            return Placed(group, 2 * RADIUS, 2 * RADIUS, Point(0, 0))
        if step.role == "output":
            return Placed(group, 0.0, 0.0, Point(0, 0))
        if step.type.is_map:
            height, width, channels = step.type.shape
            wide = max(self.scale * width, SMALLEST)
            slab = max(self.per_channel * channels**0.5, SMALLEST)
            return Placed(group, slab, max(self.scale * height, SMALLEST), Point(RIGHT * wide, UP * wide))
        return Placed(group, BAR, max(self.per_feature * step.type.size**0.5, SMALLEST), BAR_BACK)

    # Rows

    def _rows(self) -> list[list[int]]:
        """Chains of groups: first the longest way to the first output, then what branches off it."""
        length = [0] * len(self.groups)
        best: list[int | None] = [None] * len(self.groups)
        for at, group in enumerate(self.groups):
            for source in group.sources:
                if length[source] + 1 > length[at]:
                    length[at], best[at] = length[source] + 1, source
        ends = [at for at, group in enumerate(self.groups) if group.first.role == "output"]
        trunk: list[int] = []
        here: int | None = ends[0] if ends else len(self.groups) - 1
        while here is not None:
            trunk.append(here)
            here = best[here]
        if trunk[-1] != 0:
            trunk.append(0)
        rows = [trunk[::-1]]
        free = [at for at in range(len(self.groups)) if at not in set(trunk)]
        while free:
            row = [free.pop(0)]
            while True:
                following = next((at for at in free if row[-1] in self.groups[at].sources), None)
                if following is None:
                    break
                free.remove(following)
                row.append(following)
            rows.append(row)
        return rows

    # Labels

    def _wants_frames(self) -> bool:
        """Whether windows are drawn: in short networks of single volumes."""
        return len(self.groups) <= 16 and all(
            len(group.steps) <= 2 and step.role in ("input", "layer", "output") and step.family != "resize"
            for group in self.groups
            for step in group.steps[:1]
        )

    def _common(self) -> dict[Family, str]:
        """Families whose steps are all the same, so that the legend may tell what."""
        does: dict[Family, Counter[str]] = {}
        for group in self.groups:
            for step in group.steps:
                if step.role == "layer" and step.family in ("pooling", "resize") and step.type.is_map:
                    does.setdefault(step.family, Counter())[step.does] += 1
        if self.frames:
            return {}
        return {family: next(iter(seen)) for family, seen in does.items() if len(seen) == 1 and seen.total() > 2}

    def _label(self) -> None:
        after: dict[int, Placed] = {first: self.placed[second] for second, first in self.before.items()}
        for at, placed in enumerate(self.placed):
            step = placed.group.first
            lines = [*self._words(placed.group), *([] if self._is_told(step, after.get(at)) else [str(step.type)])]
            unnamed = step.role == "layer" and step.family not in ("convolution", "dense") and len(lines) > 1
            if not lines[0] or (unnamed and is_counted(lines[0], self.graph.nodes[step.nodes[0]].kind)):
                lines = lines[1:]
            lines = [lines[0], *(part for text in lines[1:] for part in _broken(text))]
            placed.lines = [shortened(text, MAX_LABEL, *_font(index)) for index, text in enumerate(lines)]
            beside = step.role == "layer" and step.family in ("pooling", "resize", "other") and not self.frames
            placed.above = (beside or placed.crossed) and not placed.arcs
            placed.aside = placed.crossed and placed.arcs

    def _words(self, group: Group) -> list[str]:
        """The name of a group, and what it does unless the name or the legend tells."""
        step, repeats = group.first, len(group.steps)
        lines = [_named(self.graph, group)]
        if step.role == "layer" and self.common.get(step.family) != step.does:
            runs = [(does, len(list(run))) for does, run in groupby(inner.does for inner in group.steps)]
            if len(runs) > 3:
                runs = [(step.does.split()[0], repeats)]
            lines += [f"{count:,} × {does}" if count > 1 else does for does, count in runs]
        elif step.role == "block":
            does = f"{repeats:,} × {step.does}" if repeats > 1 else step.does
            lines += [] if _tells(lines[0], does) else [does]
            lines += [f"{len(step.split)} branches"] if step.split else []
        return lines

    def _is_told(self, step: Step, following: Placed | None) -> bool:
        """Whether the shape of a step need not be told: a symbol's, or a pooling's whose size the next label has."""
        if step.role == "symbol":
            return True
        if self.frames or following is None or step.role != "layer" or not step.type.is_map:
            return False
        after = following.group.first
        return (
            step.family in ("pooling", "resize", "other")
            and after.role in ("layer", "block")
            and after.family == "convolution"
            and after.type.shape[:2] == step.type.shape[:2]
        )

    # Places

    def _place_across(self) -> None:
        taken: dict[tuple[int, bool], float] = {}
        for at, placed in enumerate(self.placed):
            placed.x = self._earliest(at)
            if placed.group.first.role == "output":
                continue
            wide = placed.label_width
            beside: list[tuple[bool, float, float]] = [
                (placed.above, placed.label_middle - wide / 2, placed.label_middle + wide / 2)
            ]
            if placed.arcs:
                beside.append((True, placed.middle - 2, placed.middle + 2))
            if placed.crossed:
                beside.append((placed.row != 0 and not placed.above, placed.middle - 2, placed.middle + 2))
            push = max(taken.get((placed.row, above), left) - left for above, left, _ in beside)
            first = self.before.get(at)
            if placed.attached and first is not None and push > ARROW / 2:
                # What its label moves away from its stage has an arrow, and room for it.
                placed.attached = False
                push = max(push, self.placed[first].end + placed.back.x / 2 + ARROW - placed.x)
            placed.x += max(push, 0.0)
            for above, _, right in beside:
                key = (placed.row, above)
                taken[key] = max(taken.get(key, -1e9), right + max(push, 0.0) + LABEL_GAP)
        for row in self.rows[1:]:
            ends = [self.placed[at].middle for source, at in self.crossings if source == row[-1]]
            if ends:
                last = self.placed[row[-1]]
                slack = min(ends) - ARROW - max(last.end + last.back.x / 2, last.label_middle + last.label_width / 2)
                for at in row:
                    self.placed[at].x += max(slack, 0.0)

    def _earliest(self, at: int) -> float:
        placed = self.placed[at]
        front = placed.back.x / 2
        found = [0.0]
        for source in self.groups[at].sources:
            other = self.placed[source]
            if other.row != placed.row:
                found.append(max(other.end, other.middle + other.label_width / 2) + front + ARROW)
        if (first := self.before.get(at)) is not None:
            found.append(self.placed[first].end + self._gap(self.placed[first], placed))
        return max(found)

    def _gap(self, one: Placed, two: Placed) -> float:
        """Between the bodies of neighbours: nearly none within a stage, else an arrow's length."""
        last, step = one.group.last, two.group.first
        if step.role == "output":
            return one.back.x / 2 + ARROW + 12
        if not self.frames and last.role == step.role == "layer" and last.type.is_map and step.type.is_map:
            shrinks = step.family in ("pooling", "other") and two.height <= one.height and two.back.x <= one.back.x
            stays = last.family in ("convolution", "resize") and step.family == "convolution"
            same = stays and last.type.shape[:2] == step.type.shape[:2]
            if shrinks or same:
                two.attached = True
                return 4.0
        front = two.back.x / 2
        if self.frames and two.group.first.type.is_map:
            return max(front + ARROW + 8, one.back.x / 2 + front + 14)
        return max(front + ARROW, 0.75 * one.back.x / 2 + front)

    def _place_down(self) -> None:
        """Labels along the skyline of each row; rows under one another, those that begin last on top."""
        self.labels: list[Text] = []
        self.leaders: list[Shape] = []
        self.levels: dict[tuple[int, int], float] = {}
        spans: dict[int, tuple[float, float]] = {}
        for number, row in enumerate(self.rows):
            boxes = [self._extent(at) for at in row]
            lefts = [self.placed[source].middle for source, at in self.crossings if at in row]
            rights = [self.placed[at].middle for source, at in self.crossings if source in row]
            spans[number] = (
                min([box.left for box in boxes] + lefts),
                max([box.right for box in boxes] + rights),
            )
        standing = self._row_labels(0)
        for number in sorted(range(1, len(self.rows)), key=lambda number: (-spans[number][0], number)):
            left, right = spans[number]
            boxes = self._row_labels(number, keep=False)
            top = min(box.top for box in boxes)
            over = [box.bottom for box in standing if box.left < right + 12 and left - 12 < box.right]
            axis = max(over, default=0.0) + 14 - top
            for at in self.rows[number]:
                self.placed[at].y = axis
            self._row_labels(number)
            standing.append(Box(left, axis + top, right, axis + max(box.bottom for box in boxes)))

    def _extent(self, at: int) -> Box:
        placed = self.placed[at]
        wide = placed.label_width / 2
        box = placed.box
        return box._replace(
            left=min(box.left, placed.label_middle - wide), right=max(box.right, placed.label_middle + wide)
        )

    def _row_labels(self, number: int, keep: bool = True) -> list[Box]:
        """Puts the labels of a row and the arcs over it. Returns boxes around all that the row has."""
        row = [self.placed[at] for at in self.rows[number]]
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
            box = Box(middle - wide / 2, top, middle + wide / 2, top + high)
            boxes.append(box)
            labels += self._texts(placed, box)
        arcs = []
        if any(placed.arcs for placed in row):
            arcs = self._arc_levels(number, boxes)
            boxes += [Box(x1, y, x2, y + 1) for _, _, x1, x2, y in arcs]
        if keep:
            self.labels += labels
            self.leaders += leaders
            self.levels.update({(one, two): y for one, two, _, _, y in arcs})
        return boxes

    def _texts(self, placed: Placed, box: Box) -> Iterator[Text]:
        step = placed.group.first
        extra = (LEADING - SMALL * (ASCENT + DESCENT)) / 2
        for index, text in enumerate(placed.lines):
            size, bold = _font(index)
            y = box.top + index * LEADING + extra + ASCENT * size
            colour = INK if index == 0 else FAINT
            title = _named(self.graph, placed.group) if index == 0 and "…" in text else None
            yield Text((box.left + box.right) / 2, y, text, size, bold, "middle", colour, title=title, path=step.path)

    def _arc_levels(self, number: int, boxes: list[Box]) -> list[tuple[int, int, float, float, float]]:
        mine = set(self.rows[number])
        found: list[tuple[int, int, float, float, float]] = []
        spans = sorted(
            (self.placed[two].middle - self.placed[one].middle, one, two) for one, two in self.arcs if one in mine
        )
        for _, one, two in spans:
            left, right = self.placed[one].middle, self.placed[two].middle
            y = min(box.top for box in boxes if box.left <= right and left <= box.right) - 12
            for _, _, x1, x2, level in sorted(found, key=lambda arc: -arc[4]):
                if x1 <= right and left <= x2 and abs(level - y) < 9:
                    y = level - 9
            found.append((one, two, left, right, y))
        return found

    # Shapes

    def scene(self) -> Scene:
        shapes: list[Shape] = []
        for one, two in self.crossings:
            shapes.append(self._crossing(one, two))
        for row in self.rows:
            for at in row:
                shapes += self._into(at)
                shapes += self._volume(self.placed[at])
        for one, two in self.arcs:
            shapes.append(self._arc(one, two))
        shapes += [*self.leaders, *self.labels]
        area = around(shape.box for shape in shapes)
        room = max(area.width, LEAST_WIDTH)
        heading = headed(self.graph.title, self.graph.name, self._facts(), room, sizes=(15, 10.5), baselines=(12, 29))
        head = [_moved(text, MARGIN, MARGIN) for text in heading]
        width = max(room, *(text.box.right - MARGIN for text in head)) + 2 * MARGIN
        top = max(text.box.bottom for text in head) + 18
        shift_x = MARGIN - area.left + (width - 2 * MARGIN - area.width) / 2
        drawn: list[Shape] = [*head, *(_moved(shape, shift_x, top - area.top) for shape in shapes)]
        legend, bottom = self._legend(width, top + area.height + 22)
        title = f"{self.graph.title or self.graph.name}: {heading[1].text}"
        return Scene(width, bottom + MARGIN - 4, (*drawn, *legend), title)

    def _facts(self) -> str:
        graph = self.graph
        ends = ", ".join(str(graph.output_type(output)) for output in graph.outputs[:3])
        more = ", …" if len(graph.outputs) > 3 else ""
        return (
            f"{graph.input} → {ends}{more} · {si(graph.count('trainable'))} parameters · {si(graph.macs)} multiply–adds"
        )

    def _into(self, at: int) -> list[Shape]:
        """What leads into a volume from its left neighbour: an arrow, or a window and its rays."""
        first = self.before.get(at)
        if first is None or first not in self.groups[at].sources:
            return []
        one, two = self.placed[first], self.placed[at]
        if two.attached:
            return []
        rays = self._window(one, two) if self.frames else []
        if rays:
            return rays
        start = Point(one.end, one.y)
        end = Point(two.box.left - 2 if two.group.first.role != "output" else two.x - 4, two.y)
        if end.x - start.x < 5:
            return []
        style = _DASHED if first in two.group.dashed and len(two.group.sources) == 1 else _FLOW
        return [polyline([start, end], style, arrow=True)]

    def _window(self, one: Placed, two: Placed) -> list[Shape]:
        """The window of a layer on the map that it reads, and rays to the point that it makes of it."""
        step = two.group.first
        if not (one.group.last.type.is_map and step.type.is_map and step.nodes):
            return []
        layer = self.graph.nodes[step.nodes[0]].layer
        size = getattr(layer, "kernel", None) or getattr(layer, "window", None)
        if not isinstance(size, tuple) or len(size) != 2 or size == (1, 1):
            return []
        height, width, _ = one.group.last.type.shape
        high, wide = min(size[0] / height, 1.0), min(size[1] / width, 1.0)
        u = min(max(0.55, wide / 2), 1 - wide / 2)
        v = min(max(0.36, high / 2), 1 - high / 2)
        corners = tuple(
            one.on_side(u + i * wide / 2, v + j * high / 2, one.end) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        )
        target = two.on_side(0.55, 0.36, two.x)
        rays: list[Shape] = [polyline([corner, target], _RAY) for corner in corners]
        return [*rays, Polygon(corners, _GLASS), Polygon(corners, _FRAME)]

    def _crossing(self, one: int, two: int) -> Path:
        """Between rows: down from the middle and into the left, or out to the right and up from below."""
        source, target = self.placed[one], self.placed[two]
        style = _DASHED if one in target.group.dashed else _FLOW
        if source.y < target.y:
            end = target.x - 4 if target.group.first.role == "output" else target.box.left - 2
            return _elbow([source.bottom, Point(source.middle, target.y), Point(end, target.y)], style)
        tip = Point(target.bottom.x, target.bottom.y + 1)
        return _elbow([Point(source.end, source.y), Point(tip.x, source.y), tip], style)

    def _arc(self, one: int, two: int) -> Path:
        source, target = self.placed[one], self.placed[two]
        y = self.levels[one, two]
        style = _DASHED if one in target.group.dashed else _ARC
        tip = Point(target.top.x, target.top.y - 1)
        return _elbow([source.top, Point(source.top.x, y), Point(tip.x, y), tip], style)

    def _volume(self, placed: Placed) -> list[Shape]:
        step = placed.group.first
        if step.role == "output":
            return []
        if step.role == "symbol":
            return self._symbol(placed)
        shapes: list[Shape] = []
        for offset, inner in placed.drawn:
            shapes += _cuboid(placed, placed.x + offset, inner, self._title_of(inner))
        if len(placed.group.steps) > SHOWN:
            middle = placed.x + 2 * placed.slab + placed.dots / 2
            for index in (-1, 0, 1):
                at = Point(middle + 6 * index - 1.5, placed.y - 1.5)
                shapes.append(Rectangle(at.x, at.y, 3, 3, Style(fill=INK), radius=1.5))
        return shapes

    def _symbol(self, placed: Placed) -> list[Shape]:
        step = placed.group.first
        tone = palette.FAMILIES["join"]
        circle = Rectangle(
            placed.x,
            placed.y - RADIUS,
            2 * RADIUS,
            2 * RADIUS,
            Style(tone.light, tone.dark, 1.1),
            RADIUS,
            self._title_of(step),
            step.path,
        )
        cross = 4.0
        x, y = placed.middle, placed.y
        ends = (
            [(Point(x - cross, y), Point(x + cross, y)), (Point(x, y - cross), Point(x, y + cross))]
            if step.does == "+"
            else [
                (Point(x - 3, y - 3), Point(x + 3, y + 3)),
                (Point(x - 3, y + 3), Point(x + 3, y - 3)),
            ]
        )
        return [circle, *(polyline(pair, Style(stroke=tone.dark, width=1.4)) for pair in ends)]

    def _title_of(self, step: Step) -> str:
        """The tooltip: what the volume stands for in full."""
        if step.role == "input":
            return f"input {step.type}"
        nodes = [self.graph.nodes[index] for index in step.nodes]
        params = sum(node.params for node in nodes)
        shown = [_told(node) for node in nodes[:12]]
        if len(nodes) > 12:
            shown.append(f"… {len(nodes) - 12:,} more layers")
        return "\n".join([f"{step.path}: {step.type}, {params:,} parameters", *shown])

    def _legend(self, width: float, y: float) -> tuple[list[Shape], float]:
        entries: list[tuple[Shape | None, str]] = []
        families: dict[Family, Counter[str]] = {}
        blocks = False
        for group in self.groups:
            for step in group.steps:
                blocks = blocks or step.role == "block"
                if step.role == "layer":
                    families.setdefault(step.family, Counter())[step.does] += 1
                for index, mark in zip(step.nodes[len(step.nodes) - len(step.marks) :], step.marks, strict=True):
                    if mark in ("activation", "normalisation"):
                        kind = self.graph.nodes[index].kind.replace("_", " ")
                        families.setdefault(mark, Counter())[kind] += 1
        for family in palette.FAMILIES:
            if family in families and family != "join":
                words = palette.WORDS[family]
                if family in self.common:
                    words += f": {self.common[family]}"
                elif family in ("activation", "normalisation"):
                    words += ": " + ", ".join(list(families[family])[:3])
                entries.append((_swatch(palette.FAMILIES[family]), words))
        if blocks:
            entries.append((_swatch(palette.BLOCK), "block of layers"))
        if any(group.dashed for group in self.groups):
            entries.append((polyline([Point(0, 0), Point(18, 0)], _DASHED, arrow=True), "indices of maxima"))
        maps = any(group.first.type.is_map for group in self.groups)
        bars = any(not group.first.type.is_map for group in self.groups)
        scales = ["height and width of maps to scale, depth as √channels"] if maps else []
        scales += ["length of bars as √features"] if bars else []
        entries.append((None, "; ".join(scales)))
        shapes: list[Shape] = []
        x, size = MARGIN, 9.5
        for swatch, words in entries:
            words = shortened(words, width - 2 * MARGIN - 24, size)
            lead = 24.0 if isinstance(swatch, Path) else 16.0 if swatch else 0.0
            long = lead + text_width(words, size)
            if x > MARGIN and x + long > width - MARGIN:
                x, y = MARGIN, y + 16
            if swatch is not None:
                shapes.append(_moved(swatch, x, y))
            shapes.append(Text(x + lead, y + 3.4, words, size, colour=FAINT))
            x += long + 18
        return shapes, y + 8


def _swatch(tone: Colours) -> Shape:
    return Rectangle(0, -5, 11, 10, Style(tone.mid, tone.dark, 0.8))


def _told(node: Node) -> str:
    return f"{node.path}: {what(node.layer)} → {node.output}"


def _tells(name: str, does: str) -> bool:
    return does.replace(" ", "") in name.replace("_", "")


def _named(graph: Graph, group: Group) -> str:
    """The name of a group: its one step's, what all its names have in common, or the first and the last."""
    first, last = group.first.name, group.last.name
    scope = group.first.path.rpartition(".")[0]

    def unnamed(step: Step) -> bool:
        return step.role == "layer" and is_counted(step.name, graph.nodes[step.nodes[0]].kind)

    # The name of a block says more than `conv1`, which each has.
    if scope and all(step.path.startswith(scope + ".") and unnamed(step) for step in group.steps):
        block = name_of(scope)
        return block if len(group.steps) > 1 else f"{block}.{first}"
    if len(group.steps) == 1:
        return first
    if group.first.role == "block" and scope and all(step.path.startswith(scope + ".") for step in group.steps):
        return name_of(scope)
    scopes = scope_of(group.first.path), scope_of(group.last.path)
    if scopes[0] != scopes[1]:
        # Both may be called conv1: their scopes tell them apart.
        first, last = map(name_of, scopes)
    start, end = _common_ends(first, last)
    one, two = first[start : len(first) - end], last[start : len(last) - end]
    if start and one.isalnum() and two.isalnum() and max(len(one), len(two)) <= 3:
        return f"{first[:start]}{one}–{two}{first[len(first) - end :]}"
    return f"{first} – {last}"


def _common_ends(one: str, two: str) -> tuple[int, int]:
    """How many letters two names have in common at the beginning and at the end; a number is never taken apart."""
    shorter = min(len(one), len(two))
    start = next((at for at in range(shorter) if one[at] != two[at]), shorter)
    while start and one[start - 1].isdigit() and (one[start : start + 1] + two[start : start + 1]).isdigit():
        start -= 1
    end = next((at for at in range(shorter - start) if one[-1 - at] != two[-1 - at]), shorter - start)
    while end and one[-end].isdigit() and (one[-1 - end : -end] + two[-1 - end : -end]).isdigit():
        end -= 1
    return start, end


def _broken(text: str) -> list[str]:
    """A text that is too wide for a label, as two lines."""
    words = text.split(" ")
    if text_width(text, SMALL) <= MAX_LABEL or len(words) == 1:
        return [text]
    cuts = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
    return list(min(cuts, key=lambda cut: max(text_width(part, SMALL) for part in cut)))


def _elbow(points: list[Point], style: Style, radius: float = 7.0) -> Path:
    """A line of level and upright stretches with rounded corners and an arrow at its end."""
    curves: list[Curve] = []
    at = points[0]
    for corner, following in zip(points[1:], [*points[2:], None], strict=True):
        if following is None:
            curves.append(line(corner))
            break
        before = abs(corner.x - at.x) + abs(corner.y - at.y)
        after = abs(following.x - corner.x) + abs(following.y - corner.y)
        bend = min(radius, before / 2, after / 2)
        start = _towards(corner, at, bend)
        end = _towards(corner, following, bend)
        curves += [line(start), Curve(_towards(corner, at, bend * 0.45), _towards(corner, following, bend * 0.45), end)]
        at = end
    return Path(points[0], tuple(curves), style, arrow=True)


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = abs(end.x - start.x) + abs(end.y - start.y)
    share = length / whole if whole else 0.0
    return Point(start.x + share * (end.x - start.x), start.y + share * (end.y - start.y))


def _cuboid(placed: Placed, x: float, step: Step, title: str) -> list[Shape]:
    """A slab: front, upper and right face, with bands for merged layers and lines between stacked channels."""
    tone = palette.INPUT if step.role == "input" else palette.FAMILIES[step.family]
    if step.role == "block":
        tone = palette.BLOCK
    right, up = placed.back
    left, top, bottom = x - right / 2, placed.y - placed.height / 2 + up / 2, placed.y + placed.height / 2 + up / 2
    end = left + placed.slab
    edge = 0.8 if min(placed.height, placed.slab) > 4 else 0.5

    def face(points: Iterable[tuple[float, float]], fill: str, **told: str) -> Polygon:
        return Polygon(tuple(Point(*point) for point in points), Style(fill, tone.dark, edge), **told)

    def front(start: float, stop: float, fill: str, **told: str) -> Polygon:
        return face([(start, top), (stop, top), (stop, bottom), (start, bottom)], fill, **told)

    def lid(start: float, stop: float, fill: str) -> Polygon:
        return face([(start, top), (stop, top), (stop + right, top - up), (start + right, top - up)], fill)

    side_fill = _mixed(tone.mid, tone.dark, 0.1 if step.role == "input" else 0.22)
    shapes: list[Shape] = [front(left, end, tone.mid, title=title, path=step.path), lid(left, end, tone.light)]
    marks = [mark for mark in step.marks if mark in ("activation", "normalisation")][:MAX_BANDS]
    band = min(MARK, 0.5 * placed.slab / max(len(marks), 1))
    for index, mark in enumerate(marks):
        start = end - band * (len(marks) - index)
        own = palette.FAMILIES[mark]
        shapes += [front(start, start + band, own.mid), lid(start, start + band, own.light)]
    total = sum(step.split)
    passed = 0
    for channels in step.split[:-1]:
        passed += channels
        at = left + placed.slab * passed / total
        seam = [Point(at, bottom), Point(at, top), Point(at + right, top - up)]
        shapes.append(polyline(seam, Style(stroke=tone.dark, width=0.6)))
    shapes.append(face([(end, top), (end + right, top - up), (end + right, bottom - up), (end, bottom)], side_fill))
    return shapes


def _mixed(one: str, two: str, share: float) -> str:
    """A colour between two `#rrggbb`."""
    pairs = ((int(one[at : at + 2], 16), int(two[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def _moved(shape: Shape, x: float, y: float) -> Shape:
    if isinstance(shape, Polygon):
        return replace(shape, points=tuple(Point(a + x, b + y) for a, b in shape.points))
    if isinstance(shape, Path):
        curves = tuple(Curve(*(Point(a + x, b + y) for a, b in curve)) for curve in shape.curves)
        return replace(shape, start=Point(shape.start.x + x, shape.start.y + y), curves=curves)
    return replace(shape, x=shape.x + x, y=shape.y + y)

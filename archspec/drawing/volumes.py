"""The volumes of the paper look: what each stands for, how large it is, and where it is put."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.drawing.groups import Group
from archspec.drawing.scene import Bounds, Point, text_width
from archspec.drawing.sharing import Tie
from archspec.drawing.steps import Stage
from archspec.graph import Graph
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
TALLEST = 12.0
"""The most height of a signal per root of its length."""
PLATE_BACK = Point(3.0, 2.0)
"""The same of a signal's plate, which has no width."""
RADIUS = 8.0
SHOWN = 6
"""Slabs of a group that are drawn; of more, the first two and the last."""

NAME, SMALL, LEADING = 10.5, 10.0, 12.5
"""Sizes of a label's first line and of the others, and the distance of its lines."""


@dataclass
class Volume:
    """A group at its place: `x` is the left end of its body on the axis `y` of its row.

    `slab` is the thickness of one slab, `back` how far the width of the map goes right and up. The label stands `above`
    or below; `arcs` begin or end over it, and it is `crossed` by lines from or to another row, from which its label
    keeps `aside` if it cannot go above. Its first `titles` lines are the `name`, or what stands for it. What is
    `attached` touches the volume before it and needs no arrow.
    """

    group: Group
    slab: float
    height: float
    back: Point
    row: int = 0
    x: float = 0.0
    y: float = 0.0
    name: str = ""
    lines: list[str] = field(default_factory=list)
    titles: int = 1
    above: bool = False
    aside: bool = False
    arcs: bool = False
    crossed: bool = False
    attached: bool = False

    @property
    def drawn(self) -> list[tuple[float, Stage]]:
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
    def box(self) -> Bounds:
        """Around the drawn volumes."""
        right, up = self.back.x / 2, self.back.y / 2
        half = self.height / 2
        return Bounds(self.x - right, self.y - half - up, self.end + right, self.y + half + up)

    @property
    def top(self) -> Point:
        """The middle of the upper face."""
        return Point(self.middle, self.y - self.height / 2)

    @property
    def bottom(self) -> Point:
        """Where a line from below meets the front."""
        return Point(self.middle, self.y + self.height / 2 + self.back.y / 2)

    def font(self, index: int) -> tuple[float, bool]:
        """The size of a line of the label, and whether it is bold: the first lines, of the name, are."""
        return (NAME, True) if index < self.titles else (SMALL, False)

    @property
    def label_width(self) -> float:
        return max((text_width(text, *self.font(index)) for index, text in enumerate(self.lines)), default=0.0)

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


@dataclass(frozen=True)
class Rows:
    """Chains of volumes, given by their numbers, the trunk first.

    `before` is the left neighbour of each. `arcs` are the links that pass by others of their row, `crossings` those
    from row to row.
    """

    chains: Sequence[Sequence[int]]
    before: Mapping[int, int]
    arcs: Sequence[tuple[int, int]]
    crossings: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Figure:
    """What a figure shows: groups of steps and the volume of each, in rows.

    `windows` says whether kernels' windows are drawn, `common` what the legend tells of families.
    """

    graph: Graph
    groups: Sequence[Group]
    volumes: Sequence[Volume]
    rows: Rows
    windows: bool
    common: Mapping[Family, str]
    ties: Mapping[str, Tie]
    """Whose arrays steps use, by their paths."""
    told: Mapping[str, str]
    """Of the first step in a block that is another one once more, what is said of the whole block."""
    silent: Collection[str]
    """The other steps in such blocks."""


def sized(groups: Sequence[Group]) -> list[Volume]:
    """The volumes of groups, all to one scale: pixels per pixel of a map, per root of a channel and of a feature.

    Signals stand upright. Their length, thousands where a map's height is tens and tens a few layers on, goes by its
    root.
    """
    maps = [group.first.type.shape for group in groups if group.first.type.is_map]
    signals = [group.first.type for group in groups if group.first.type.is_signal]
    vectors = [group.first.type.size for group in groups if group.first.type.is_vector]
    largest = max((max(height, 0.75 * width) for height, width, _ in maps), default=1.0)
    scale = (LARGEST if largest > TINY else 0.75 * LARGEST) / largest
    channels = [*(shape[2] for shape in maps), *(kind.channels for kind in signals)]
    per_channel = min(STEEPEST, DEEPEST / max(channels, default=1) ** 0.5)
    longest = max((kind.shape[0] for kind in signals), default=1)
    per_length = min(TALLEST, 0.75 * LARGEST / longest**0.5)
    per_feature = min(FASTEST, LONGEST / max(vectors, default=1) ** 0.5)

    def volume(group: Group) -> Volume:
        step = group.first
        if step.role == "symbol":
            return Volume(group, 2 * RADIUS, 2 * RADIUS, Point(0, 0))
        if step.role == "output":
            return Volume(group, 0.0, 0.0, Point(0, 0))
        if step.type.is_map:
            height, width, channels = step.type.shape
            wide = max(scale * width, SMALLEST)
            slab = max(per_channel * channels**0.5, SMALLEST)
            return Volume(group, slab, max(scale * height, SMALLEST), Point(RIGHT * wide, UP * wide))
        if step.type.is_signal:
            slab = max(per_channel * step.type.channels**0.5, SMALLEST)
            return Volume(group, slab, max(per_length * step.type.shape[0] ** 0.5, SMALLEST), PLATE_BACK)
        return Volume(group, BAR, max(per_feature * step.type.size**0.5, SMALLEST), BAR_BACK)

    return [volume(group) for group in groups]

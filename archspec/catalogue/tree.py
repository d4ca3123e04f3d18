"""The family tree: families of the zoo by year from the top down, and who extends whose idea."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archspec.diagnostics import DataError, count
from archspec.drawing import encoded
from archspec.drawing.palette import FAINT, FAMILIES, INK
from archspec.drawing.scene import (
    Curve,
    Point,
    Rectangle,
    Scene,
    Shape,
    Style,
    Text,
    moved,
    shortened,
    text_width,
)
from archspec.drawing.scene import Path as Line
from archspec.figures.units import si
from archspec.reports.facts import Figures

SIZE, SMALL = 12.0, 10.5
"""Of a box's name, and of its figures."""

HEIGHT, WIDEST = 52.0, 170.0
MARGIN, YEARS, HEADING = 16.0, 52.0, 88.0
BAND = "#f6f7f8"


class Box(NamedTuple):
    """Networks of one family and one year, and later ones of the family that nothing outside of it comes after."""

    family: str
    year: int
    title: str
    own: list[Figures]
    later: list[Figures]

    @property
    def lines(self) -> tuple[str, ...]:
        """Its figures: parameters from the least to the most, and the best published accuracy."""
        members = [*self.own, *self.later]
        params = sorted(item.figure("params") for item in members)
        sizes = list(dict.fromkeys([si(params[0]), si(params[-1])]))
        return (" – ".join(sizes), *_best(members))

    @property
    def is_dense(self) -> bool:
        """Whether its largest network says something of every place in the image."""
        return len(max(self.own, key=lambda item: item.figure("params")).output) > 1

    @property
    def width(self) -> float:
        widths = [text_width(line, SMALL) for line in self.lines]
        return min(WIDEST, max(84.0, text_width(self.title, SIZE, True) + 18, *(width + 18 for width in widths)))


class Link(NamedTuple):
    """That a box extends the idea of an earlier one; `first` where that is what one of its networks names first."""

    source: int
    target: int
    first: bool


def _best(members: Sequence[Figures]) -> tuple[str, ...]:
    """The best top-1 accuracy among networks for the most classes that any has it for."""
    known = [item for item in members if item.figure("top1") is not None and len(item.output) == 1]
    if not known:
        return ()
    classes = max(item.output[-1] for item in known)
    best = max(item.figure("top1") for item in known if item.output[-1] == classes)
    return (f"{best:.1f} %" if classes == 1000 else f"{best:.1f} % of {classes:,}",)


def boxes_of(networks: Sequence[Figures]) -> list[Box]:
    """What stands in the tree, by year: each family's first year, and each later one in which it has a network that
    another family's come after. Networks without a year are left out."""
    groups: dict[tuple[str, int], list[Figures]] = {}
    family = {item.label: item.family for item in networks}
    followed: set[str] = set()
    for item in networks:
        place = item.lineage
        if place is None or place.year is None:
            continue
        groups.setdefault((item.family, place.year), []).append(item)
        followed.update(name for name in place.after if family.get(name) != item.family)
    boxes: list[Box] = []
    latest: dict[str, Box] = {}
    for (name, year), own in sorted(groups.items(), key=lambda group: (group[0][1], group[0][0])):
        named = [item.label for item in own if item.label in followed]
        if name in latest and not named:
            latest[name].later.extend(own)
            continue
        title = ", ".join(named) if name in latest else name if len(own) > 1 else own[0].label
        latest[name] = Box(name, year, title, own, [])
        boxes.append(latest[name])
    return boxes


def links_of(boxes: Sequence[Box]) -> list[Link]:
    """Who extends whose idea, each pair once. Only what lies earlier, or stands above in its year, is linked, and what
    is not named first only where no other links lead there."""
    holder = {item.label: number for number, box in enumerate(boxes) for item in (*box.own, *box.later)}
    found: dict[tuple[int, int], bool] = {}
    for target, box in enumerate(boxes):
        for item in box.own:
            for place, name in enumerate(item.lineage.after if item.lineage else ()):
                source = holder.get(name)
                if source is not None and source != target and boxes[source].year <= box.year:
                    found[source, target] = found.get((source, target), False) or place == 0
    kept: dict[tuple[int, int], bool] = {}
    for (source, target), first in sorted(found.items(), key=lambda item: not item[1]):
        if not _leads(target, source, kept) and (first or not _leads(source, target, kept)):
            kept[source, target] = first
    return [Link(source, target, first) for (source, target), first in sorted(kept.items())]


def _leads(start: int, end: int, links: Mapping[tuple[int, int], bool]) -> bool:
    """Whether a way leads from one box to another."""
    reached = {start}
    while more := {target for source, target in links if source in reached} - reached:
        reached |= more
    return end in reached


def rows_of(boxes: Sequence[Box], links: Sequence[Link]) -> list[list[int]]:
    """The boxes by rows from the top: those of a year in one row, or in several where they extend one another."""
    depth = dict.fromkeys(range(len(boxes)), 0)
    for _ in boxes:
        for link in links:
            if boxes[link.source].year == boxes[link.target].year:
                depth[link.target] = max(depth[link.target], depth[link.source] + 1)
    keys = sorted({(box.year, depth[number]) for number, box in enumerate(boxes)})
    return [[n for n, box in enumerate(boxes) if (box.year, depth[n]) == key] for key in keys]


class Placed(NamedTuple):
    """Middles of boxes, and the curves of links, with the upper left corner of everything at (0, 0)."""

    middles: list[Point]
    lines: list[tuple[Point, tuple[Curve, ...]]]
    width: float
    height: float


def _placed(boxes: Sequence[Box], links: Sequence[Link], rows: Sequence[Sequence[int]]) -> Placed:
    """Where Graphviz places boxes within the rows, and leads links between them."""
    import pygraphviz

    graph = pygraphviz.AGraph(directed=True, strict=False)
    graph.graph_attr.update(nodesep=0.1, ranksep=0.36, splines="true", mclimit=8)
    graph.node_attr.update(shape="box", fixedsize="true", label="")
    graph.edge_attr.update(dir="none", label="")
    for number, row in enumerate(rows):
        graph.add_node(f"r{number}", width=0.01, height=0.01, style="invis")
        if number:
            graph.add_edge(f"r{number - 1}", f"r{number}", style="invis", weight=0)
        for index in row:
            graph.add_node(f"b{index}", width=boxes[index].width / 72, height=HEIGHT / 72)
        graph.add_subgraph([f"r{number}", *(f"b{index}" for index in row)], rank="same")
    for link in links:
        graph.add_edge(f"b{link.source}", f"b{link.target}", weight=3 if link.first else 1)
    graph.layout("dot")

    def point(word: str) -> Point:
        x, y = map(float, word.split(","))
        return Point(x, -y)

    middles = [point(graph.get_node(f"b{number}").attr["pos"]) for number in range(len(boxes))]
    lines = []
    for link in links:
        start, *others = map(point, graph.get_edge(f"b{link.source}", f"b{link.target}").attr["pos"].split())
        lines.append((start, tuple(Curve(*others[i : i + 3]) for i in range(0, len(others), 3))))
    extents = [
        (middle.x - box.width / 2, middle.y - HEIGHT / 2, middle.x + box.width / 2, middle.y + HEIGHT / 2)
        for middle, box in zip(middles, boxes, strict=True)
    ]
    points = [point for start, curves in lines for point in (start, *(end for curve in curves for end in curve))]
    left = min(min(extent[0] for extent in extents), *(point.x for point in points), *[0.0])
    top = min(extent[1] for extent in extents)
    right = max(max(extent[2] for extent in extents), *(point.x for point in points), *[0.0])
    bottom = max(extent[3] for extent in extents)

    def put(point: Point) -> Point:
        return Point(point.x - left, point.y - top)

    return Placed(
        [put(middle) for middle in middles],
        [(put(start), tuple(Curve(*map(put, curve)) for curve in curves)) for start, curves in lines],
        right - left,
        bottom - top,
    )


def scene(networks: Sequence[Figures]) -> Scene:
    """The tree of these networks. Raises `DataError` where none has a year."""
    boxes = boxes_of(networks)
    if not boxes:
        raise DataError("E113", "no network says in its `lineage` in which year it was published")
    links = links_of(boxes)
    rows = rows_of(boxes, links)
    placed = _placed(boxes, links, rows)
    shapes: list[Shape] = []
    shown = sum(len(box.own) + len(box.later) for box in boxes)
    families = len({box.family for box in boxes})
    facts = (
        f"{count(shown, 'network')} of {families} {'family' if families == 1 else 'families'}, by the year in "
        "which they were first published; lines say whose ideas they extend.",
        "In each box parameters, from the smallest network to the largest, and the best published top-1 accuracy,",
        "on ImageNet's 1,000 classes or on as many as are named. Blue: networks that classify; red: those that say "
        "something of every place.",
    )
    shapes.append(Text(0, 14, "The family tree", 16, True))
    shapes += [Text(0, 32 + 14 * number, text, SMALL, colour=FAINT) for number, text in enumerate(facts)]
    width = max(placed.width + YEARS, *(shape.box.right for shape in shapes))
    bands: dict[int, list[float]] = {}
    for row in rows:
        bands.setdefault(boxes[row[0]].year, []).append(placed.middles[row[0]].y + HEADING)
    for number, (year, heights) in enumerate(bands.items()):
        top, bottom = min(heights) - HEIGHT / 2 - 11, max(heights) + HEIGHT / 2 + 11
        if number % 2 == 0:
            shapes.append(Rectangle(0, top, width, bottom - top, Style(fill=BAND), radius=4))
        shapes.append(Text(8, (top + bottom) / 2 + 4, str(year), SIZE, True, colour=FAINT))
    for link, (start, curves) in sorted(zip(links, placed.lines, strict=True), key=lambda item: item[0].first):
        colour, thick = ("#6b7885", 1.4) if link.first else ("#b3bcc4", 1.0)
        line = Line(start, curves, Style(stroke=colour, width=thick), arrow=True)
        shapes.append(moved(line, YEARS, HEADING))
    for box, middle in zip(boxes, placed.middles, strict=True):
        shapes += [moved(shape, YEARS, HEADING) for shape in _drawn(box, middle)]
    margins = [moved(shape, MARGIN, MARGIN) for shape in shapes]
    height = placed.height + HEADING + 2 * MARGIN + 8
    return Scene(width + 2 * MARGIN, height, tuple(margins), "The family tree of the zoo's networks")


def _drawn(box: Box, middle: Point) -> list[Shape]:
    colours = FAMILIES["resize" if box.is_dense else "convolution"]
    left, top = middle.x - box.width / 2, middle.y - HEIGHT / 2
    names = ", ".join(item.label for item in (*box.own, *box.later))
    style = Style(fill=colours.light, stroke=colours.dark, width=0.9)
    shapes: list[Shape] = [Rectangle(left, top, box.width, HEIGHT, style, radius=5, title=names, path=box.family)]
    texts = [(box.title, SIZE, True, INK), *((line, SMALL, False, INK) for line in box.lines)]
    baseline = middle.y - (len(texts) - 1) * 7.5 + 4
    for text, size, bold, colour in texts:
        short = shortened(text, box.width - 10, size, bold)
        shapes.append(Text(middle.x, baseline, short, size, bold, "middle", colour))
        baseline += 15
    return shapes


def drawn(networks: Sequence[Figures], format: str) -> bytes:
    """The tree as a file's bytes: svg, png or pdf. Raises `DataError` where no network has a year."""
    return encoded(scene(networks), format)

"""The look of a graph: boxes that name their layers, links with shapes, open blocks as frames around their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from archspec.diagnostics import count
from archspec.drawing import DrawingError
from archspec.drawing.layout import (
    HEADING_SIZE,
    LINE_HEIGHT,
    LINE_SIZE,
    STACK,
    TITLE_BESIDE,
    TITLE_SIZE,
    Box,
    Direction,
    Link,
    Outline,
    Picture,
    arranged,
    behind,
)
from archspec.drawing.opening import chosen, visible
from archspec.drawing.palette import FAINT, FAMILIES, INK, WORDS
from archspec.drawing.pieces import Pieces
from archspec.drawing.scene import (
    ASCENT,
    LEAST_HEADING,
    Anchor,
    Point,
    Rectangle,
    Scene,
    Shape,
    Style,
    Text,
    headed,
    moved,
    polyline,
    shortened,
    text_width,
)
from archspec.drawing.tying import tied
from archspec.drawing.unfolding import unfold
from archspec.drawing.wires import DASH, LINK, shapes_beside, stretches, wires
from archspec.drawing.wrapping import wrapped
from archspec.figures.units import si
from archspec.graph import Graph
from archspec.layers import Family

_MARGIN = 24.0
_GROUNDS = ("#f7f8f9", "#eff1f3")
_MAX_BOXES = 3000
TIED = (3.0, 2.0)
"""Dashes of the border of what uses another's arrays."""


def scene(graph: Graph, *, depth: int | None = None, open: Sequence[str] = (), direction: Direction = "down") -> Scene:
    """A graph as it is: prune it for evaluation first.

    Blocks above `depth` are open, and those that paths or patterns in `open` name, with what they lie in; where
    neither is given, as many as a picture can well hold. Raises DrawingError when a path names nothing.
    """
    pieces = Pieces(graph)
    opened = chosen(pieces, depth, open)
    boxes = visible(pieces.root, opened)
    if boxes > _MAX_BOXES:
        raise DrawingError(
            f"{boxes:,} boxes are more than a drawing can hold, which is {_MAX_BOXES:,}; "
            "a smaller --depth, or fewer blocks to --open, leaves more of them folded"
        )
    return drawn(graph, wrapped(unfold(arranged(pieces, direction, opened), opened)))


def drawn(graph: Graph, picture: Picture) -> Scene:
    """A picture as a scene: with a heading and a legend around it."""
    shapes: list[Shape] = []
    lines = [part for link in picture.links for part in stretches(link.points)]
    for outline in picture.outlines:
        shapes += _outline(outline, picture)
    shapes += wires(picture)
    beside = shapes_beside(picture, lines)
    for points in tied(picture, [text.box for text in (*beside, *shapes) if isinstance(text, Text)]):
        shapes.append(polyline(points, Style(None, LINK, 1, TIED)))
    shapes += beside
    for box in picture.boxes:
        shapes += _box(box)
    legend, legend_width, legend_height = _legend(picture)
    size = f"{count(len(graph.nodes), 'layer')} · {si(graph.params)} params · {si(graph.macs)} MACs" + (
        " · as trained" if graph.mode == "train" else ""
    )
    heading = headed(graph.title, graph.name, size, max(picture.width, LEAST_HEADING))
    head = 52.0
    inner = max(picture.width, min(legend_width, 560.0), *(shape.box.right for shape in heading))
    legend, legend_width, legend_height = _legend(picture, inner)
    left = _MARGIN + (inner - picture.width) / 2
    placed = [
        *(moved(shape, _MARGIN, _MARGIN) for shape in heading),
        *(moved(shape, left, _MARGIN + head) for shape in shapes),
        *(moved(shape, _MARGIN, _MARGIN + head + picture.height + 28) for shape in legend),
    ]
    height = 2 * _MARGIN + head + picture.height + 28 + legend_height
    return Scene(inner + 2 * _MARGIN, height, tuple(placed), graph.title or graph.name)


def _legend(picture: Picture, width: float = 1e9) -> tuple[list[Shape], float, float]:
    """What colours, boxes and lines mean, of those that are there, in rows of a width; and their width and height."""
    families = {family for box in picture.boxes for family in box.families}
    kinds = {box.kind for box in picture.boxes}
    entries: list[tuple[str, Family | Literal["block", "run", "refers", "tied"]]] = [
        (WORDS[family], family) for family in FAMILIES if family in families
    ]
    if "block" in kinds:
        entries.append(("block, folded", "block"))
    if "run" in kinds:
        entries.append(("alike in a row, folded", "run"))
    if any(link.port != "value" for link in picture.links):
        entries.append(("indices or size only", "refers"))
    if any(is_tied(item) for item in picture.items):
        entries.append(("uses another's weights", "tied"))
    shapes: list[Shape] = []
    x = y = widest = 0.0
    for text, what in entries:
        length = 20 + text_width(text, LINE_SIZE)
        if x and x + length > width:
            x, y = 0.0, y + 20
        if what == "refers":
            shapes.append(polyline([Point(x, y + 6), Point(x + 16, y + 6)], Style(None, LINK, 1.3, DASH), arrow=True))
        elif what == "tied":
            shapes.append(Rectangle(x + 0.5, y + 0.5, 13, 11, Style("#ffffff", INK, 1, TIED), 2))
        elif what == "block" or what == "run":
            shapes += _stack(x, y + 1, 11, 8, 2 if what == "run" else 1, 2.0, None)
        else:
            colours = FAMILIES[what]
            shapes.append(Rectangle(x, y, 14, 12, Style(colours.light, colours.dark, 1), 2))
        shapes.append(Text(x + 20, y + 10, text, LINE_SIZE, colour=FAINT))
        widest = max(widest, x + length)
        x += length + 18
    return shapes, widest, y + 14 if entries else 0.0


def _stack(x: float, y: float, width: float, height: float, behind: int, step: float, about: Box | None) -> list[Shape]:
    """A folded block: a box with others behind it, all within a size."""
    title, path = (_tooltip(about), about.path) if about else (None, None)
    width, height = width - step * behind, height - step * behind
    strokes = ("#47525d", "#8a95a0", "#8a95a0")
    return [
        Rectangle(
            x + step * index,
            y + step * index,
            width,
            height,
            Style("#ffffff", strokes[index], 1, TIED if about and is_tied(about) else ()),
            min(4.0, height / 4),
            title,
            path,
        )
        for index in range(behind, -1, -1)
    ]


def is_tied(item: Box | Outline) -> bool:
    """Whether all arrays that it uses are another's."""
    return item.tie is not None and item.tie.whole


def _tooltip(box: Box) -> str:
    return "\n".join((box.path.removeprefix("@"), *box.lines))


def _outline(outline: Outline, picture: Picture) -> list[Shape]:
    x, y = outline.x - outline.width / 2, outline.y - outline.height / 2
    style = Style(_GROUNDS[(outline.level - 1) % 2], "#c9cfd5", 1)
    if is_tied(outline):
        style = Style(style.fill, LINK, 1, TIED)
    ground = Rectangle(x, y, outline.width, outline.height, style, 6, outline.path, outline.path)
    if not outline.heading:
        return [ground]
    text = shortened(outline.heading, outline.width - 20, TITLE_SIZE, True)
    at = x + 10
    anchor: Anchor = "start"
    # On the side of the entering lines that has room.
    ends = [link.points[-1] for link in picture.links if link.target == outline.path]
    lines = [end[0] for end in ends if abs(end[1] - y) < 1 and x <= end[0] <= x + outline.width]
    if outline.continued:
        lines = list(_through(picture.links, x, x + outline.width, y))
    if (
        picture.direction == "down"
        and lines
        and min(lines) - x < x + outline.width - max(lines)
        and (min(lines) - x < text_width(text, TITLE_SIZE, True) + TITLE_BESIDE - 1)
    ):
        at, anchor = x + outline.width - 10, "end"
    if picture.direction == "down" and lines:
        text, at, anchor = _between(text, at, anchor, sorted({x, *lines, x + outline.width}))
    return [ground, Text(at, y + 16, text, TITLE_SIZE, True, anchor, FAINT, path=outline.path)]


def _through(links: Sequence[Link], left: float, right: float, y: float) -> Iterator[float]:
    """Where lines go down through a level side."""
    for link in links:
        for (x0, y0), (x1, y1) in pairwise(link.points):
            if x0 == x1 and left < x0 < right and min(y0, y1) < y < max(y0, y1):
                yield x0


def _between(text: str, at: float, anchor: Anchor, lines: Sequence[float]) -> tuple[str, float, Anchor]:
    """A title that no line goes through: at the place given, in the first gap that has room, or as much as has room."""
    wide = text_width(text, TITLE_SIZE, True)
    left = at if anchor == "start" else at - wide
    if not any(left - 1 < line < left + wide + 1 for line in lines):
        return text, at, anchor
    gaps = list(pairwise(lines))
    for told in (text, text.split(": ")[0]):
        for low, high in gaps:
            if high - low > text_width(told, TITLE_SIZE, True) + 14:
                return told, low + 8, "start"
    low, high = max(gaps, key=lambda gap: gap[1] - gap[0])
    return shortened(text, high - low - 14, TITLE_SIZE, True), low + 8, "start"


def _box(box: Box) -> list[Shape]:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    shapes: list[Shape] = []
    title = _tooltip(box)
    middle = box.x - STACK * behind(box.kind) / 2
    if box.kind in ("input", "output"):
        shapes.append(
            Rectangle(x, y, box.width, box.height, Style("#3b4652", "#3b4652", 1), box.height / 2, title, box.path)
        )
        ink, light = "#ffffff", "#e4e7ea"
    elif box.kind == "unit":
        colours = FAMILIES[box.families[0]]
        shapes.append(Rectangle(x, y, box.width, box.height, Style(colours.light, None), 4, title, box.path))
        told = 1 if box.tie else 0
        named = len(box.lines) - told == len(box.families)
        top = y + 7 + LINE_HEIGHT * (2 if named else 1)
        for number, family in enumerate(box.families[1:], 1):
            last = number == len(box.families) - 1
            height = LINE_HEIGHT * (1 + told) + 7 if last else LINE_HEIGHT
            shapes.append(
                Rectangle(x, top, box.width, height, Style(FAMILIES[family].light), 4 if last else 0, path=box.path)
            )
            if last:
                shapes.append(Rectangle(x, top, box.width, 5, Style(FAMILIES[family].light), 0, path=box.path))
            top += LINE_HEIGHT
        shapes.append(
            Rectangle(
                x,
                y,
                box.width,
                box.height,
                Style(None, colours.dark, 1, TIED if is_tied(box) else ()),
                4,
                path=box.path,
            )
        )
        ink, light = INK, INK
    else:
        shapes += _stack(x, y, box.width, box.height, behind(box.kind), STACK, box)
        ink, light = INK, FAINT
    baseline = y + 7 + LINE_HEIGHT * 0.5 + HEADING_SIZE * (ASCENT - 0.4)
    shapes.append(Text(middle, baseline, box.heading, HEADING_SIZE, True, "middle", ink, path=box.path))
    for number, text in enumerate(box.lines, 1):
        shapes.append(
            Text(middle, baseline + number * LINE_HEIGHT, text, LINE_SIZE, False, "middle", light, path=box.path)
        )
    return shapes

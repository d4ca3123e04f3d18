"""The shapes of the paper look: volumes, arrows, arcs, windows with their rays, and the legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from archspec.diagnostics import count
from archspec.drawing import palette
from archspec.drawing.palette import FAINT, INK, Colours
from archspec.drawing.scene import (
    Path,
    Point,
    Polygon,
    Rectangle,
    Shape,
    Style,
    Text,
    elbow,
    moved,
    polyline,
    shortened,
    text_width,
)
from archspec.drawing.skyline import Places
from archspec.drawing.steps import Stage, what
from archspec.drawing.volumes import RADIUS, SHOWN, Figure, Volume
from archspec.graph import Node
from archspec.layers import Family

MARK = 2.6
"""Width of the band for a merged layer."""

MAX_BANDS = 12
"""Bands on a volume: more are too narrow to be seen."""

MARGIN = 18.0

_FLOW = Style(stroke=INK, width=1.1)
_ARC = Style(stroke="#47525d", width=1.1)
_DASHED = Style(stroke="#7c3a64", width=1.1, dash=(4, 3))
_FRAME = Style(stroke="#47525d", width=0.8)
_GLASS = Style(fill="#ffffff", opacity=0.55)
TIED = (2.4, 1.6)
"""Dashes of the edges of what uses another's arrays."""
_RAY = Style(stroke="#6b7680", width=0.6, dash=(3, 2))


def into(figure: Figure, at: int) -> list[Shape]:
    """What leads into a volume from its left neighbour: an arrow, or a window and its rays."""
    first = figure.rows.before.get(at)
    if first is None or first not in figure.groups[at].sources:
        return []
    one, two = figure.volumes[first], figure.volumes[at]
    if two.attached:
        return []
    rays = _window(figure, one, two) if figure.windows else []
    if rays:
        return rays
    start = Point(one.end, one.y)
    end = Point(two.box.left - 2 if two.group.first.role != "output" else two.x - 4, two.y)
    if end.x - start.x < 5:
        return []
    style = _DASHED if first in two.group.dashed and len(two.group.sources) == 1 else _FLOW
    return [polyline([start, end], style, arrow=True)]


def _window(figure: Figure, one: Volume, two: Volume) -> list[Shape]:
    """The window of a layer on the map that it reads, and rays to the point that it makes of it."""
    step = two.group.first
    if not (one.group.last.type.is_map and step.type.is_map and step.nodes):
        return []
    layer = figure.graph.nodes[step.nodes[0]].layer
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


def crossing(figure: Figure, one: int, two: int, points: Sequence[Point]) -> Path:
    """A line between rows, with these corners."""
    return elbow(points, _DASHED if one in figure.volumes[two].group.dashed else _FLOW)


def arc(figure: Figure, places: Places, one: int, two: int) -> Path:
    source, target = figure.volumes[one], figure.volumes[two]
    y = places.levels[one, two]
    style = _DASHED if one in target.group.dashed else _ARC
    tip = Point(target.top.x, target.top.y - 1)
    return elbow([source.top, Point(source.top.x, y), Point(tip.x, y), tip], style)


def volume(figure: Figure, placed: Volume) -> list[Shape]:
    step = placed.group.first
    if step.role == "output":
        return []
    if step.role == "symbol":
        return _symbol(figure, placed)
    shapes: list[Shape] = []
    for offset, inner in placed.drawn:
        tie = figure.ties.get(inner.path)
        shapes += _cuboid(placed, placed.x + offset, inner, _title_of(figure, inner), TIED if tie and tie.whole else ())
    if len(placed.group.steps) > SHOWN:
        middle = placed.x + 2 * placed.slab + placed.dots / 2
        for index in (-1, 0, 1):
            at = Point(middle + 6 * index - 1.5, placed.y - 1.5)
            shapes.append(Rectangle(at.x, at.y, 3, 3, Style(fill=INK), radius=1.5))
    return shapes


def _symbol(figure: Figure, placed: Volume) -> list[Shape]:
    step = placed.group.first
    tone = palette.FAMILIES["join"]
    circle = Rectangle(
        placed.x,
        placed.y - RADIUS,
        2 * RADIUS,
        2 * RADIUS,
        Style(tone.light, tone.dark, 1.1),
        RADIUS,
        _title_of(figure, step),
        step.path,
    )
    cross = 4.0
    x, y = placed.middle, placed.y
    across, down = (Point(x - cross, y), Point(x + cross, y)), (Point(x, y - cross), Point(x, y + cross))
    slanted = [(Point(x - 3, y - 3), Point(x + 3, y + 3)), (Point(x - 3, y + 3), Point(x + 3, y - 3))]
    ends = {"+": [across, down], "−": [across], "×": slanted}[step.does]
    return [circle, *(polyline(pair, Style(stroke=tone.dark, width=1.4)) for pair in ends)]


def _title_of(figure: Figure, step: Stage) -> str:
    """The tooltip: what the volume stands for in full."""
    if step.role == "input":
        return f"input {step.type}" if step.name == "input" else f"input {step.name} {step.type}"
    nodes = [figure.graph.nodes[index] for index in step.nodes]
    params = sum(node.params for node in nodes)
    tie = figure.ties.get(step.path)
    shown = [_told(node) for node in nodes[:12]]
    if len(nodes) > 12:
        shown.append(f"… {len(nodes) - 12:,} more layers")
    of_it = count(params, "parameter") if not (tie and tie.whole) else ""
    head = ", ".join(filter(None, [f"{step.path}: {step.type}", of_it, str(tie) if tie else ""]))
    return "\n".join([head, *shown])


def legend(figure: Figure, width: float, y: float) -> tuple[list[Shape], float]:
    entries: list[tuple[Shape | None, str]] = []
    families: dict[Family, Counter[str]] = {}
    blocks = False
    for group in figure.groups:
        for step in group.steps:
            blocks = blocks or step.role == "block"
            if step.role == "layer":
                families.setdefault(step.family, Counter())[step.does] += 1
            for index, mark in zip(step.nodes[len(step.nodes) - len(step.marks) :], step.marks, strict=True):
                if mark in ("activation", "normalisation"):
                    kind = figure.graph.nodes[index].kind.replace("_", " ")
                    families.setdefault(mark, Counter())[kind] += 1
    for family in palette.FAMILIES:
        if family in families and family != "join":
            words = palette.WORDS[family]
            if family in figure.common:
                words += f": {figure.common[family]}"
            elif family in ("activation", "normalisation"):
                words += ": " + ", ".join(list(families[family])[:3])
            entries.append((_swatch(palette.FAMILIES[family]), words))
    if blocks:
        entries.append((_swatch(palette.BLOCK), "block of layers"))
    if any(group.dashed for group in figure.groups):
        entries.append((polyline([Point(0, 0), Point(18, 0)], _DASHED, arrow=True), "indices of maxima"))
    if any(tie.whole for tie in figure.ties.values()):
        tied = Rectangle(0.5, -4.5, 10, 9, Style("#ffffff", INK, 0.8, TIED))
        entries.append((tied, "uses another's weights"))
    maps = any(group.first.type.is_map for group in figure.groups)
    signals = any(group.first.type.is_signal for group in figure.groups)
    bars = any(group.first.type.is_vector for group in figure.groups)
    scales = ["height and width of maps to scale, depth as √channels"] if maps else []
    scales += ["length of signals as √length" + ("" if maps else ", depth as √channels")] if signals else []
    scales += ["length of bars as √features"] if bars else []
    together = "; ".join(scales)
    # What is too long for a row of its own is taken apart.
    fits = text_width(together, 9.5) <= width - 2 * MARGIN - 24
    entries += [(None, words) for words in ([together] if fits else scales)]
    shapes: list[Shape] = []
    x, size = MARGIN, 9.5
    for swatch, words in entries:
        words = shortened(words, width - 2 * MARGIN - 24, size)
        lead = 24.0 if isinstance(swatch, Path) else 16.0 if swatch else 0.0
        long = lead + text_width(words, size)
        if x > MARGIN and x + long > width - MARGIN:
            x, y = MARGIN, y + 16
        if swatch is not None:
            shapes.append(moved(swatch, x, y))
        shapes.append(Text(x + lead, y + 3.4, words, size, colour=FAINT))
        x += long + 18
    return shapes, y + 8


def _swatch(tone: Colours) -> Shape:
    return Rectangle(0, -5, 11, 10, Style(tone.mid, tone.dark, 0.8))


def _told(node: Node) -> str:
    return f"{node.path}: {what(node)} → {node.output}"


def _cuboid(placed: Volume, x: float, step: Stage, title: str, dash: tuple[float, ...]) -> list[Shape]:
    """A slab: front, upper and right face, with bands for merged layers and lines between stacked channels."""
    tone = palette.INPUT if step.role == "input" else palette.FAMILIES[step.family]
    if step.role == "block":
        tone = palette.BLOCK
    right, up = placed.back
    left, top, bottom = x - right / 2, placed.y - placed.height / 2 + up / 2, placed.y + placed.height / 2 + up / 2
    end = left + placed.slab
    edge = 0.8 if min(placed.height, placed.slab) > 4 else 0.5

    def face(points: Iterable[tuple[float, float]], fill: str, **told: str) -> Polygon:
        return Polygon(tuple(Point(*point) for point in points), Style(fill, tone.dark, edge, dash), **told)

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

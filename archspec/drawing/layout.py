"""Where the parts of a network go in a drawing: Graphviz places each block's parts once, as a frame.

All coordinates are those of a drawing that goes down. One that goes to the right has x and y exchanged, which
unfolding.py does last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from archspec.drawing import DrawingError
from archspec.drawing.captions import Caption, about, caption, families
from archspec.drawing.pieces import Flow, Kind, Piece, Pieces
from archspec.drawing.ports import PORT_STEP
from archspec.drawing.ranks import MAX_PASSED, Lane, passed, placed_by_dot
from archspec.drawing.routing import routed
from archspec.drawing.scene import shortened, text_width
from archspec.drawing.sharing import Tie
from archspec.graph import Graph
from archspec.layers import Family, Port
from archspec.types import TensorType

Direction = Literal["down", "right"]
Points = tuple[tuple[float, float], ...]

HEADING_SIZE = 11.0
LINE_SIZE = 10.0
LINE_HEIGHT = 14.0
SHAPE_SIZE = 9.0
TITLE_SIZE = 10.5
SHAPE_BESIDE = 5.0
TITLE_BESIDE = 16.0
"""Sizes of text in boxes, distance of its lines, sizes of shapes beside links and of blocks' titles, and how far
shapes are beside their links, in pixels."""

_BESIDE, _ABOVE = 10.0, 7.0
_MIN_WIDTH, _MAX_TEXT = 112.0, 240.0

STACK = 3.0
"""How far the boxes behind a folded one stick out, to the right and below, within its size."""

TITLE = 24.0
MARGIN = 12.0
"""What an open block has around its frame: a bar with its name at the top, and margins at the other sides."""


@dataclass(frozen=True)
class Box:
    """A part of a block when it is folded: its centre and size in its frame.

    `kind` is "input", "output", "unit" (a layer with the element-wise layers that follow it), "block", or "run"
    (alike blocks in a chain, or a stretch of very many parts). `layers` are the paths of the layers inside; `path` is
    that of the block, or of the first layer. Blocks and runs can be unfolded: their paths are keys of the frames. The
    input has the path `@input`, of several the input NAME `@input.NAME`, the output NAME `@output.NAME`, and the run of
    `layer3.1` to `layer3.35` `layer3.1…35`. `heading` and `lines` are its text: the lines of a unit are its layers',
    or, where the heading is the first layer's, those of the others. `families` says for each layer of a unit what it
    does, `count` how many parts a block or run has. `tie` tells of the layer or block whose arrays it uses; then the
    last line says so.
    """

    path: str
    x: float
    y: float
    width: float
    height: float
    kind: Kind
    heading: str
    lines: tuple[str, ...]
    layers: tuple[str, ...]
    families: tuple[Family, ...] = ()
    count: int = 1
    tie: Tie | None = None


@dataclass(frozen=True)
class Link:
    """A value that flows from one box of a frame to another, or, where one is "", to or from outside.

    `tensor` is the path of the layer whose output it is, or the input's. `points` are the corners of a line whose parts
    are vertical and horizontal in turn, a vertical one first and last, of length 0 where nothing is to be gone: at
    least four points, which start at the source's lower side and end at the target's upper one, or at the frame's
    border. `shape` is the tensor's, as `56×56×64`; `port` what the target takes of it; `skip` marks a link that
    passes by other parts.
    """

    source: str
    target: str
    tensor: str
    points: Points
    shape: str
    port: Port = "value"
    skip: bool = False


@dataclass(frozen=True)
class Frame:
    """The parts of an open block, or of the network (path ""), each folded. Nothing in it overlaps or leaves it.

    `heading` is the open block's title, and `heading_width` the room that it takes.
    """

    path: str
    heading: str
    heading_width: float
    width: float
    height: float
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    direction: Direction = "down"
    left_out: int = 0
    """Links that are not drawn, since too many pass other boxes to be told apart."""
    tie: Tie | None = None
    """Whose arrays it uses, if not its own."""

    @property
    def anchor(self) -> float:
        """The x where its first value enters, which takes the place of its folded box's centre."""
        return next((link.points[0][0] for link in self.links if not link.source), self.width / 2)


@dataclass(frozen=True)
class Outline:
    """An open block: its centre and size in a picture, bar and margins included. `level` is 1 for the outermost, `tie`
    the frame's. One that goes on in the next column has several, all but the first `continued`.
    """

    path: str
    heading: str
    x: float
    y: float
    width: float
    height: float
    level: int
    tie: Tie | None = None
    continued: bool = False


@dataclass(frozen=True)
class Picture:
    """A network with some blocks open: boxes, outlines of open blocks from the outside in, and links.

    A link's source and target are paths of boxes or outlines; where it comes from inside an outline it ends at its
    side.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    outlines: tuple[Outline, ...]
    links: tuple[Link, ...]
    direction: Direction = "down"

    @property
    def items(self) -> tuple[Box | Outline, ...]:
        """Boxes and outlines."""
        return (*self.boxes, *self.outlines)


_Routed = tuple[float, float, list[tuple[float, float]], list[list[tuple[float, float]]]]
"""What `routed` says of a frame: width, height, the boxes' centres, the lines' corners."""


def arrange(
    graph: Graph, direction: Direction = "down", opened: Collection[str] | None = None, *, sparse: bool = False
) -> dict[str, Frame]:
    """The frames of a network and all its blocks, by path; where `opened` is given, only of these and the network.

    The graph is drawn as it is: prune it for evaluation first. Raises `DrawingError` where more links pass other boxes
    than can be told apart; `sparse` leaves these out instead.
    """
    return arranged(Pieces(graph), direction, opened, sparse=sparse)


def arranged(
    pieces: Pieces, direction: Direction = "down", opened: Collection[str] | None = None, *, sparse: bool = False
) -> dict[str, Frame]:
    """`arrange` for pieces that are known."""
    known: dict[object, _Routed] = {}
    wanted = [
        piece
        for piece in pieces.root.walk()
        if piece.opens and (not piece.path or opened is None or piece.path in opened)
    ]
    frames: dict[str, Frame] = {}
    # From the inside out: how lines meet a block that can be opened is known then.
    for piece in reversed(wanted):
        frames[piece.path] = _frame(pieces, piece, direction, known, frames, sparse=sparse)
    return {piece.path: frames[piece.path] for piece in wanted}


def behind(kind: Kind) -> int:
    """How many boxes a folded box shows behind it."""
    return {"block": 1, "run": 2}.get(kind, 0)


def size_of(text: Caption, kind: Kind) -> tuple[float, float]:
    """Width and height of a box for its text, what is seen of those behind it included."""
    widths = [text_width(text.heading, HEADING_SIZE, True), *(text_width(line, LINE_SIZE) for line in text.lines)]
    more = STACK * behind(kind)
    width, height = max(_MIN_WIDTH, max(widths) + 2 * _BESIDE), LINE_HEIGHT * (1 + len(text.lines)) + 2 * _ABOVE
    return width + more, height + more


def _fitted(text: Caption) -> Caption:
    """A box's text with what is too long for a box cut in the middle."""
    lines = tuple(shortened(line, _MAX_TEXT, LINE_SIZE) for line in text.lines)
    return Caption(shortened(text.heading, _MAX_TEXT, HEADING_SIZE, True), lines)


def _legible(pieces: Pieces, piece: Piece, *, sparse: bool) -> tuple[list[Flow], int]:
    """What flows between the parts of a piece, and how many links are left out.

    Where too many pass other parts to be told apart, only those that pass none are kept.
    """
    flows = pieces.flows(piece)
    between = passed(len(piece.pieces), [Lane(flow.source, flow.target, flow.tensor) for flow in flows])
    if sum(between) <= MAX_PASSED:
        return flows, 0
    near = [flow for flow, ranks in zip(flows, between, strict=True) if not ranks]
    if not sparse:
        raise DrawingError(
            f"{len(flows) - len(near):,} links of {piece.path or 'the network'} pass other layers, which cannot be "
            "told apart: put layers into blocks, which are folded, or join with what was joined before"
        )
    return near, len(flows) - len(near)


def _frame(
    pieces: Pieces,
    piece: Piece,
    direction: Direction,
    known: dict[object, _Routed],
    frames: Mapping[str, Frame],
    *,
    sparse: bool,
) -> Frame:
    graph = pieces.graph
    texts = [_fitted(caption(pieces, inner, piece.path)) for inner in piece.pieces]
    sizes = [size_of(text, inner.kind) for text, inner in zip(texts, piece.pieces, strict=True)]
    flows, left_out = _legible(pieces, piece, sparse=sparse)
    if direction == "right":
        sizes = [(height, width) for width, height in sizes]
    else:
        # Each tensor that leaves a box has room for its shape.
        leaving = Counter(source for source, _ in {(flow.source, flow.tensor) for flow in flows})
        sizes = [
            (max(width, PORT_STEP * leaving[number]) if leaving[number] > 1 else width, height)
            for number, (width, height) in enumerate(sizes)
        ]
    numbers: dict[int, int] = {}
    # Blocks that are alike but for their names are placed once.
    tensors = tuple(numbers.setdefault(flow.tensor, len(numbers)) for flow in flows)
    # Going to the right, shapes stand along the lines.
    shapes = [text_width(str(_type(graph, flow)), SHAPE_SIZE) for flow in flows if flow.source is not None]
    room = max(shapes, default=0.0) + 2 * SHAPE_BESIDE if direction == "right" else 0.0
    inside = _inside(pieces, piece, flows, frames)
    key = (
        room,
        inside,
        tuple(sizes),
        tuple((flow.source, flow.target, tensor, flow.port) for flow, tensor in zip(flows, tensors, strict=True)),
    )
    if key not in known:
        lanes = [Lane(flow.source, flow.target, tensor) for flow, tensor in zip(flows, tensors, strict=True)]
        known[key] = routed(sizes, lanes, placed_by_dot(sizes, lanes), room, inside)
    width, height, centres, routes = known[key]
    if direction == "down":
        # Shapes beside the lines are in the frame too.
        ends = [route[0][0] + SHAPE_BESIDE + text_width(str(_type(graph, flow)), SHAPE_SIZE)
                for flow, route in zip(flows, routes, strict=True) if flow.source is not None]  # fmt: skip
        width = max([width, *ends])
    boxes = tuple(
        Box(
            inner.path, x, y, *size, inner.kind, text.heading, text.lines,
            tuple(graph.nodes[index].path for index in inner.nodes), families(graph, inner), max(1, len(inner.pieces)),
            pieces.ties.get(inner.path),
        )
        for inner, (x, y), size, text in zip(piece.pieces, centres, sizes, texts, strict=True)
    )  # fmt: skip
    links = tuple(_link(pieces, piece, flow, points) for flow, points in zip(flows, routes, strict=True))
    title = shortened(_title(pieces, piece), _MAX_TEXT, TITLE_SIZE, True)
    return Frame(
        piece.path,
        title,
        text_width(title, TITLE_SIZE, True) + TITLE_BESIDE,
        width,
        height,
        boxes,
        links,
        direction,
        left_out,
        pieces.ties.get(piece.path),
    )


def _inside(
    pieces: Pieces, piece: Piece, flows: Sequence[Flow], frames: Mapping[str, Frame]
) -> tuple[tuple[float | None, float | None], ...]:
    """Of each flow how far from their middles it leaves and enters blocks that are open; None where nothing opens."""
    ends: dict[int, tuple[dict[str, float], dict[str, float]]] = {}
    for number, inner in enumerate(piece.pieces):
        if frame := frames.get(inner.path):
            entries: dict[str, float] = {}
            exits: dict[str, float] = {}
            for link in frame.links:
                if not link.source:
                    entries.setdefault(link.tensor, link.points[0][0] - frame.anchor)
                if not link.target:
                    exits.setdefault(link.tensor, link.points[-1][0] - frame.anchor)
            ends[number] = entries, exits
    found = []
    for flow in flows:
        tensor = pieces.tensor(flow.tensor)
        leaves = ends[flow.source][1].get(tensor, 0.0) if flow.source in ends and flow.source is not None else None
        enters = ends[flow.target][0].get(tensor, 0.0) if flow.target in ends and flow.target is not None else None
        found.append((leaves, enters))
    return tuple(found)


def _title(pieces: Pieces, piece: Piece) -> str:
    title = f"{piece.name}: {what}" if (what := about(piece)) else piece.name
    return f"{title} · {tie}" if (tie := pieces.ties.get(piece.path)) else title


def _type(graph: Graph, flow: Flow) -> TensorType:
    return graph.source_type(flow.tensor)


def _link(pieces: Pieces, piece: Piece, flow: Flow, points: Sequence[tuple[float, float]]) -> Link:
    source, target = ("" if end is None else piece.pieces[end].path for end in (flow.source, flow.target))
    # Between neighbouring ranks a line has three parts; more when it passes by a rank.
    skip = len(points) > 4
    shape = str(_type(pieces.graph, flow))
    return Link(source, target, pieces.tensor(flow.tensor), tuple(points), shape, flow.port, skip)


def shape_place(x: float, y: float, direction: Direction) -> tuple[float, float]:
    """Where the shape of what leaves a box at a place begins, on its baseline."""
    return (x + SHAPE_BESIDE, y + 12) if direction == "down" else (x + 4, y - 4)


def turned(picture: Picture, direction: Direction = "down") -> Picture:
    """The picture with x and y exchanged, which goes in this direction then."""

    def box(item: Box) -> Box:
        return replace(item, x=item.y, y=item.x, width=item.height, height=item.width)

    def outline(item: Outline) -> Outline:
        return replace(item, x=item.y, y=item.x, width=item.height, height=item.width)

    links = tuple(replace(link, points=tuple((y, x) for x, y in link.points)) for link in picture.links)
    boxes, outlines = tuple(map(box, picture.boxes)), tuple(map(outline, picture.outlines))
    return Picture(picture.height, picture.width, boxes, outlines, links, direction)

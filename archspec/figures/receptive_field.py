"""Receptive fields (Araujo et al. 2019, distill.pub)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, prod
from typing import NamedTuple

from archspec.graph import Graph, Node, input_number, is_input, needed
from archspec.layers import Window
from archspec.types import TensorType


class ReceptiveField(NamedTuple):
    """What one output position depends on, per axis (height, width), in input pixels; of a signal the second axis says
    nothing.

    `size` is the extent, `jump` the distance between neighbouring positions' fields, `start` the centre of the first
    position's field, pixel centres being at 0.5, 1.5, … Jumps are fractions after layers that enlarge their input.
    """

    size: tuple[int, int]
    jump: tuple[float, float]
    start: tuple[float, float]


FAR = 10**15
"""Input pixels between two positions beyond which distances are not told apart; no image is so large."""

POINT = ReceptiveField((1, 1), (1, 1), (0.5, 0.5))
"""The receptive field of the network's input."""


def receptive_field(
    window: Window | None, inputs: Sequence[ReceptiveField], types: Sequence[TensorType]
) -> ReceptiveField:
    """The field after a layer with this window: size += (F−1)·jump, jump ×= S; over several inputs the union.

    An input with one position on an axis, such as a gate that multiplies a map, has no distance between positions
    there: the jump is that of the others.
    """
    axes = [_joined(window, inputs, types, axis) for axis in (0, 1)]
    sizes, jumps, starts = zip(*axes, strict=True)
    return ReceptiveField((sizes[0], sizes[1]), (jumps[0], jumps[1]), (starts[0], starts[1]))


def _joined(
    window: Window | None, inputs: Sequence[ReceptiveField], types: Sequence[TensorType], axis: int
) -> tuple[int, float, float]:
    """Size, jump and start on one axis."""
    fields = [_step(window, item, kind, axis) for item, kind in zip(inputs, types, strict=True)]
    if len(fields) == 1:
        size, jump, start = fields[0]
        return _pixels(size), jump, start
    several = [field[1] for field, kind in zip(fields, types, strict=True) if _extent(kind, axis) > 1]
    first = min(start - size / 2 for size, _, start in fields)
    end = max(start + size / 2 for size, _, start in fields)
    return _pixels(end - first), max(several or [field[1] for field in fields]), _whole((first + end) / 2)


def _extent(kind: TensorType, axis: int) -> int:
    """Positions on an axis; a signal has no second one, a vector none."""
    return kind.spatial[axis] if axis < len(kind.spatial) else 1


def _pixels(size: float) -> int:
    """A part of a pixel counts as one."""
    return ceil(size - 1e-6)


def _whole(value: float) -> float:
    """A whole number without the traces of division."""
    nearest = round(value)
    return nearest if abs(value - nearest) < 1e-9 else value


def _step(window: Window | None, field: ReceptiveField, kind: TensorType, axis: int) -> tuple[float, float, float]:
    size, jump, start = field.size[axis], field.jump[axis], field.start[axis]
    if window is None:
        reach = (_extent(kind, axis) - 1) * jump
        return size + reach, jump, start + reach / 2
    kernel, stride, pad = window.kernel[axis], window.stride[axis], window.pad[axis]
    return size + (kernel - 1) * jump, _whole(min(jump * stride, FAR)), start + ((kernel - 1) / 2 - pad) * jump


def takes_whole_map(node: Node) -> bool:
    """Whether every output depends on the whole map: flatten, dense, and poolings that leave one position."""
    if node.layer.footprint(node.input_types, node.output) is None:
        return True
    return node.layer.family == "pooling" and prod(node.output.spatial) == 1 != prod(node.input_types[0].spatial)


def fields_of(graph: Graph) -> list[dict[int, ReceptiveField]]:
    """The receptive fields of every node, by the images and signals that it sees, first inputs first.

    Over several ways to one input it is the union. A node that sees vectors alone has none, since numbers of a vector
    have no places.
    """
    places = [input_number(place) for place, item in enumerate(graph.inputs) if not item.type.is_vector]
    if len(places) < 2:
        return [{} if node.sees is None else {node.sees: node.receptive_field} for node in graph.nodes]
    found: list[dict[int, ReceptiveField]] = []
    for node in graph.nodes:
        window = node.layer.footprint(node.input_types, node.output)
        taken = [
            ({source: POINT} if is_input(source) else found[source], kind)
            for source, kind, port in zip(node.inputs, node.input_types, node.ports, strict=True)
            if port != "shape"
        ]
        own: dict[int, ReceptiveField] = {}
        for place in places:
            over = [(fields[place], kind) for fields, kind in taken if place in fields]
            if over:
                fields, types = zip(*over, strict=True)
                own[place] = receptive_field(window, fields, types)
        found.append(own)
    return found


def with_places(graph: Graph) -> list[tuple[Node, dict[int, ReceptiveField]]]:
    """The layers of the first output whose positions still stand for places in an image or a signal, and their fields
    in each whose places they have.

    Layers that have only what a layer over the whole map gave them are not among them; where such a path meets one that
    still has places, as a gate meets the map that it multiplies, the places remain.
    """
    own = needed(graph.nodes, [graph.outputs[0].node])
    placed: list[set[int]] = []
    for node in graph.nodes:
        seen: set[int] = set()
        if not node.output.is_vector and not takes_whole_map(node):
            for source, port in zip(node.inputs, node.ports, strict=True):
                if port == "value":
                    seen |= {source} if is_input(source) else placed[source]
        placed.append(seen)
    return [
        (node, {place: field for place, field in fields.items() if place in placed[index]})
        for index, (node, fields) in enumerate(zip(graph.nodes, fields_of(graph), strict=True))
        if index in own and placed[index]
    ]


class Seen(NamedTuple):
    """The part of an input that one position depends on, per axis: from `first` up to but without `end`, in pixels.

    It is cut off at the input's borders. Not `exact` where less may be seen: behind layers that enlarge their input.
    """

    first: tuple[int, ...]
    end: tuple[int, ...]
    exact: bool = True


def seen_by(graph: Graph, index: int, position: Sequence[int]) -> dict[int, Seen]:
    """What a position of a node's output depends on, by the images and signals that it sees.

    Windows are followed backwards layer by layer and cut off at the border of each map, since padding shows nothing of
    the input: where a layer's windows lie depends on the position, which `ReceptiveField` knows for the middle alone.
    """
    own = tuple((at, at) for at in position)
    spans: dict[int, tuple[tuple[tuple[int, int], ...], bool]] = {index: (own, True)}
    for number in range(index, -1, -1):
        if number not in spans:
            continue
        node, (span, exact) = graph.nodes[number], spans[number]
        window = node.layer.footprint(node.input_types, node.output)
        for source, kind, port in zip(node.inputs, node.input_types, node.ports, strict=True):
            if port == "shape" or (kind.is_vector and is_input(source)):
                continue
            found, sure = _before(window, span, kind)
            if source in spans:
                known, certain = spans[source]
                found = tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(found, known, strict=True))
                sure = sure and certain
            spans[source] = found, exact and sure
    return {
        source: Seen(tuple(first for first, _ in span), tuple(last + 1 for _, last in span), exact)
        for source, (span, exact) in spans.items()
        if is_input(source)
    }


def _before(
    window: Window | None, span: Sequence[tuple[int, int]], kind: TensorType
) -> tuple[tuple[tuple[int, int], ...], bool]:
    """The positions of a layer's input that positions of its output see, first and last, per axis, and whether all."""
    if window is None or len(span) != len(kind.spatial):
        return tuple((0, size - 1) for size in kind.spatial), True
    found, exact = [], True
    for axis, ((first, last), size) in enumerate(zip(span, kind.spatial, strict=True)):
        kernel, stride, pad = window.kernel[axis], window.stride[axis], window.pad[axis]
        low, high = first * stride - pad, last * stride - pad + kernel - 1
        exact = exact and stride >= 1
        found.append((min(max(floor(low + 1e-6), 0), size - 1), max(min(ceil(high - 1e-6), size - 1), 0)))
    return tuple(found), exact

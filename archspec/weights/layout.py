"""Arrays in PyTorch's order of axes and back, by the names of a weight's axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from archspec.graph import Graph, Node, input_number
from archspec.layers import Weight

Order = tuple[tuple[int, int, int], ...] | None
"""How the features of a vector came about: (height, width, channels) one after the other, (length, 1, channels) of a
signal; None where it is unknown."""

PLACES = {
    "HWIO": (3, 2, 0, 1),
    "HWio": (2, 3, 0, 1),
    "LIO": (2, 1, 0),
    "Lio": (1, 2, 0),
    "IO": (1, 0),
    "CO": (1, 0),
    "HWC": (2, 0, 1),
    "LC": (1, 0),
}
"""Where PyTorch's axes are among this package's."""


_KERNELS = ("HWIO", "LIO", "IO", "CO")


class LayoutError(Exception):
    """An array cannot be brought to the other layout; the words say why."""


def orders(graph: Graph) -> dict[str, Order]:
    """For each node whose first input is a vector, how that vector was flattened.

    PyTorch flattens channels first, this package channels last. What a flattened map goes through on its way to a dense
    layer keeps the order: layers of one input that leave its shape, and concatenation. So it is with signals.
    """
    after = orders_after(graph)
    known: dict[str, Order] = {}
    for node in graph.nodes:
        if node.input_types[0].is_vector:
            before = after[node.inputs[0]]
            known[node.path] = None if node.layer.reorders and not is_plain(before) else before
    _take_back_unlike(graph, known)
    return known


def orders_after(graph: Graph) -> dict[int, Order]:
    """How each input that is a vector, and each node's output that is one, was flattened; None of other things."""
    after: dict[int, Order] = {
        input_number(place): ((1, 1, item.type.channels),) for place, item in enumerate(graph.inputs)
    }
    for index, node in enumerate(graph.nodes):
        after[index] = _after(node, [after[source] for source in node.inputs])
    return after


def _take_back_unlike(graph: Graph, known: dict[str, Order]) -> None:
    """Makes the order unknown of layers that share arrays and take features in different orders.

    One array cannot be turned for both: PyTorch's layers, which see the features channels first, compute another thing.
    """
    sharing = {node.owner for node in graph.nodes if node.shares is not None}
    users = [node for node in graph.nodes if node.owner in sharing and node.path in known]
    taken: dict[str, set[Order]] = {}
    for node in users:
        taken.setdefault(node.owner, set()).add(known[node.path])
    known.update((node.path, None) for node in users if len(taken[node.owner]) > 1)


def _after(node: Node, before: list[Order]) -> Order:
    if not node.output.is_vector:
        return None
    first = node.input_types[0]
    mixes = any("O" in weight.axes for weight in node.arrays)
    if first.spatial and node.layer.is_view:
        height, width = (*first.spatial, 1)[:2]
        return ((height, width, first.channels),)
    if first.spatial or mixes:
        return ((1, 1, node.output.channels),)
    if node.kind == "concat":
        return None if None in before else tuple(part for order in before for part in order or ())
    if len(set(before)) == 1 and node.output.shape == first.shape and not node.layer.reorders:
        return before[0]
    # A layer that does something else to the features: harmless where they were never a map.
    return ((1, 1, node.output.channels),) if all(map(is_plain, before)) else None


def is_plain(order: Order) -> bool:
    """Whether the features were never a map."""
    return order is not None and all(part[:2] == (1, 1) for part in order)


def from_torch(array: np.ndarray, weight: Weight, order: Order, form: str = "") -> np.ndarray:
    """An array of PyTorch's layout in this package's. Raises `LayoutError` where its shape does not fit.

    The shape may be that of any form, and the words of the error have the one that is expected.
    """
    turned = _from_torch(array, weight, order)
    if turned is None or turned.shape != weight.shape:
        raise LayoutError(f"is {shape_text(array.shape)}, not {shape_text(to_torch_shape(weight, order, form))}")
    return np.ascontiguousarray(turned)


def _from_torch(array: np.ndarray, weight: Weight, order: Order) -> np.ndarray | None:
    if weight.axes in ("HWIO", "HWio", "LIO", "Lio"):
        *sizes, inner, outer = weight.shape
        if array.ndim == 2 and weight.axes in ("HWIO", "LIO") and array.shape == (outer, inner * prod(sizes)):
            # A dense layer as a convolution over the whole of its map (Long et al. 2015, section 3.1).
            array = array.reshape(outer, inner, *sizes)
        return array.transpose(np.argsort(PLACES[weight.axes])) if array.ndim == len(weight.shape) else None
    if weight.axes == "IO":
        # A 1×1 convolution is the same.
        array = array.reshape(array.shape[:2]) if set(array.shape[2:]) == {1} else array
        return array.T if array.ndim == 2 else None
    if weight.axes == "CO":
        if array.ndim in (3, 4) and prod(array.shape[1:]) == weight.shape[0]:
            # A convolution over the whole map or signal as a dense layer.
            sizes = [*array.shape[2:], 1][:2]
            if set(sizes) != {1} and order != ((*sizes, array.shape[1]),):
                return None
            array = array.reshape(array.shape[0], -1)
        return _channels_last(array.T, order) if array.ndim == 2 and array.shape[::-1] == weight.shape else None
    if weight.axes == "C":
        # One number for each channel of a map, as it is multiplied with one: (C, 1, 1).
        array = array.reshape(array.shape[:1]) if array.ndim > 1 and set(array.shape[1:]) == {1} else array
        return _channels_last(array, order) if array.shape == weight.shape else None
    if weight.axes in ("HWC", "LC"):
        return array.transpose(np.argsort(PLACES[weight.axes])) if array.ndim == len(weight.shape) else None
    return array


def to_torch(array: np.ndarray, weight: Weight, order: Order, form: str = "") -> np.ndarray:
    """An array of this package's layout in PyTorch's, its shape of a form."""
    shape = to_torch_shape(weight, order, form)
    if weight.axes in ("CO", "C"):
        array = _channels_first(array, order)
    places = PLACES.get(weight.axes)
    return np.ascontiguousarray(array if places is None else array.transpose(places)).reshape(shape)


def to_torch_shape(weight: Weight, order: Order, form: str = "") -> tuple[int, ...]:
    """The shape that an array has in PyTorch's layout, or in one of the other forms that the same numbers may have.

    A kernel of a convolution may be that of a dense layer, `OI`, and one of a dense layer that of a convolution over
    the map that its input was, `OIHW` or `OIL`; one number for each channel may have axes of 1 behind, `CHW` or `CL`.
    """
    places = PLACES.get(weight.axes)
    shape = weight.shape if places is None else tuple(weight.shape[place] for place in places)
    if form == "OI":
        return (shape[0], prod(shape[1:]))
    if not form or len(shape) == len(form):
        return shape
    if weight.axes == "CO" and order is not None and len(order) == 1:
        *sizes, channels = order[0]
        if prod(sizes[len(form) - 2 :]) == 1:
            return (shape[0], channels, *sizes[: len(form) - 2])
    return (*shape, *(1 for _ in form[len(shape) :]))


def has_form(weight: Weight, form: str) -> bool:
    """Whether an array may have a form: axes of a kernel, `O` first, or of a number for each channel, `C` first."""
    kernels = ("HWIO", "IO", "CO") if form == "OIHW" else ("LIO", "IO", "CO") if form == "OIL" else _KERNELS
    return bool(form) and weight.axes in (kernels if form[0] == "O" else ("C",))


def _channels_last(array: np.ndarray, order: Order) -> np.ndarray:
    """The first axis from (C, H, W) order to (H, W, C)."""
    turned = [
        part.reshape(channels, height, width, *part.shape[1:]).transpose(1, 2, 0, *range(3, part.ndim + 2))
        for part, (height, width, channels) in _parts(array, order)
    ]
    return np.concatenate([part.reshape(-1, *array.shape[1:]) for part in turned])


def _channels_first(array: np.ndarray, order: Order) -> np.ndarray:
    """The first axis from (H, W, C) order to (C, H, W)."""
    turned = [
        part.reshape(*shape, *part.shape[1:]).transpose(2, 0, 1, *range(3, part.ndim + 2))
        for part, shape in _parts(array, order)
    ]
    return np.concatenate([part.reshape(-1, *array.shape[1:]) for part in turned])


def _parts(array: np.ndarray, order: Order) -> Iterator[tuple[np.ndarray, tuple[int, int, int]]]:
    """The parts of the first axis that were flattened maps, each with its height, width and channels."""
    if order is None:
        raise LayoutError(
            "belongs to features whose order in PyTorch cannot be told: a layer mixes them after flattening, or layers "
            "that share it flatten them differently"
        )
    return zip(np.split(array, np.cumsum([prod(shape) for shape in order])[:-1]), order, strict=True)


def order_of(node: Node, orders: Mapping[str, Order]) -> Order:
    """The order of the features that a node's arrays go with."""
    return orders.get(node.path, ((1, 1, node.input_types[0].channels),))


def shape_text(shape: Sequence[int]) -> str:
    """`64×3×7×7`; a number without axes is `a number`."""
    return "×".join(map(str, shape)) or "a number"

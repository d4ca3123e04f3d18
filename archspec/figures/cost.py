"""What a layer costs beside its forward operations: bytes moved, and operations of the backward pass."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from archspec.graph import is_input
from archspec.types import DTYPE_BYTES

if TYPE_CHECKING:
    from archspec.graph import Graph, Node


def width(dtype: str) -> int:
    """Bytes of an element in memory; tf32 is a way to multiply float32 numbers. Raises KeyError for another dtype."""
    return DTYPE_BYTES["float32" if dtype == "tf32" else dtype]


def bytes_moved(
    node: Node, batch: int = 1, dtype: str = "float32", *, fusion: bool = True, indices: bool = False
) -> int:
    """Bytes that a layer's forward pass moves between memory and processor for a batch.

    Inputs and output of the whole batch, and the layer's weights and statistics once. Of an input of which a layer
    takes the shape only, nothing is moved; `indices` says that the layer also writes the indices of its maxima. A view
    moves nothing.

    With `fusion` an element-wise layer is computed where its largest input is made, as XLA does: that input is not read
    nor its output written anew, since what made the input writes this output instead. Other inputs and weights are
    read. A layer that takes the network's input has nothing to be fused into.
    """
    layer = node.layer
    if layer.is_view:
        return 0
    size = width(dtype)
    read = [
        kind.bytes if port == "indices" else size * kind.size
        for kind, port in zip(node.input_types, node.ports, strict=True)
        if port != "shape"
    ]
    if fusion and fuses(node):
        read.remove(max(read))
        written = 0
    else:
        written = size * node.output.size
    if indices and (taps := layer.tap_indices(*node.input_types)) is not None:
        written += taps.bytes
    return batch * (sum(read) + written) + size * sum(weight.size for weight in node.arrays)


def fuses(node: Node) -> bool:
    """Whether a layer can be computed where its largest input is made."""
    return node.layer.in_place and not any(map(is_input, node.inputs))


def indexed(graph: Graph) -> set[int]:
    """The nodes whose indices of maxima another layer takes."""
    return {
        source
        for node in graph.nodes
        for source, port in zip(node.inputs, node.ports, strict=True)
        if port == "indices"
    }


def trained(graph: Graph, frozen: Collection[str] = ()) -> list[tuple[bool, bool]]:
    """For each node whether its own weights are trained, and whether something below it is.

    Where either holds it has a backward pass. Below is what its value is computed from: a layer of which only the shape
    is taken is not. Layers whose paths are `frozen` are not trained.
    """
    gradients: list[tuple[bool, bool]] = []
    for node in graph.nodes:
        own = node.uses("trainable") > 0 and node.owner not in frozen
        below = any(any(gradients[source]) for source in node.value_sources)
        gradients.append((own, below))
    return gradients


def backward_flops(graph: Graph) -> list[int]:
    """Operations of each node's backward pass for one sample, in the nodes' order.

    A convolution or dense layer has a product as large as the forward one for the gradient of its weights, and another
    for that of its input where something below is trained; the other operations count as often as forward. Where
    nothing at or below a layer is trained there is no backward pass.
    """
    return [
        2 * node.cost.macs * (own + below) + node.cost.other if own or below else 0
        for node, (own, below) in zip(graph.nodes, trained(graph), strict=True)
    ]


def training_flops(graph: Graph) -> int:
    """Operations of one sample's forward and backward pass in training, train-only heads included."""
    seen = graph.pruned("train")
    return seen.flops + sum(backward_flops(seen))

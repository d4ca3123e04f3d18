"""1×1 convolutions of the same input are one, whose filters are those of all: one large product for several small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from archspec.layers.conv import Conv
from archspec.passes._base import Group, outside

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.types import TensorType


def find(graph: Graph, scope: Iterable[int], folded: Sequence[Group] = ()) -> tuple[Group, ...]:
    """The groups of convolutions with a kernel of 1, without padding or groups, that share input and stride.

    `folded` are convolutions with their batch norms; those that are not fused come back as they are.
    """
    units = {index: Group("fuse_pointwise", (index,)) for index in outside(scope, folded)}
    units |= {group.first: group for group in folded}
    alike: dict[tuple[object, ...], list[Group]] = {}
    for index in sorted(units):
        node = graph.nodes[index]
        if type(node.layer) is Conv and _is_pointwise(node.layer, node.input_types[0]):
            alike.setdefault((node.inputs, node.layer.stride), []).append(units[index])
    fused = [own for own in alike.values() if len(own) > 1]
    taken = {group.first for own in fused for group in own}
    return (
        *(group for group in folded if group.first not in taken),
        *(
            Group(
                "fuse_pointwise",
                tuple(sorted(index for group in own for index in group.members)),
                tuple(group for group in own if len(group.members) > 1),
            )
            for own in fused
        ),
    )


def _is_pointwise(layer: Conv, x: TensorType) -> bool:
    taps = layer.kernel if x.is_map else layer.kernel[:1]
    return layer.groups == 1 and set(taps) == {1} and not any(map(any, layer.padding(x)))

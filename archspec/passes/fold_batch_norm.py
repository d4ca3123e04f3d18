"""In evaluation a batch norm after a convolution is a part of it: factors go into the kernel, the rest is a bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archspec.layers.batch_norm import BatchNorm
from archspec.layers.conv import Conv
from archspec.layers.dense import Dense
from archspec.layers.depthwise_conv import DepthwiseConv
from archspec.layers.transposed_conv import TransposedConv
from archspec.passes._base import Group, consumers

if TYPE_CHECKING:
    from archspec.graph import Graph

LINEAR = (Conv, DepthwiseConv, TransposedConv, Dense)
"""Kinds that multiply by a `kernel` whose filters are its last axis, and add a `bias`."""


def find(graph: Graph, scope: Iterable[int]) -> tuple[Group, ...]:
    """The pairs of a convolution and its batch norm among the nodes of a scope; the graph is pruned to evaluation.

    With f = scale/√(σ² + ε) they are x ∗ (K·f) + (b − μ)·f + bias. Not where something else takes the convolution's
    output, the network among it, nor where another node uses the arrays of one of both.
    """
    takers, uses = consumers(graph), Counter(node.owner for node in graph.nodes)
    returned, here = {output.node for output in graph.outputs}, set(scope)
    found = []
    for index in sorted(here):
        node, (source, *_) = graph.nodes[index], graph.nodes[index].inputs
        if type(node.layer) is not BatchNorm or source not in here or source in returned:
            continue
        before = graph.nodes[source]
        if type(before.layer) in LINEAR and takers[source] == [index] and uses[before.owner] == uses[node.owner] == 1:
            found.append(Group("fold_batch_norm", (source, index)))
    return tuple(found)

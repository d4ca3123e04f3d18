"""How other frameworks call the tensors of a graph's nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.graph import Graph, Node
from archspec.layers import Weight
from archspec.patterns import rewritten

if TYPE_CHECKING:
    from archspec.loading import Spec

NATIVE = "archspec"
"""The naming of this package: node path and attribute, arrays as they are."""
PLAIN = "pytorch"
"""Node paths with PyTorch's words for the arrays, in PyTorch's layout: what a spec without a table of names has."""

TORCH_WORDS = {"kernel": "weight", "scale": "weight", "slope": "weight", "mean": "running_mean", "var": "running_var"}
"""PyTorch's words for arrays; others are the same."""


class Slot(NamedTuple):
    """Where a tensor belongs: a node's array, and whether it comes in PyTorch's layout."""

    node: Node
    weight: Weight
    torch: bool

    @property
    def name(self) -> str:
        """The array's name here."""
        return f"{self.node.owner}.{self.weight.name}"


Naming = dict[str, Slot]
"""Where each tensor of a file belongs, by the tensor's name."""


def tables(spec: Spec) -> dict[str, dict[str, str]]:
    """The tables of names that a spec has."""
    return {name: dict(weights.names) for name, weights in spec.weights.items()}


def namings(graph: Graph, tables: Mapping[str, Mapping[str, str]]) -> dict[str, Naming]:
    """Every way in which a file may call the tensors: the spec's own tables in their order, then the general ways."""
    numbers = _numbers(graph)
    known = {name: _by_table(graph, table, numbers) for name, table in tables.items()}
    known[PLAIN] = _by_table(graph, {}, numbers)
    known[NATIVE] = {
        f"{node.owner}.{weight.name}": Slot(node, weight, False) for node in graph.nodes for weight in node.weights
    }
    return known


def copies(graph: Graph, tables: Mapping[str, Mapping[str, str]]) -> dict[str, Naming]:
    """Other names that files may have for shared arrays, by naming: those of the layers that use another one's.

    PyTorch's state dicts have a tied tensor under each of its names, and safetensors under one of them.
    """
    sharing = [node for node in graph.nodes if node.shares is not None]
    if not sharing:
        return {name: {} for name in (*tables, PLAIN, NATIVE)}
    numbers = _numbers(graph)
    known = {name: _by_table(graph, table, numbers, sharing) for name, table in (*tables.items(), (PLAIN, {}))}
    known[NATIVE] = {
        f"{node.path}.{weight.name}": Slot(node, weight, False) for node in sharing for weight in node.arrays
    }
    return known


def _by_table(
    graph: Graph, table: Mapping[str, str], numbers: Mapping[str, int], sharing: Sequence[Node] | None = None
) -> Naming:
    """What a table calls the arrays of the layers that have them, or those of layers that use them."""
    naming: Naming = {}
    for node in graph.nodes if sharing is None else sharing:
        name = _renamed(node.path, table, numbers[node.path])
        for weight in node.weights if sharing is None else node.arrays:
            # An array of a part of a layer, such as an attention's queries, stands under the part's name there too.
            part, dot, own = weight.name.rpartition(".")
            naming[f"{name}.{part}{dot}{TORCH_WORDS.get(own, own)}"] = Slot(node, weight, True)
    return naming


def _renamed(path: str, table: Mapping[str, str], number: int) -> str:
    for pattern, replacement in table.items():
        renamed = rewritten(pattern, replacement, path)
        if renamed is not None:
            return renamed.replace("{number}", str(number))
    return path


def _numbers(graph: Graph) -> dict[str, int]:
    """Each node's place among the layers of its scope, counted from 0: its index in a PyTorch Sequential."""
    counts: dict[str, int] = {}
    numbers = {}
    for node in graph.nodes:
        scope = node.path.rpartition(".")[0]
        numbers[node.path] = counts.get(scope, 0)
        counts[scope] = numbers[node.path] + 1
    return numbers

"""The graph: typed nodes in topological order. Shapes, costs, pictures and the Flax module all come from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import Span
from archspec.layers import Cost, Layer, Port, Role, Weight
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.figures.receptive_field import ReceptiveField

INPUT = -1
"""Stands for the network's input where a node's inputs are listed."""


@dataclass(frozen=True)
class Node:
    """One layer at its place in the network.

    `inputs` are indices of earlier nodes (`INPUT` for the network's input), `input_types` the types of what the layer
    takes of them.
    """

    path: str
    layer: Layer
    inputs: tuple[int, ...]
    input_types: tuple[TensorType, ...]
    output: TensorType
    receptive_field: ReceptiveField
    span: Span | None = field(default=None, compare=False)

    @property
    def kind(self) -> str:
        return self.layer.kind

    @property
    def ports(self) -> tuple[Port, ...]:
        """What the layer takes of each input."""
        return self.layer.ports(len(self.inputs))

    @property
    def value_sources(self) -> list[int]:
        """The earlier nodes whose values it takes; of the others it takes the shape or the indices only."""
        return [
            source for source, port in zip(self.inputs, self.ports, strict=True) if port == "value" and source != INPUT
        ]

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """The arrays that the node owns."""
        return tuple(self.layer.weights(*self.input_types))

    @cached_property
    def cost(self) -> Cost:
        """Operations of one sample's forward pass in evaluation."""
        return self.layer.cost(self.input_types, self.output)

    def count(self, role: Role) -> int:
        """Elements of this node's arrays that have a role."""
        return sum(weight.size for weight in self.weights if weight.role == role)

    @property
    def params(self) -> int:
        """Parameters as PyTorch counts them: trainable and frozen, statistics not."""
        return self.count("trainable") + self.count("frozen")


class BlockUse(NamedTuple):
    """How a stretch of the network came about: the block or structure that was expanded, and where it was written."""

    kind: str
    span: Span


@dataclass(frozen=True)
class Output:
    """One thing that the network returns. `weight` is its share in the training loss."""

    name: str
    node: int
    weight: float = 1.0
    train_only: bool = False


@dataclass(frozen=True)
class Graph:
    """A network: nodes in topological order, each reached by some output.

    `mode` is "train" when it holds what train-only outputs need, else "eval".
    """

    name: str
    input: TensorType
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    mode: str = "train"
    variant: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, BlockUse] = field(default_factory=dict, compare=False)
    """What the paths of blocks, named repeats, branches and so on stand for; their layers' paths begin with them."""
    title: str = field(default="", compare=False)
    """The spec's `title`, one line for people; "" where it has none."""

    def pruned(self, mode: str) -> Graph:
        """The graph with only what the outputs of a mode ("train" or "eval") need."""
        outputs = tuple(output for output in self.outputs if mode == "train" or not output.train_only)
        nodes, outputs = prune(self.nodes, outputs)
        return replace(self, nodes=nodes, outputs=outputs, mode=mode)

    @property
    def main_output(self) -> Output:
        """The output that predictions and metrics are made of: the first that evaluation has."""
        return next(output for output in self.outputs if not output.train_only)

    def output_type(self, output: Output) -> TensorType:
        """The type of an output."""
        return self.input if output.node == INPUT else self.nodes[output.node].output

    def by_path(self) -> dict[str, Node]:
        """The nodes by their paths."""
        return {node.path: node for node in self.nodes}

    def count(self, role: Role) -> int:
        """Elements of all arrays that have a role."""
        return sum(node.count(role) for node in self.nodes)

    @property
    def params(self) -> int:
        """Parameters as PyTorch counts them: trainable and frozen, statistics not."""
        return sum(node.params for node in self.nodes)

    @property
    def macs(self) -> int:
        """Multiply–adds of one sample's forward pass."""
        return sum(node.cost.macs for node in self.nodes)

    @property
    def flops(self) -> int:
        """Floating-point operations of one sample's forward pass."""
        return sum(node.cost.flops for node in self.nodes)

    def _repr_html_(self) -> str:
        from archspec.reports import report

        return report(self)._repr_html_()


def needed(nodes: Sequence[Node], ends: Iterable[int]) -> set[int]:
    """Indices of the nodes that the given ones depend on, themselves included."""
    reached: set[int] = set()
    stack = [end for end in ends if end != INPUT]
    while stack:
        index = stack.pop()
        if index not in reached:
            reached.add(index)
            stack.extend(source for source in nodes[index].inputs if source != INPUT)
    return reached


def prune(nodes: tuple[Node, ...], outputs: tuple[Output, ...]) -> tuple[tuple[Node, ...], tuple[Output, ...]]:
    """Drops the nodes that no output needs and renumbers the rest."""
    keep = needed(nodes, (output.node for output in outputs))
    if len(keep) == len(nodes):
        return nodes, outputs
    number = {INPUT: INPUT}
    kept: list[Node] = []
    for index, node in enumerate(nodes):
        if index in keep:
            number[index] = len(kept)
            kept.append(replace(node, inputs=tuple(number[source] for source in node.inputs)))
    return tuple(kept), tuple(replace(output, node=number[output.node]) for output in outputs)

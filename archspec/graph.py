"""The graph: typed nodes in topological order. Shapes, costs, pictures and the Flax module all come from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import Span
from archspec.layers import Cost, Kept, Layer, Port, Role, Weight
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.figures.receptive_field import ReceptiveField
    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.tasks import Task

INPUT = -1
"""Stands for the network's first input where a node's inputs are listed; the one after it is −2, and so on."""


class GraphInput(NamedTuple):
    """One thing that the network takes."""

    name: str
    type: TensorType


def is_input(source: int) -> bool:
    """Whether a source is one of the network's inputs and not a node."""
    return source < 0


def input_number(source: int) -> int:
    """The place among the graph's inputs of a source that is an input, and the source of an input at a place."""
    return -1 - source


@dataclass(frozen=True)
class Node:
    """One layer at its place in the network.

    `inputs` are indices of earlier nodes (`INPUT` and below for the network's inputs), `input_types` the types of what
    the layer takes of them. `shares` is the path of the node whose arrays this one uses, None where it has its own.
    """

    path: str
    layer: Layer
    inputs: tuple[int, ...]
    input_types: tuple[TensorType, ...]
    output: TensorType
    receptive_field: ReceptiveField
    span: Span | None = field(default=None, compare=False)
    shares: str | None = None
    counted: bool = True
    """Whether the arrays that it uses are counted here: not where an earlier node of the graph uses them too."""
    sees: int | None = INPUT
    """The input that the receptive field is a field of: the first that the node depends on and that is an image or a
    signal; None where there is none, since numbers of a vector have no places."""

    @property
    def kind(self) -> str:
        return self.layer.kind

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """What the layer takes of each input."""
        return self.layer.ports(len(self.inputs))

    @cached_property
    def value_sources(self) -> tuple[int, ...]:
        """The earlier nodes whose values it takes; of the others it takes the shape or the indices only."""
        return tuple(
            [
                source
                for source, port in zip(self.inputs, self.ports, strict=True)
                if port == "value" and not is_input(source)
            ]
        )

    @property
    def owner(self) -> str:
        """The path that the arrays stand under: its own, or that of the node whose arrays it uses."""
        return self.path if self.shares is None else self.shares

    @cached_property
    def arrays(self) -> tuple[Weight, ...]:
        """The arrays that the node uses."""
        return tuple(self.layer.weights(*self.input_types))

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The arrays that are counted at this node: those that it uses, unless an earlier node uses them too."""
        return self.arrays if self.counted else ()

    @cached_property
    def kept(self) -> Kept:
        """What its backward pass needs."""
        return self.layer.kept(self.input_types, self.output)

    @cached_property
    def cost(self) -> Cost:
        """Operations of one sample's forward pass in evaluation."""
        return self.layer.cost(self.input_types, self.output)

    @cached_property
    def _sizes(self) -> Mapping[Role, int]:
        """Elements of the arrays that the node uses, by their role."""
        sizes: dict[Role, int] = {}
        for weight in self.arrays:
            sizes[weight.role] = sizes.get(weight.role, 0) + weight.size
        return sizes

    def count(self, role: Role) -> int:
        """Elements of the arrays with a role that are counted at this node."""
        return self.uses(role) if self.counted else 0

    def uses(self, role: Role) -> int:
        """Elements of the arrays with a role that the node uses, counted here or elsewhere."""
        return self._sizes.get(role, 0)

    @cached_property
    def params(self) -> int:
        """Parameters as PyTorch counts them: trainable and frozen, statistics not."""
        return self.count("trainable") + self.count("frozen")


class BlockUse(NamedTuple):
    """How a stretch of the network came about: the block or structure that was expanded, and where it was written.

    `arguments` are the values that a block's arguments had.
    """

    kind: str
    span: Span
    arguments: Mapping[str, Any] = {}


class Output(NamedTuple):
    """One thing that the network returns. `weight` is its share in the training loss.

    `task`, `loss`, `target` and `metrics` are what the spec says of it alone, in place of what is said of the network.
    """

    name: str
    node: int
    weight: float = 1.0
    train_only: bool = False
    task: Task | None = None
    loss: Loss | None = None
    target: str | None = None
    metrics: tuple[Metric, ...] | None = None


@dataclass(frozen=True)
class Graph:
    """A network: nodes in topological order, each reached by some output.

    `mode` is "train" when it holds what train-only outputs need, else "eval".
    """

    name: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    mode: str = "train"
    variant: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, BlockUse] = field(default_factory=dict, compare=False)
    """What the paths of blocks, named repeats, branches and so on stand for; their layers' paths begin with them."""
    title: str = field(default="", compare=False)
    """The spec's `title`, one line for people; "" where it has none."""

    @property
    def input(self) -> TensorType:
        """The type of the first input."""
        return self.inputs[0].type

    def source_type(self, source: int) -> TensorType:
        """The type of an input or of a node's output."""
        return self.inputs[input_number(source)].type if is_input(source) else self.nodes[source].output

    def source_name(self, source: int) -> str:
        """The name of an input or the path of a node."""
        return self.inputs[input_number(source)].name if is_input(source) else self.nodes[source].path

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
        return self.source_type(output.node)

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
    stack = [end for end in ends if not is_input(end)]
    while stack:
        index = stack.pop()
        if index not in reached:
            reached.add(index)
            stack.extend(source for source in nodes[index].inputs if not is_input(source))
    return reached


def prune(nodes: tuple[Node, ...], outputs: tuple[Output, ...]) -> tuple[tuple[Node, ...], tuple[Output, ...]]:
    """Drops the nodes that no output needs and renumbers the rest; inputs keep their places."""
    keep = needed(nodes, (output.node for output in outputs))
    if len(keep) == len(nodes):
        return nodes, outputs
    number: dict[int, int] = {}
    kept: list[Node] = []
    owners: set[str] = set()
    for index, node in enumerate(nodes):
        if index in keep:
            number[index] = len(kept)
            inputs = tuple(number.get(source, source) for source in node.inputs)
            # Where the node that had the arrays is left out, the next one that uses them counts them.
            kept.append(replace(node, inputs=inputs, counted=node.owner not in owners))
            owners.add(node.owner)
    return tuple(kept), tuple(output._replace(node=number.get(output.node, output.node)) for output in outputs)

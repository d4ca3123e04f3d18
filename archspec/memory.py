"""Bytes that a network needs for inference and for training, predicted from its graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from archspec.graph import INPUT, Graph
from archspec.optimiser import Optimiser
from archspec.types import DTYPE_BYTES

if TYPE_CHECKING:
    from archspec.graph import Node

DTYPES = ("float32", "bfloat16", "float16")


class Part(NamedTuple):
    """One thing that takes memory: bytes whatever the batch, and bytes per sample."""

    fixed: int = 0
    per_sample: int = 0


class Memory(NamedTuple):
    """Bytes needed at once: `fixed` whatever the batch, `per_sample` for each sample of it.

    `parts` says by name what they consist of; the parts' sums are `fixed` and `per_sample`.
    """

    fixed: int
    per_sample: int
    parts: Mapping[str, Part] = {}

    def at(self, batch: int) -> int:
        """Bytes for a batch of so many samples."""
        return self.fixed + batch * self.per_sample

    def largest_batch(self, budget: int) -> int:
        """The largest batch that fits into so many bytes; 0 when even one sample does not fit."""
        return max(0, (budget - self.fixed) // self.per_sample)


def inference(graph: Graph, dtype: str = "float32") -> Memory:
    """Bytes at the peak of a forward pass in evaluation.

    `weights` and `statistics` are arrays of `dtype`. `activations` are the largest set of tensors alive at once when
    layers run in the graph's order: a tensor dies after its last use, element-wise layers write over an input that
    dies with them, and a view of a tensor is that tensor. Raises ValueError for another dtype than float32, bfloat16
    and float16.
    """
    width = _width(dtype)
    seen = graph.pruned("eval")
    return _sum(
        {
            "weights": Part(width * seen.params),
            "statistics": Part(width * seen.count("statistics")),
            "activations": Part(0, _alive(seen, width)),
        }
    )


def training(
    graph: Graph, dtype: str = "float32", optimiser: Optimiser | None = None, *, frozen: Collection[str] = ()
) -> Memory:
    """Bytes at the peak of a training step, train-only heads included.

    `optimiser` is Adam where none is given; layers whose paths are `frozen` are not trained, and nothing is kept for
    those of them below which nothing is trained.

    A 16-bit `dtype` means mixed precision (Micikevicius et al. 2018): the weights, their gradients as the optimiser
    takes them, the optimiser's state and the statistics are float32; beside the weights lies a 16-bit copy, which the
    passes work with, and input, activations and their gradients have 16 bits. Raises ValueError for another dtype than
    float32, bfloat16 and float16.

    Parts: `weights` (with frozen ones), `weight copies` (mixed precision), `statistics`, `gradients` and `optimiser
    state` (of trained weights), `input`, `activations` (kept for the backward pass, each tensor once), `masks` (and
    indices), `workspace` (gradients of activations at the layer where they are largest).
    """
    width = _width(dtype)
    seen = graph.pruned("train")
    if optimiser is None:
        from archspec.optimisers.adam import Adam

        optimiser = Adam.plain_default(learning_rate=0.001)
    trained = sum(node.count("trainable") for node in seen.nodes if node.path not in frozen)
    tensors, masks = _kept(seen, frozen)
    size = {index: seen.input.size if index == INPUT else seen.nodes[index].output.size for index in tensors}
    elements = sum(amount for index, amount in size.items() if index != INPUT)
    return _sum(
        {
            "weights": Part(4 * seen.params),
            "weight copies": Part(width * seen.params if width < 4 else 0),
            "statistics": Part(4 * seen.count("statistics")),
            "gradients": Part(4 * trained),
            "optimiser state": Part(4 * optimiser.slots * trained),
            "input": Part(0, width * seen.input.size),
            "activations": Part(0, width * (elements + sum(extra for extra, _ in masks))),
            "masks": Part(0, sum(amount for _, amount in masks)),
            "workspace": Part(0, width * max((_moved(node) for node in seen.nodes), default=0)),
        }
    )


def _sum(parts: dict[str, Part]) -> Memory:
    found = {name: part for name, part in parts.items() if part != Part()}
    return Memory(sum(part.fixed for part in found.values()), sum(part.per_sample for part in found.values()), found)


def _width(dtype: str) -> int:
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {', '.join(DTYPES[:-1])} or {DTYPES[-1]}, not {dtype}")
    return DTYPE_BYTES[dtype]


def _moved(node: Node) -> int:
    """Elements of the gradients that the layer's backward pass takes and gives."""
    given = sum(kind.size for kind, port in zip(node.input_types, node.ports, strict=True) if port == "value")
    return max(given, node.output.size) if node.layer.in_place else given + node.output.size


def _owners(graph: Graph) -> list[int]:
    """For each node the node whose memory its output is: itself but for views."""
    found: list[int] = []
    for index, node in enumerate(graph.nodes):
        source = node.inputs[0]
        found.append((INPUT if source == INPUT else found[source]) if node.layer.is_view else index)
    return found


def _indexed(graph: Graph) -> set[int]:
    """Nodes whose indices another layer takes."""
    return {
        source
        for node in graph.nodes
        for source, port in zip(node.inputs, node.ports, strict=True)
        if port == "indices"
    }


def _kept(graph: Graph, frozen: Collection[str]) -> tuple[set[int], list[tuple[int, int]]]:
    """What the backward pass needs: the tensors, each by the node that owns it, and of each node further elements and
    bytes.
    """
    owners = _owners(graph)
    tensors: set[int] = set()
    extras: list[tuple[int, int]] = []
    # Whether a node's output depends on something that is trained.
    depends: list[bool] = []
    for index, node in enumerate(graph.nodes):
        own = node.count("trainable") > 0 and node.path not in frozen
        below = any(depends[source] for source in node.inputs if source != INPUT)
        depends.append(own or below)
        if not (own or below):
            continue
        kept = node.layer.kept(node.input_types, node.output)
        wanted = [*kept.inputs, *(kept.weight_inputs if own else ())]
        sources = [node.inputs[number] for number in wanted if node.ports[number] == "value"]
        tensors.update(INPUT if source == INPUT else owners[source] for source in sources)
        if kept.output:
            tensors.add(owners[index])
        extras.append((kept.elements, kept.bytes))
    # The loss needs the outputs.
    tensors.update(owners[output.node] for output in graph.outputs if output.node != INPUT)
    return tensors, extras


def _alive(graph: Graph, width: int) -> int:
    """Bytes per sample of the largest set of tensors alive at once."""
    owners, indexed = _owners(graph), _indexed(graph)
    last: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        for source, port in zip(node.inputs, node.ports, strict=True):
            if port == "value":
                last[INPUT if source == INPUT else owners[source]] = index
            elif port == "indices":
                last[_ticket(source)] = index
    for output in graph.outputs:
        last[INPUT if output.node == INPUT else owners[output.node]] = len(graph.nodes)
    alive = {INPUT: width * graph.input.size}
    peak = alive[INPUT]
    for index, node in enumerate(graph.nodes):
        if owners[index] != index:
            continue
        dying = {key for key in alive if last.get(key, -1) <= index}
        made = width * node.output.size
        if node.layer.in_place:
            sources = {INPUT if source == INPUT else owners[source] for source in node.inputs} & dying
            over = next((key for key in sources if alive[key] == made and key != INPUT), None)
            if over is not None:
                del alive[over]
        alive[index] = made
        taps = node.layer.tap_indices(*node.input_types) if index in indexed else None
        if taps is not None:
            alive[_ticket(index)] = taps.bytes
        peak = max(peak, sum(alive.values()))
        for key in dying:
            alive.pop(key, None)
    return peak


def _ticket(index: int) -> int:
    """The key of a node's indices beside its output's."""
    return -2 - index

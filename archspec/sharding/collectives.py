"""Every collective of one training step over a mesh, as data: what it is for, over which axes, how many bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Literal, NamedTuple

from archspec.figures.cost import trained as differentiated
from archspec.mesh import AXES, SAMPLES, Mesh
from archspec.sharding.arrays import axes_of
from archspec.sharding.local import rows
from archspec.types import DTYPE_BYTES

if TYPE_CHECKING:
    from archspec.graph import Graph, Node
    from archspec.layers import Weight
    from archspec.optimisers import Optimiser
    from archspec.passes import Group
    from archspec.tasks import Head

Kind = Literal["all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all"]
"""What a collective does, as XLA's HLO calls it."""
Purpose = Literal["parameters", "mixing", "batch norm", "rows", "loss", "gradients", "optimiser"]
"""What it is for: arrays that `fsdp` divides, made whole; samples that are mixed with those of the next device;
statistics of the batch; rows of neighbours and whole maps under `spatial`; the loss with its weights and metrics;
gradients; norms over all gradients."""


class Collective(NamedTuple):
    """One collective that a step has `times`.

    `numbers` are those of its result on one device, as HLO prints it. `axes` are those of the mesh whose devices take
    part together, the ones of a single device left out. `of` is the path of the layer, or the name of the array.
    """

    kind: Kind
    purpose: Purpose
    axes: tuple[str, ...]
    of: str
    numbers: int
    dtype: str = "float32"
    times: int = 1

    @property
    def once(self) -> int:
        """Bytes of the result on one device, of one time."""
        return self.numbers * DTYPE_BYTES[self.dtype]

    @property
    def bytes(self) -> int:
        """Bytes of the results on one device, of all times."""
        return self.times * self.once

    def group(self, mesh: Mesh) -> int:
        """The devices that take part together."""
        return prod(mesh.size(axis) for axis in self.axes)

    def sent(self, mesh: Mesh) -> float:
        """Bytes that a device sends, of one time: those of a ring, which no algorithm is below but for switches that
        add up (Patarasu & Yuan 2009).

        Of n devices, an all-reduce sends 2(n − 1)/n of the array, a gather (n − 1)/n of the whole result, a
        reduce-scatter as much of the whole that goes in, a permutation the array.
        """
        n = self.group(mesh)
        parts = {
            "all-reduce": 2 * (n - 1) / n,
            "all-gather": (n - 1) / n,
            "reduce-scatter": n - 1,
            "collective-permute": 1,
            "all-to-all": (n - 1) / n,
        }
        return parts[self.kind] * self.once


class Step(NamedTuple):
    """What of a recipe says how a step is divided.

    `frozen_layers` run as in evaluation, `frozen_arrays` have no gradients. `groups` are the calls, in the graph pruned
    to training, that run together, `parts` the micro-batches. `heads` are the outputs'. `axes` say by pattern which
    axis of an array `fsdp` divides. `norms` says whether gradients are clipped by the norm of them all, `adaptive`
    whether by those of units. `mixings` is how often `augment` mixes samples. `scatters` is False on CPUs, where sums
    of which a device keeps its part are made whole.
    """

    dtype: str = "float32"
    optimiser: Optimiser | None = None
    parts: int = 1
    averaged: bool = False
    groups: tuple[Group, ...] = ()
    frozen_arrays: Collection[str] = ()
    frozen_layers: Collection[str] = ()
    heads: Sequence[Head] = ()
    axes: Mapping[str, str] = {}
    norms: bool = False
    adaptive: bool = False
    mixings: int = 0
    scatters: bool = True

    @property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """Of each stretch of layers that the backward pass computes anew the first and the last."""
        return tuple(_anew(self.groups))

    @property
    def passed(self) -> str:
        """The type of numbers that the passes take weights as."""
        return self.dtype if DTYPE_BYTES.get(self.dtype, 4) < 4 else "float32"


def collectives(graph: Graph, mesh: Mesh, step: Step, samples: int = 1) -> tuple[Collective, ...]:
    """Every collective of a training step, in the order of the step, where a device has so many samples.

    There are no others: all are written by hand.
    """
    if mesh.devices == 1:
        return ()
    seen = graph.pruned("train")
    divided = axes_of(seen, mesh, step.axes)
    return (
        *_gathers(seen, mesh, divided, step),
        *_mixing(seen, mesh, step),
        *_statistics(seen, mesh, step),
        *_rows(seen, mesh, step, samples // step.parts),
        *_losses(seen, mesh, step, samples // step.parts),
        *_gradients(seen, mesh, divided, step),
        *_norms(divided, step),
    )


def over(mesh: Mesh, axes: Iterable[str] = AXES) -> tuple[str, ...]:
    """Those of the axes that have several devices."""
    return tuple(axis for axis in axes if mesh.size(axis) > 1)


def _gathers(graph: Graph, mesh: Mesh, divided: Mapping[str, int], step: Step) -> Iterator[Collective]:
    """Divided arrays, whole for the passes: once a step, in the precision of the passes."""
    for node in graph.nodes:
        for weight in node.weights:
            name = f"{node.owner}.{weight.name}"
            if name in divided:
                kind = "float32" if node.layer.full_precision else step.passed
                yield Collective("all-gather", "parameters", over(mesh, ("fsdp",)), name, weight.size, kind)


def _statistics(graph: Graph, mesh: Mesh, step: Step) -> Iterator[Collective]:
    """What layers need that normalise by the whole batch: sums forward, and those of gradients backward.

    With `per_device` each device's part is a batch, and the running statistics are averaged afterwards, as one array.
    """
    own = [
        (index, node)
        for index, node in enumerate(graph.nodes)
        if node.uses("statistics") and node.owner not in step.frozen_layers
    ]
    if mesh.per_device:
        if size := sum(node.count("statistics") for _, node in own):
            yield Collective("all-reduce", "batch norm", over(mesh), "statistics", size)
        return
    anew = {index for first, last in step.stretches for index in range(first, last + 1)}
    for index, node in own:
        channels = node.input_types[0].channels
        forward = step.parts * (2 if index in anew else 1)
        # The mean, then the squares of what differs from it.
        yield Collective("all-reduce", "batch norm", over(mesh), node.path, channels, times=2 * forward)
        yield Collective("all-reduce", "batch norm", over(mesh), node.path, 2 * channels, times=step.parts)


def _rows(graph: Graph, mesh: Mesh, step: Step, samples: int) -> Iterator[Collective]:
    """What `sharding/rows.py` has of each device take of others, and the transposes of that in the backward pass.

    A halo comes from a neighbour, and its gradient goes back. The gradient of what was gathered is a sum of which each
    device keeps its part; that of a sum is a sum.
    """
    if mesh.spatial == 1:
        return
    asked = [own or below for own, below in differentiated(graph, step.frozen_layers)]
    for item in rows(graph, mesh.spatial).exchanges(step.groups):
        node = graph.nodes[item.node]
        source = None if item.source is None else item.source[0]
        indices = item.source is not None and item.source[1]
        kind = "float32" if node.layer.full_precision and source is None else step.passed
        if indices and source is not None:
            taps = graph.nodes[source].layer.tap_indices(*graph.nodes[source].input_types)
            kind = "uint8" if taps is None or taps.dtype == "uint8" else "int32"
        back = not indices and (asked[item.node] if source is None else source >= 0 and asked[source])
        times = item.times * step.parts
        given, whole = samples * item.elements, samples * item.whole
        ahead = times * (2 if item.again else 1)
        of = node.path
        if item.kind in ("down", "up"):
            yield Collective("collective-permute", "rows", ("spatial",), of, given, kind, ahead)
            if back:
                yield Collective("collective-permute", "rows", ("spatial",), of, given, kind, times)
        elif item.kind == "gather":
            yield Collective("all-gather", "rows", ("spatial",), of, whole, kind, ahead)
            if back:
                yield _parted("rows", of, whole, mesh.spatial, kind, step, times)
        else:
            yield Collective("all-reduce", "rows", ("spatial",), of, whole, kind, ahead)
            if back:
                yield Collective("all-reduce", "rows", ("spatial",), of, whole, kind, times)


def _anew(groups: Sequence[Group]) -> Iterator[tuple[int, int]]:
    for group in groups:
        if group.how == "recompute":
            yield group.first, group.last
        else:
            yield from _anew(group.inner)


def _mixing(graph: Graph, mesh: Mesh, step: Step) -> Iterator[Collective]:
    """What samples are mixed with that another device has: of each micro-batch the first sample of the next device's
    share, and the batch's first sample, which follows the last that counts."""
    if not step.mixings or mesh.batches == 1 or not any(item.type.is_map for item in graph.inputs):
        return
    axes = over(mesh, SAMPLES)
    yield Collective("all-reduce", "mixing", axes, "count", 1, "int32")
    mixed: dict[str, tuple[int, str]] = {"counts": (1, "int32")}
    mixed |= {item.name: (item.type.size, "float32") for item in graph.inputs if item.type.is_map}
    for head in step.heads:
        if not head.remakes:
            classes = head.task.answer == "classes"
            own = (head.type.size // head.type.channels, "int32") if classes and head.type.is_map else None
            mixed[f"target of {head.name if head.target is None else head.target}"] = own or (head.type.size, "float32")
    for of, (numbers, dtype) in mixed.items():
        yield Collective("collective-permute", "mixing", axes, of, step.parts * numbers, dtype, step.mixings)
        yield Collective("all-reduce", "mixing", axes, of, numbers, dtype, step.mixings)


def uncounted(graph: Graph, mesh: Mesh, step: Step) -> list[str]:
    """What a step asks of other devices besides, or may: of kinds that do not say."""
    found = []
    divided = axes_of(graph.pruned("train"), mesh, step.axes)
    if divided and step.optimiser is not None and not step.optimiser.by_number:
        found.append(f"what `{step.optimiser.kind}` asks of arrays that fsdp divides, such as their norms")
    if divided and step.adaptive:
        found.append("norms of units of arrays that fsdp divides, for `clip: {adaptive: …}`")
    if divided and step.dtype == "float16":
        found.append("whether the gradients of divided arrays are finite, a bit each")
    if any(head.running is not None and not head.running.sizes(head.type) for head in step.heads):
        found.append("the sums of the main output's metric")
    return found


def _losses(graph: Graph, mesh: Mesh, step: Step, samples: int) -> Iterator[Collective]:
    """What the labels weigh, the losses, and what the main output is measured by in training.

    An output of own rows is made whole for a loss that is none of positions.
    """
    terms = sum(len(head.loss.terms) for head in step.heads)
    # Weights before the passes; after them the loss, and losses and weights of each term.
    yield Collective("all-reduce", "loss", over(mesh), "loss", terms + 1 + 2 * terms)
    divided = rows(graph, mesh.spatial).outputs if mesh.spatial > 1 else frozenset()
    for head in step.heads:
        if head.name in divided and not all(term.by_position for term, _ in head.loss.terms):
            whole = samples * head.type.size
            yield Collective("all-gather", "rows", ("spatial",), head.name, whole, times=step.parts)
            yield _parted("rows", head.name, whole, mesh.spatial, "float32", step)
        metric = head.running
        sizes = None if metric is None else metric.sizes(head.type)
        if metric is not None and sizes:
            axes = over(mesh, AXES if head.name in divided and metric.by_position else SAMPLES)
            if axes:
                yield Collective("all-reduce", "loss", axes, head.name, sum(sizes.values()), "int32")


def _parted(purpose: Purpose, of: str, whole: int, parts: int, dtype: str, step: Step, times: int = 0) -> Collective:
    """A sum over `spatial` of which each device keeps its part; on CPUs it has all of it."""
    times = times or step.parts
    if step.scatters:
        return Collective("reduce-scatter", purpose, ("spatial",), of, whole // parts, dtype, times)
    return Collective("all-reduce", purpose, ("spatial",), of, whole, dtype, times)


def _gradients(graph: Graph, mesh: Mesh, divided: Mapping[str, int], step: Step) -> Iterator[Collective]:
    """Gradients, float32, each array's once. Where arrays are shared, theirs have been added up before."""
    for node, weight in trained(graph, step):
        name = f"{node.owner}.{weight.name}"
        if name not in divided or not step.scatters:
            yield Collective("all-reduce", "gradients", over(mesh), name, weight.size)
            continue
        own = weight.size // mesh.fsdp
        yield Collective("reduce-scatter", "gradients", over(mesh, ("fsdp",)), name, own)
        if rest := over(mesh, ("data", "spatial")):
            yield Collective("all-reduce", "gradients", rest, name, own)


def _norms(divided: Mapping[str, int], step: Step) -> Iterator[Collective]:
    """The norm of all gradients adds up over the parts of divided arrays, one number each."""
    if step.norms:
        own = [name for name in divided if name not in step.frozen_arrays]
        if own:
            yield Collective("all-reduce", "optimiser", ("fsdp",), "norm", len(own))


def trained(graph: Graph, step: Step) -> Iterator[tuple[Node, Weight]]:
    """The arrays that a step changes, with the node that has each."""
    for node in graph.nodes:
        for weight in node.weights:
            if weight.role == "trainable" and f"{node.owner}.{weight.name}" not in step.frozen_arrays:
                yield node, weight


class Total(NamedTuple):
    """Collectives of one purpose, kind, axes and type together; `sent` are bytes that a device sends."""

    purpose: Purpose
    kind: Kind
    axes: tuple[str, ...]
    dtype: str
    times: int
    bytes: int
    sent: float


def totals(items: Sequence[Collective], mesh: Mesh) -> list[Total]:
    """The collectives of a step by what they are, in the order of the step."""
    found: dict[tuple[Purpose, Kind, tuple[str, ...], str], list[Collective]] = {}
    for item in items:
        found.setdefault((item.purpose, item.kind, item.axes, item.dtype), []).append(item)
    return [
        Total(
            *key,
            sum(item.times for item in own),
            sum(item.bytes for item in own),
            sum(item.times * item.sent(mesh) for item in own),
        )
        for key, own in found.items()
    ]

"""The roofline model (Williams, Waterman & Patterson 2009): time from operations, bytes, and a device's two peaks.

A kernel takes at least the time of its operations at the device's peak, and at least that of its bytes at the memory's
bandwidth. The sum over a network's kernels is a bound: no run on this device is faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from archspec.figures.cost import bytes_moved, fuses, indexed, trained, width
from archspec.figures.devices import Device
from archspec.graph import Graph, is_input
from archspec.optimisers import Optimiser, default_optimiser

if TYPE_CHECKING:
    from archspec.figures.memory import Memory
    from archspec.graph import Node

Bound = Literal["compute", "bandwidth", "interconnect", ""]

MASTER = 4
"""Bytes of a trained weight, its gradient and each number of the optimiser's state, whatever the dtype."""


class Pass(NamedTuple):
    """Operations and bytes of one sweep over a layer."""

    flops: int = 0
    bytes: int = 0

    def plus(self, other: Pass) -> Pass:
        return Pass(self.flops + other.flops, self.bytes + other.bytes)


class Work(NamedTuple):
    """What a layer does in a step: its forward pass, and the gradients of its weights and of its inputs."""

    forward: Pass = Pass()
    weights: Pass = Pass()
    inputs: Pass = Pass()

    @property
    def passes(self) -> tuple[Pass, Pass, Pass]:
        return self.forward, self.weights, self.inputs


class Timed(NamedTuple):
    """A layer's row: what it does, the seconds it takes at least, and how many of these each bound makes.

    `fused_into` is the path of the layer whose kernel computes this one; its seconds are among that layer's.
    """

    path: str
    kind: str
    work: Work
    forward: float
    backward: float
    compute_bound: float
    fused_into: str | None = None

    @property
    def flops(self) -> int:
        return sum(item.flops for item in self.work.passes)

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.work.passes)

    @property
    def seconds(self) -> float:
        return self.forward + self.backward


def bound_of(seconds: float, compute_bound: float) -> Bound:
    """What bounds the larger part of a time."""
    if not seconds:
        return ""
    return "compute" if compute_bound >= seconds / 2 else "bandwidth"


@dataclass(frozen=True)
class Prediction:
    """The least time of a step on one of `devices` equal devices, each with `share` samples of the batch.

    Rows are those of one device, the busiest where the batch does not divide.
    """

    graph: Graph
    device: Device
    dtype: str
    batch: int
    devices: int
    rows: tuple[Timed, ...]
    memory: Memory
    fusion: bool = True
    optimiser: Optimiser | None = None

    @property
    def training(self) -> bool:
        return self.graph.mode == "train"

    @property
    def share(self) -> int:
        """Samples on the busiest device."""
        return -(-self.batch // self.devices)

    @cached_property
    def forward(self) -> float:
        """Seconds of the forward pass."""
        return sum(row.forward for row in self.rows)

    @cached_property
    def backward(self) -> float:
        """Seconds of the backward pass."""
        return sum(row.backward for row in self.rows)

    @cached_property
    def trained(self) -> int:
        """Weights that a step changes."""
        return self.graph.count("trainable") if self.training else 0

    @property
    def update_bytes(self) -> int:
        """Bytes of the optimiser's update: weights and state read and written, gradients read.

        Mixed precision writes a 16-bit copy of the weights too.
        """
        if self.optimiser is None:
            return 0
        from archspec.figures.memory import trained_shapes

        copy = width(self.dtype) if width(self.dtype) < MASTER else 0
        state = self.optimiser.state_numbers(trained_shapes(self.graph))
        return self.trained * (MASTER * 3 + copy) + 2 * MASTER * state

    @property
    def update(self) -> float:
        """Seconds of the optimiser's update, a matter of bandwidth alone."""
        return self.update_bytes / self.device.bandwidth

    @property
    def reduced_bytes(self) -> float:
        """Bytes that each device sends in a ring all-reduce of the gradients: 2(n − 1)/n of them."""
        return 2 * (self.devices - 1) / self.devices * MASTER * self.trained

    @property
    def all_reduce(self) -> float | None:
        """Seconds of the all-reduce; None where the device's interconnect is not known."""
        if not self.reduced_bytes:
            return 0.0
        return self.reduced_bytes / self.device.interconnect if self.device.interconnect else None

    @cached_property
    def seconds(self) -> float:
        """Seconds of a step at least: gradients that are summed while the backward pass still runs cost nothing."""
        return self.forward + max(self.backward, self.all_reduce or 0.0) + self.update

    @property
    def seconds_apart(self) -> float:
        """Seconds of a step at least where the all-reduce waits for the backward pass to end."""
        return self.forward + self.backward + (self.all_reduce or 0.0) + self.update

    @property
    def throughput(self) -> float:
        """Samples a second at most, of all devices."""
        return self.batch / self.seconds if self.seconds else float("inf")

    @property
    def flops(self) -> int:
        return sum(row.flops for row in self.rows)

    @property
    def bytes(self) -> int:
        return sum(row.bytes for row in self.rows) + self.update_bytes

    def shares(self) -> dict[str, float]:
        """What part of a step each bound makes."""
        if not self.seconds:
            return {}
        compute = sum(row.compute_bound for row in self.rows)
        waiting = max(0.0, (self.all_reduce or 0.0) - self.backward)
        parts = {
            "compute": compute,
            "bandwidth": self.forward + self.backward - compute + self.update,
            "interconnect": waiting,
        }
        return {name: max(0.0, part) / self.seconds for name, part in parts.items() if part > 0}

    @property
    def needed(self) -> int:
        """Bytes of memory that the busiest device needs."""
        return self.memory.at(self.share)

    @property
    def fits(self) -> bool | None:
        """Whether the busiest device has the memory; None where its memory is not known."""
        return None if self.device.memory is None else self.needed <= self.device.memory

    @property
    def largest_batch(self) -> int | None:
        """The largest batch over all devices that fits into their memory; None where that is not known."""
        if self.device.memory is None:
            return None
        return self.devices * self.memory.largest_batch(int(self.device.memory))


def predict(
    graph: Graph,
    device: Device,
    *,
    dtype: str | None = None,
    mode: Literal["eval", "train"] = "eval",
    batch: int = 1,
    devices: int = 1,
    fusion: bool = True,
    optimiser: Optimiser | None = None,
) -> Prediction:
    """The least time that a step takes: a forward pass, in training the backward pass and the update too.

    `dtype` is one that the device has a peak for, its own default if left out; `optimiser` is Adam if left out.
    Raises ValueError where the device has no peak for the dtype, or batch or devices are not positive.
    """
    from archspec.figures.memory import inference, training

    dtype = dtype or device.default_dtype
    if dtype not in device.flops:
        raise ValueError(f"{device.title} has a peak for {', '.join(device.flops)}, not for {dtype}")
    if batch < 1 or devices < 1:
        raise ValueError("batch and devices must be 1 or more")
    seen = graph.pruned(mode)
    stored = "float32" if dtype == "tf32" else dtype
    if mode == "train" and optimiser is None:
        optimiser = default_optimiser()
    share = -(-batch // devices)
    rows = _timed(seen, device, dtype, share, fusion=fusion)
    memory = training(graph, stored, optimiser) if mode == "train" else inference(graph, stored)
    if not device.is_cpu:
        memory = memory.portable()
    return Prediction(seen, device, dtype, batch, devices, rows, memory, fusion, optimiser if mode == "train" else None)


def _timed(graph: Graph, device: Device, dtype: str, batch: int, *, fusion: bool) -> tuple[Timed, ...]:
    """The rows: what is fused is counted in the kernel of the layer that it is fused into."""
    works = work(graph, dtype, batch, fusion=fusion)
    heads = _heads(graph, fusion=fusion)
    kernels: dict[int, Work] = {}
    for index, own in enumerate(works):
        head = heads[index]
        if head == index:
            kernels[index] = own
            continue
        whole = kernels[head]
        # The gradients of fused layers are computed where their kernel's gradient is first read.
        backward = own.weights.plus(own.inputs)
        into = whole.inputs if any(whole.inputs) else whole.weights
        rest = {"inputs": into.plus(backward)} if any(whole.inputs) else {"weights": into.plus(backward)}
        kernels[head] = whole._replace(forward=whole.forward.plus(own.forward), **rest)
    peak, bandwidth = device.flops[dtype], device.bandwidth
    rows = []
    for index, node in enumerate(graph.nodes):
        if heads[index] != index:
            rows.append(Timed(node.path, node.kind, works[index], 0.0, 0.0, 0.0, graph.nodes[heads[index]].path))
            continue
        sweeps = [(item.flops / peak, item.bytes / bandwidth) for item in kernels[index].passes]
        times = [max(sweep) for sweep in sweeps]
        computing = sum(compute for compute, moving in sweeps if compute >= moving)
        rows.append(Timed(node.path, node.kind, works[index], times[0], sum(times[1:]), computing))
    return tuple(rows)


def _apart(node: Node, training: bool) -> bool:
    """Whether a layer needs a kernel of its own although it is element-wise: in training, statistics of the batch must
    be complete before any element can be normalised.
    """
    return training and node.uses("statistics") > 0


def _heads(graph: Graph, *, fusion: bool) -> list[int]:
    """For each node the node whose kernel computes it: itself unless it is fused, or is a view of another's output."""
    heads: list[int] = []
    for index, node in enumerate(graph.nodes):
        joins = node.layer.is_view or (fusion and fuses(node) and not _apart(node, graph.mode == "train"))
        sources = [
            (kind.size, source)
            for kind, source, port in zip(node.input_types, node.inputs, node.ports, strict=True)
            if port == "value" and not is_input(source)
        ]
        heads.append(heads[max(sources)[1]] if joins and sources else index)
    return heads


def work(graph: Graph, dtype: str, batch: int, *, fusion: bool = True) -> list[Work]:
    """Operations and bytes of each node of a graph, the backward pass included where the graph is one for training.

    A convolution or dense layer computes as much as its forward pass for the gradient of its weights, and as much again
    for that of its input, unless nothing below it is trained. Any other layer computes its forward operations once
    more. The gradients of a layer's weights are written in float32.
    """
    training = graph.mode == "train"
    size = width(dtype)
    taken, asked = indexed(graph), trained(graph)
    works: list[Work] = []
    for index, node in enumerate(graph.nodes):
        joins = fusion and not _apart(node, training)
        forward = Pass(batch * node.cost.flops, bytes_moved(node, batch, dtype, fusion=joins, indices=index in taken))
        own = node.uses("trainable")
        below = [
            kind.size
            for kind, source, port in zip(node.input_types, node.inputs, node.ports, strict=True)
            if port == "value" and not is_input(source) and any(asked[source])
        ]
        if not training or not any(asked[index]) or node.layer.is_view:
            works.append(Work(forward))
            continue
        kept = node.kept
        sizes = [kind.size for kind in node.input_types]
        held = batch * (
            size * (sum(sizes[i] for i in kept.inputs) + kept.output * node.output.size + kept.elements) + kept.bytes
        )
        held_for_weights = batch * size * sum(sizes[i] for i in kept.weight_inputs)
        arrays = size * sum(weight.size for weight in node.arrays)
        gradient, given = batch * size * node.output.size, batch * size * sum(below)
        if node.cost.macs:
            weights = inputs = Pass()
            if own:
                weights = Pass(batch * node.cost.flops, held + held_for_weights + gradient + MASTER * own)
            if below:
                inputs = Pass(
                    batch * (2 * node.cost.macs + (0 if own else node.cost.other)),
                    held + gradient + arrays + given,
                )
            works.append(Work(forward, weights, inputs))
            continue
        moved = held + (held_for_weights if own else 0) + arrays + MASTER * own
        if not (joins and fuses(node)):
            moved += gradient + given
        elif not node.layer.linear and below:
            # The gradient of a sum is the same tensor for all; a product has another one for each factor.
            moved += given - batch * size * max(below)
        works.append(Work(forward, Pass(), Pass(batch * node.cost.other, moved)))
    return works

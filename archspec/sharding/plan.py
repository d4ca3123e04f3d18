"""Which mesh a network trains on best, predicted from its graph: memory, communication and time of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import count
from archspec.figures.cost import width
from archspec.figures.roofline import MASTER, predict
from archspec.mesh import Mesh
from archspec.optimisers import default_optimiser
from archspec.sharding.arrays import axes_of
from archspec.sharding.collectives import Collective, Purpose, Step, Total, collectives, totals, trained
from archspec.sharding.local import local
from archspec.sharding.memory import memory

if TYPE_CHECKING:
    from archspec.figures.devices import Device
    from archspec.figures.memory import Memory
    from archspec.graph import Graph
    from archspec.sharding.links import Links

COMBINED = 30 * 2**20
"""Bytes up to which XLA joins collectives that do not wait for one another into one: its default on GPUs
(`xla_gpu_all_reduce_combine_threshold_bytes` and the like)."""
JOINED: frozenset[Purpose] = frozenset({"parameters", "gradients", "optimiser", "loss"})
"""Purposes whose collectives do not wait for one another."""
ALIKE = 0.01
"""A difference in time that the prediction is too coarse for."""


class Pace(NamedTuple):
    """How near a device comes to its roofline: `achieved` of it, and `kernel` seconds more for each kernel.

    The second are what starting, filling and emptying a device takes, which weighs where a device has few samples.
    `source` says where both are from. Of the sums of gradients the part `overlap` of the backward pass's time hides as
    much.
    """

    achieved: float
    kernel: float
    source: str
    overlap: float = 0.0


PROCESSOR = Pace(
    0.65,
    0.0,
    "the median of eleven networks' training steps on one core, benchmarks/results/one_core_jax_0.10.2.json, for a "
    "Xeon of 2 GHz with AVX-512 and 10 GB/s",
)
"""How near processors come to their roofline."""


def pace_of(device: Device, dtype: str) -> Pace:
    """How near a device comes to its roofline with numbers of a type: measured on it, or on another, which is said."""
    if device.is_cpu:
        return PROCESSOR
    from archspec.figures.devices import devices

    measured = [other for other in (device, *devices().values()) if other.achieved]
    if not measured:
        return Pace(1.0, 0.0, "the least time; no device was measured, and --achieved says what yours reaches")
    own = measured[0]
    alike = {"float16": "bfloat16", "float32": "tf32"}
    known = next(name for name in (dtype, alike.get(dtype, dtype), *own.achieved) if name in own.achieved)
    elsewhere = [own.title] if own is not device else []
    elsewhere += [known] if known != dtype else []
    source = f"measured, {own.achieved_source}"
    if elsewhere:
        source = f"not measured here, taken from {', '.join(elsewhere)}: {own.achieved_source}"
    assert own.kernel is not None
    return Pace(own.achieved[known], own.kernel, source)


class Passes(NamedTuple):
    """Seconds of one device's computing in a step."""

    forward: float
    backward: float
    update: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(self)


@dataclass(frozen=True)
class Placed:
    """A training step on one mesh. `samples` are those that a device works on, with the others of its `spatial` group.

    `communication` has seconds by purpose, of which `hidden` lie within the backward pass.
    """

    mesh: Mesh
    samples: int
    memory: Memory
    needed: int
    fits: bool | None
    collectives: tuple[Collective, ...]
    passes: Passes
    communication: Mapping[Purpose, float]
    hidden: float

    @property
    def batch(self) -> int:
        return self.samples * self.mesh.batches

    @property
    def communicating(self) -> float:
        """Seconds of a step in which a device computes nothing, since it waits for others."""
        return sum(self.communication.values()) - self.hidden

    @property
    def seconds(self) -> float:
        return self.passes.seconds + self.communicating

    @property
    def throughput(self) -> float:
        """Samples a second, of all devices."""
        return self.batch / self.seconds

    @property
    def totals(self) -> list[Total]:
        return totals(self.collectives, self.mesh)

    @property
    def bytes(self) -> int:
        """Bytes of the results of all collectives on one device."""
        return sum(item.bytes for item in self.collectives)

    @property
    def sent(self) -> float:
        """Bytes that a device sends in a step."""
        return sum(item.times * item.sent(self.mesh) for item in self.collectives)


class Refused(NamedTuple):
    """A number of devices that no mesh of divides the work, and why."""

    devices: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """Steps of a network on meshes of `devices` equal devices, for a batch of all devices together."""

    graph: Graph
    device: Device
    dtype: str
    batch: int
    devices: int
    links: Links
    pace: Pace
    step: Step
    per_device: bool = False

    @cached_property
    def seen(self) -> Graph:
        """The graph with what training needs."""
        return self.graph.pruned("train")

    # What a device computes depends on its samples and rows alone; what it holds on how arrays are divided too.
    @cached_property
    def _passes(self) -> dict[tuple[int, int], Passes]:
        return {}

    @cached_property
    def _memories(self) -> dict[tuple[int, int], Memory]:
        return {}

    @cached_property
    def _seconds(self) -> dict[tuple[Mesh, Collective], float]:
        return {}

    def passes(self, samples: int, spatial: int = 1) -> Passes:
        """Seconds of the forward and backward pass over so many samples, divided by rows over `spatial` devices."""
        found = self._passes.get((samples, spatial))
        if found is None:
            parts = self.step.parts
            own = local(self.seen, Mesh(spatial=spatial))
            predicted = predict(own, self.device, dtype=self.dtype, mode="train", batch=-(-samples // parts))
            forward = backward = anew = 0.0
            inside = {index for first, last in self.step.stretches for index in range(first, last + 1)}
            for index, row in enumerate(predicted.rows):
                if row.fused_into is not None:
                    continue
                ahead = self._timed(row.forward, 1)
                forward += ahead
                backward += self._timed(row.backward, sum(item.bytes > 0 for item in row.work.passes[1:]))
                anew += ahead if index in inside else 0.0
            found = self._passes[samples, spatial] = Passes(parts * forward, parts * (backward + anew))
        return found

    def _timed(self, least: float, kernels: int) -> float:
        return least / self.pace.achieved + kernels * self.pace.kernel if least else 0.0

    def update(self, mesh: Mesh) -> float:
        """Seconds of the optimiser's update of a device's parts: weights and state read and written, gradients read."""
        graph = self.seen
        divided = axes_of(graph, mesh, self.step.axes)
        shapes = [
            tuple(
                size // mesh.fsdp if axis == divided.get(f"{node.owner}.{weight.name}") else size
                for axis, size in enumerate(weight.shape)
            )
            for node, weight in trained(graph, self.step)
        ]
        numbers = sum(_size(shape) for shape in shapes)
        state = (self.step.optimiser or default_optimiser()).state_numbers(shapes)
        copy = width(self.dtype) if width(self.dtype) < MASTER else 0
        moved = numbers * (3 * MASTER + copy) + 2 * MASTER * state
        return moved / self.device.bandwidth / self.pace.achieved

    def memory(self, mesh: Mesh) -> Memory:
        """Bytes of a device; what XLA on CPUs alone copies counts where the device is one."""
        key = (mesh.fsdp, mesh.spatial)
        if key not in self._memories:
            found = memory(self.seen, mesh, self.step)
            self._memories[key] = found if self.device.is_cpu else found.portable()
        return self._memories[key]

    def placed(self, mesh: Mesh) -> Placed:
        """A step on a mesh, whose `batches` divide the batch."""
        samples = self.batch // mesh.batches
        items = collectives(self.seen, mesh, self.step, samples)
        passes = self.passes(samples, mesh.spatial)._replace(update=self.update(mesh))
        times: dict[Purpose, float] = {}
        for total in totals(items, mesh):
            if total.purpose in JOINED:
                calls = max(1, round(total.bytes / COMBINED))
                whole = Collective(total.kind, total.purpose, total.axes, "", 0, total.dtype)
                each = whole._replace(numbers=total.bytes // calls // whole._replace(numbers=1).bytes)
                seconds = calls * self.links.seconds(each, mesh)
                times[total.purpose] = times.get(total.purpose, 0.0) + seconds
        alone: dict[Collective, float] = {}
        for item in items:
            if item.purpose not in JOINED:
                key = item._replace(of="", times=1)
                if key not in alone:
                    alone[key] = self.links.seconds(key, mesh)
                times[item.purpose] = times.get(item.purpose, 0.0) + item.times * alone[key]
        hidden = min(times.get("gradients", 0.0), self.pace.overlap * passes.backward)
        found = self.memory(mesh)
        needed = found.at(samples)
        fits = None if self.device.memory is None else needed <= self.device.memory
        return Placed(mesh, samples, found, needed, fits, items, passes, times, hidden)

    def why_not(self, mesh: Mesh) -> str | None:
        """Why a mesh cannot be; None where it can."""
        if self.batch % mesh.batches:
            return f"{count(self.batch, 'sample')} cannot be {mesh.batches:,} equal parts"
        if self.batch // mesh.batches % self.step.parts:
            own = count(self.batch // mesh.batches, "sample")
            return f"{own} a device cannot be {self.step.parts} equal micro-batches"
        try:
            local(self.seen, mesh)
            axes_of(self.seen, mesh, self.step.axes)
        except ValueError as error:
            return str(error)
        return None

    def meshes(self, devices: int) -> list[Mesh]:
        """The meshes of so many devices that can be.

        Rows are exchanged at every layer, so `spatial` stays within what an interconnect joins. `fsdp` has to divide
        something, and no less than another mesh with fewer devices along it would.
        """
        found = []
        for spatial in _divisors(devices):
            if spatial > 1 and spatial > max(self.links.linked, self.links.per_host):
                break
            for fsdp in _divisors(devices // spatial):
                mesh = Mesh(devices // spatial // fsdp, fsdp, spatial, self.per_device)
                if fsdp > 1 and not axes_of(self.seen, mesh, self.step.axes):
                    continue
                if self.why_not(mesh) is None:
                    found.append(mesh)
        return found

    def all(self, devices: int) -> list[Placed]:
        """Steps on all meshes of so many devices, the recommended one first; those that do not fit last."""
        return sorted(map(self.placed, self.meshes(devices)), key=self._order)

    @staticmethod
    def _order(placed: Placed) -> tuple[bool, float]:
        return placed.fits is False, placed.seconds if placed.fits is not False else placed.needed

    def best(self, found: Sequence[Placed]) -> Placed | None:
        """Of the meshes that fit the one to take: of those that are as fast as the fastest, the simplest."""
        fitting = [item for item in found if item.fits is not False]
        if not fitting:
            return None
        least = min(item.seconds for item in fitting)
        alike = [item for item in fitting if item.seconds <= least * (1 + ALIKE)]
        return min(alike, key=lambda item: (item.mesh.spatial > 1, item.mesh.fsdp > 1, item.seconds))

    @cached_property
    def alone(self) -> Placed:
        """One device by itself with the largest batch that fits, up to the whole: what efficiency is measured by."""
        found = self.memory(Mesh())
        most = self.batch
        if self.device.memory is not None:
            most = max(1, min(most, found.largest_batch(int(self.device.memory))))
        most = max(self.step.parts, most - most % self.step.parts)
        passes = self.passes(most)._replace(update=self.update(Mesh()))
        needed = found.at(most)
        fits = None if self.device.memory is None else needed <= self.device.memory
        return Placed(Mesh(), most, found, needed, fits, (), passes, {}, 0.0)

    def efficiency(self, placed: Placed) -> float:
        """Samples a second of a device on the mesh over those of one alone."""
        return placed.throughput / placed.mesh.devices / self.alone.throughput

    def losses(self, placed: Placed) -> dict[str, float]:
        """Seconds of a step by what they go to: those that one device alone would take for as much, and beyond them."""
        ideal = placed.batch / placed.mesh.devices / self.alone.throughput
        found = {"computing": ideal, "small parts": max(0.0, placed.passes.seconds - ideal)}
        for purpose, seconds in placed.communication.items():
            found[purpose] = seconds - (placed.hidden if purpose == "gradients" else 0.0)
        return found

    def hosts(self, devices: int) -> int:
        return ceil(devices / self.links.per_host)

    def scaling(self) -> list[tuple[int, Placed | None, list[Placed]]]:
        """The best mesh of 1, 2, 4 … devices up to all, with all that there are."""
        counts = []
        count = 1
        while count < self.devices:
            counts.append(count)
            count *= 2
        found = []
        for count in [*counts, self.devices]:
            placed = self.all(count)
            found.append((count, self.best(placed), placed))
        return found


def _size(shape: Sequence[int]) -> int:
    size = 1
    for axis in shape:
        size *= axis
    return size


def _divisors(number: int) -> list[int]:
    small = [divisor for divisor in range(1, int(number**0.5) + 1) if number % divisor == 0]
    return sorted({*small, *(number // divisor for divisor in small)})

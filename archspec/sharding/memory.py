"""Bytes that a device of a mesh needs in training: its samples and rows, its parts of divided arrays, whole copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.figures.memory import Memory, MemoryPart, trained_shapes, training
from archspec.mesh import Mesh
from archspec.optimisers import default_optimiser
from archspec.sharding.arrays import axes_of
from archspec.sharding.collectives import Step, trained
from archspec.sharding.local import local
from archspec.types import DTYPE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archspec.graph import Graph

GATHERED = "gathered weights"
"""The part that divided arrays take while they are whole."""


def memory(graph: Graph, mesh: Mesh, step: Step) -> Memory:
    """Bytes at the peak of a training step on one device of a mesh; per sample of that device.

    What `figures.memory.training` says of the network with the device's rows, but of each array that `fsdp` divides a
    device has its part, with its part of the optimiser's state and averages. All are whole from before the passes until
    after them: in float32 that is a copy more, in 16 bits the copy that the passes work with anyway.
    """
    seen = local(graph, mesh)
    found = training(
        seen,
        "float32" if step.dtype == "tf32" else step.dtype,
        step.optimiser,
        frozen=step.frozen_layers,
        parts=step.parts,
        averaged=step.averaged,
        recomputed=step.stretches,
    )
    divided = axes_of(seen, mesh, step.axes)
    return _divided(found, seen, mesh, step, divided) if divided else found


def _divided(found: Memory, graph: Graph, mesh: Mesh, step: Step, divided: Mapping[str, int]) -> Memory:
    weights = [(node, weight) for node in graph.nodes for weight in node.weights]
    whole = sum(weight.size for node, weight in weights if f"{node.owner}.{weight.name}" in divided)
    saved = whole - whole // mesh.fsdp
    optimiser = step.optimiser or default_optimiser()
    shapes = [
        tuple(
            size // mesh.fsdp if axis == divided.get(f"{node.owner}.{weight.name}") else size
            for axis, size in enumerate(weight.shape)
        )
        for node, weight in trained(graph, step)
    ]
    state = optimiser.state_numbers(trained_shapes(graph, step.frozen_layers)) - optimiser.state_numbers(shapes)
    narrow = DTYPE_BYTES.get(step.dtype, 4) < 4
    less = {"weights": saved, "averages": saved if step.averaged else 0, "optimiser state": state}

    def changed(moment: Memory) -> Memory:
        parts = {
            name: MemoryPart(part.fixed - 4 * less.get(name, 0), part.per_sample) for name, part in moment.parts.items()
        }
        if not narrow:
            parts[GATHERED] = MemoryPart(4 * whole)
        return moment._replace(
            fixed=sum(part.fixed for part in parts.values()),
            parts=parts,
            others=tuple(map(changed, moment.others)),
            alone=None if moment.alone is None else changed(moment.alone),
        )

    return changed(found)

"""`batch_size: auto`: the largest batch that fits, from the predicted memory, which XLA's own figures correct.

The prediction says where to look; the step of such a batch is compiled from shapes alone and XLA asked what it needs.
Where that is too much, or leaves room, the next size lies on the line through what is fixed and that figure. So what is
chosen has been found to fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from archspec.data import Data
from archspec.diagnostics import DataError, count
from archspec.figures.units import mebibytes
from archspec.graph import Graph
from archspec.images.limits import machine_memory
from archspec.peers import peers
from archspec.spec.needs import training_memory
from archspec.spec.train import Train
from archspec.tasks import Head
from archspec.training.boundary import OUT_OF_MEMORY
from archspec.training.feeding import Batch, Named, fits_on_device, parts_of
from archspec.training.freezing import frozen_at
from archspec.training.steps import steps_of

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.inputs import Input

Shapes = Mapping[str, tuple[tuple[int, ...], Any]]
"""Of one sample's arrays, by name: shape and type."""

USED = {"cpu": 0.8}
"""The share of free memory that a step may take, by platform; on CPUs JAX's allocator and compiler need some too."""
USED_ELSEWHERE = 0.97
WELL = 0.94
"""A batch that takes this share of what it may is not enlarged."""
TRIES = 4
MULTIPLE = 8
"""Batches of 64 and more are multiples of this, which matrix units of 16-bit numbers want."""


class Room(NamedTuple):
    """Bytes that a step may take, and what of."""

    bytes: int
    said: str


def sized(recipe: Train, spec: Spec, graph: Graph, data: Data, heads: Sequence[Head]) -> tuple[Train, str]:
    """The recipe with the batch size that fits, and a note on it. Raises `DataError` (E902) where no sample does."""
    room = room_of(recipe, data)
    samples = len(data.train)
    shapes = shapes_in(data)

    def needed(batch: int) -> int | None:
        return compiled_bytes(spec, recipe, heads, batch, *shapes)

    memory = training_memory(graph, recipe)
    memory = memory if jax.default_backend() == "cpu" else memory.portable()
    parts = recipe.micro_batches * parts_of(recipe)
    first = memory.largest_batch(room.bytes) * parts_of(recipe)
    best = largest(needed, memory.fixed, first, room.bytes, parts, samples)
    if not best:
        raise DataError(
            "E902",
            f"`batch_size: auto`: a step of {count(parts, 'sample')}, the least, does not fit into {room.said}",
            help=["a smaller input or network needs less; `remat` and `micro_batches` may do, too"],
        )
    steps = -(-samples // best)
    note = (
        f"batch_size: auto is {best:,}, the most that fits into {room.said}"
        if best < rounded(samples, parts)
        else f"batch_size: auto is {best:,}, all samples that there are"
    )
    rate = f"the learning rate is as the recipe has it, {recipe.optimiser.learning_rate:g}"
    return recipe.model_copy(update={"batch_size": best}), f"{note}: {count(steps, 'step')} an epoch; {rate}"


def room_of(recipe: Train, data: Data | None) -> Room:
    """What a step may take on each device: what the recipe says, or what is free, in the process that has least."""
    if recipe.memory is not None:
        return Room(recipe.memory, f"`memory`, {mebibytes(recipe.memory)}")
    own = room_for(data) if recipe.mesh is None else room_for(data, None)
    return min(Room(*of_one) for of_one in peers().gathered("room", own))


def room_for(data: Data | None, most: int | None = 1) -> Room:
    """What is free on the device, less what the data will take there; of so many devices of this process, or all, on
    each.
    """
    devices = jax.local_devices()[:most]
    device = devices[0]
    stats = device.memory_stats() or {}
    splits = () if data is None else (data.train, data.validation)
    held = sum(split.nbytes for split in splits if fits_on_device(split))
    limit = stats.get("bytes_limit", 0)
    if limit:
        free, where = limit - stats.get("bytes_in_use", 0), device.device_kind
    else:
        free, where = free_memory() // len(devices), "this machine's memory"
        where += f" for each of {count(len(devices), 'device')}" * (len(devices) > 1)
    share = USED.get(device.platform, USED_ELSEWHERE)
    bytes = int(share * (free - held))
    return Room(max(0, bytes), f"{bytes / 2**30:,.3g} GiB of {where} ({100 * share:.0f} % of what is free)")


def free_memory() -> int:
    """Bytes of main memory that are free; half of all where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return (machine_memory() or 2**32) // 2


def rounded(batch: int, parts: int) -> int:
    """The next smaller size that has so many equal parts, from 64 on a multiple of 8 too."""
    step = parts
    while batch >= 64 and step % MULTIPLE and step * MULTIPLE <= batch:
        step *= 2
    return batch - batch % step


def largest(needed: Any, fixed: int, first: int, room: int, parts: int, samples: int) -> int:
    """The largest batch found to fit, 0 where none does.

    `needed(batch)` gives the bytes of a compiled step; None where nobody knows, and then nine tenths of the first guess
    are taken.
    """
    most = rounded(samples, parts)
    batch = max(min(rounded(first, parts), most), parts)
    good, bad = 0, most + parts
    for _ in range(TRIES):
        found = needed(batch)
        if found is None:
            return max(parts, rounded(batch * 9 // 10, parts)) if first else 0
        if found <= room:
            good = max(good, batch)
            if batch == most or found >= WELL * room:
                break
        else:
            bad = min(bad, batch)
        slope = max(1.0, (found - min(fixed, found - 1)) / batch)
        wanted = int((room * (1 + WELL) / 2 - fixed) / slope)
        batch = max(min(rounded(min(wanted, bad - parts), parts), most), parts)
        if batch <= good:
            break
    return good


def compiled_bytes(
    spec: Spec, recipe: Train, heads: Sequence[Head], batch: int, inputs: Shapes, targets: Shapes
) -> int | None:
    """Bytes of a compiled training step on each device, as XLA counts them; nothing is allocated. None where XLA does
    not say.
    """
    make: Any = jax.ShapeDtypeStruct

    graph, begin = spec.graph(), recipe.init_from
    # As it is once most is trained.
    thawed = (begin.freeze_epochs or 0) + 1 if begin is not None else 1
    frozen = frozen_at(recipe, graph, max(recipe.epochs, thawed))
    steps: Any = steps_of(graph, spec.inputs, heads, recipe, 1, frozen=frozen)
    divided = None if steps.devices is None else steps.devices.batch

    def shaped(shapes: Shapes) -> Named:
        return {name: make((batch, *shape), kind, sharding=divided) for name, (shape, kind) in shapes.items()}

    given = Batch(shaped(inputs), shaped(targets), make((batch,), jnp.int32, sharding=divided))
    try:
        analysis = steps.train.lower(steps.template, given).compile().memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        if any(words.lower() in str(error).lower() for words in OUT_OF_MEMORY):
            return 2**62
        raise
    if analysis is None:
        return None
    held = analysis.argument_size_in_bytes + analysis.output_size_in_bytes + analysis.temp_size_in_bytes
    return int(held - analysis.alias_size_in_bytes)


def shapes_in(data: Data) -> tuple[Shapes, Shapes]:
    """Shapes of inputs and targets as the data have them."""
    inputs, targets = (
        {name: (array.shape[1:], array.dtype) for name, array in arrays.items()}
        for arrays in (data.train.inputs, data.train.targets)
    )
    return inputs, targets


def shapes_of(inputs: Mapping[str, Input], targets: Shapes) -> tuple[Shapes, Shapes]:
    """Shapes of images as bytes, and targets as given."""
    return {name: (input.type.shape, jnp.uint8) for name, input in inputs.items()}, targets

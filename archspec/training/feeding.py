"""Batches: from arrays that lie on the device, or from the host, prefetched. The order is the same either way.

Over several devices a batch is one array of which each device has a block, whatever process it belongs to. The order is
that of the whole batch, so it is the same on any number of devices and processes, and each process reads what its own
devices take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from archspec.data import Gathered, Loader, Orders, Ranges, Split, as_array, in_blocks, uncounted
from archspec.data import epoch_order as epoch_order  # beside the feeds whose orders it makes
from archspec.diagnostics import DataError, count
from archspec.spec.meshing import batch_sizes

if TYPE_CHECKING:
    from archspec.spec.train import Train
    from archspec.training.device_mesh import DeviceMesh

DEVICE_BYTES = 2**30
"""Data up to this size lies on the device, if that leaves half of its memory free."""

Named = dict[str, jax.Array]
"""Arrays of a batch, by the names of inputs or targets."""


class Batch(NamedTuple):
    """What a training step takes: inputs and targets by name, and which samples they are.

    `index` (B,) int32 has each sample's number in the training part, ~n for what only fills up the batch.
    """

    inputs: Named
    targets: Named
    index: jax.Array  # type: ignore[assignment]  # not the method of tuples


def fits_on_device(split: Split, devices: DeviceMesh | None = None, *, divided: bool = False) -> bool:
    """Whether a split is in memory, and small enough to stay whole on each device of this process, or `divided` among
    all.
    """
    if split.is_streamed:
        return False
    if devices is None:
        return split.nbytes <= _room(jax.local_devices()[0])
    local = devices.own.local_devices
    own = split.nbytes / devices.mesh.devices if divided else split.nbytes
    # CPU devices of a process have one memory.
    return own * (len(local) if local[0].platform == "cpu" else 1) <= min(map(_room, local))


def _room(device: jax.Device) -> int:
    """Bytes of data that may lie on a device."""
    stats = device.memory_stats() or {}
    free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)
    return min(DEVICE_BYTES, free // 2) if free > 0 else DEVICE_BYTES


def parts_of(recipe: Train) -> int:
    """Blocks that devices divide a batch into, by a mesh whose axes are numbers."""
    return recipe.blocks


def batch_of(recipe: Train, samples: int) -> int:
    """Samples of a step: `batch_size`, or where there are fewer, all that `micro_batches` and devices divide.

    Raises `DataError` where there are fewer samples than parts of a batch (E519), and where devices do not divide a
    batch (E525).
    """
    devices = parts_of(recipe)
    parts = recipe.micro_batches * devices
    each = f" of {recipe.micro_batches:,} micro-batches each" * (recipe.micro_batches > 1)
    if samples < parts:
        raise DataError(
            "E519",
            f"a batch of {count(samples, 'sample')}, which is all there is to train on, has no "
            + (f"{parts} `micro_batches`" if devices == 1 else f"{devices:,} parts for the devices of the mesh{each}"),
            help=[f"`micro_batches: {samples}` or fewer" if devices == 1 else "fewer devices"],
        )
    if recipe.samples <= samples and recipe.samples % parts:
        sizes = batch_sizes(recipe.samples, parts)
        raise DataError(
            "E525",
            f"a batch of {count(recipe.samples, 'sample')} cannot be divided among {devices:,} parts of the mesh{each}",
            help=[" or ".join(f"`batch_size: {size}`" for size in sizes)],
        )
    return min(recipe.samples, samples - samples % parts)


def orders_of(recipe: Train, samples: int) -> Orders:
    """The orders of a recipe's epochs. Raises `DataError` as `batch_of` does."""
    return Orders(recipe.seed, samples, batch_of(recipe, samples), parts_of(recipe), recipe.micro_batches)


def as_on_one(batch: Batch, orders: Orders) -> Batch:
    """A batch's whole arrays in the order that one device has them in."""
    # In blocks with the two exchanged, it is as it was.
    places = in_blocks(np.arange(orders.batch), orders.micro_batches, orders.parts)
    own: Batch = jax.tree.map(lambda array: array[places], batch)
    return own


def _gathered(
    inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array], order: jax.Array, step: jax.Array
) -> Batch:
    chosen = order[step]
    fills = chosen < 0
    own = jnp.where(fills, ~chosen, chosen)

    def counting(target: jax.Array) -> jax.Array:
        wide = fills.reshape(-1, *(1,) * (target.ndim - 1))
        return jnp.where(wide, jnp.asarray(uncounted(np.dtype(target.dtype)), target.dtype), target[own])

    return Batch(
        {name: array[own] for name, array in inputs.items()},
        {name: counting(array) for name, array in targets.items()},
        chosen,
    )


_gather = jax.jit(_gathered)


class Placing:
    """Arrays of as many samples, of which this process has those at the places `own`, on the devices.

    Without devices it has all, and they lie on the first.
    """

    def __init__(self, sharding: NamedSharding | None, samples: int) -> None:
        self.sharding, self.samples = sharding, samples
        self.own: Ranges | None = None
        if sharding is not None:
            places = sharding.addressable_devices_indices_map((samples,)).values()
            ranges = {index[0].indices(samples)[:2] for index in places if index is not None}
            self.own = tuple(sorted(ranges))
            starts = np.cumsum([0, *(end - begin for begin, end in self.own)])
            self._rows = {begin: int(row) for (begin, _), row in zip(self.own, starts, strict=False)}

    def __call__(self, own: np.ndarray) -> jax.Array:
        if self.sharding is None:
            return jnp.asarray(own)

        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None
            begin, end, _ = index[0].indices(self.samples)
            row = self._rows[begin]
            return own[row : row + end - begin]

        shape = (self.samples, *own.shape[1:])
        return jax.make_array_from_callback(shape, self.sharding, part, jax.dtypes.canonicalize_dtype(own.dtype))

    def named(self, arrays: Mapping[str, np.ndarray]) -> Named:
        return {name: self(array) for name, array in arrays.items()}


def _laid(whole: np.ndarray, sharding: NamedSharding | None) -> jax.Array:
    """An array that this process has whole, as it is to lie on the devices."""
    if sharding is None:
        return jnp.asarray(whole)
    kind = jax.dtypes.canonicalize_dtype(whole.dtype)
    return jax.make_array_from_callback(whole.shape, sharding, lambda place: whole[place], kind)


class DeviceFeed:
    """Batches gathered on the device: the host only counts steps. Of several devices each has all samples, and gathers
    those of its own block of a batch.
    """

    def __init__(self, split: Split, devices: DeviceMesh | None = None) -> None:
        self.devices = devices
        whole = None if devices is None else devices.whole
        self.inputs, self.targets = (
            {name: _laid(as_array(values), whole) for name, values in own.items()}
            for own in (split.inputs, split.targets)
        )
        self.gather: Any = _gather
        if devices is not None:
            batch, every = devices.batch.spec, devices.whole.spec
            self.blocks = devices.along(None, *batch)
            given = every, every, self.blocks.spec, every
            within = jax.shard_map(_gathered, mesh=devices.own, in_specs=given, out_specs=batch, check_vma=False)
            self.gather = jax.jit(within)

    def batches(self, order: np.ndarray, start: int = 0, epoch: int | None = None) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        placed = _laid(order, None if self.devices is None else self.blocks)
        steps = (
            jnp.arange(len(order), dtype=jnp.int32) if self.devices is None else np.arange(len(order), dtype=np.int32)
        )
        for step in range(start, len(order)):
            yield self.gather(self.inputs, self.targets, placed, steps[step])

    def close(self) -> None:
        """Nothing is to be ended."""


class HostFeed:
    """Batches gathered by threads on the host, or by processes where samples are read from files, and put on the device
    ahead of their step.

    `orders` are those of a run, whose processes then go on from epoch to epoch. Where several processes compute
    together, each loads its part of every batch.
    """

    def __init__(
        self,
        split: Split,
        orders: Orders | None = None,
        epochs: int = 1,
        workers: int = 0,
        devices: DeviceMesh | None = None,
    ) -> None:
        self.split = split
        self.devices = devices
        self.workers = workers if split.is_streamed else 0
        self.run = None if orders is None else self._loader(orders, self._placing(orders.batch), epochs * orders.steps)

    def _placing(self, batch: int) -> Placing:
        return Placing(None if self.devices is None else self.devices.batch, batch)

    def _loader(self, order: np.ndarray | Orders, placing: Placing, steps: int) -> Loader[Any]:
        return Loader(Gathered(self.split, order, placing.own), steps, self.workers)

    def batches(self, order: np.ndarray, start: int = 0, epoch: int | None = None) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on; `epoch` says that it is that of the run's orders."""
        placing = self._placing(order.shape[-1])
        if self.run is not None and epoch is not None:
            first = (epoch - 1) * len(order)
            yield from _ahead(self.run.between(first + start, first + len(order)), placing)
            return
        own = self._loader(order, placing, len(order))
        try:
            yield from _ahead(own.between(start, len(order)), placing)
        finally:
            own.close()

    def close(self) -> None:
        """Ends the processes."""
        if self.run is not None:
            self.run.close()


def _ahead(gathered: Iterable[Any], placing: Placing) -> Iterator[Batch]:
    """Batches on the device, each put there before the one before it is used."""
    waiting: Batch | None = None
    for own in gathered:
        ready = Batch(placing.named(own["inputs"]), placing.named(own["targets"]), placing(own["index"]))
        del own
        if waiting is not None:
            yield waiting
        waiting = ready
    if waiting is not None:
        yield waiting


def feed(
    split: Split,
    orders: Orders | None = None,
    epochs: int = 1,
    workers: int = 0,
    devices: DeviceMesh | None = None,
) -> DeviceFeed | HostFeed:
    """The feed that suits a split's size; `workers` processes read it where it is streamed.

    `devices` divide each batch among them: orders are in blocks for them.
    """
    if fits_on_device(split, devices):
        return DeviceFeed(split, devices)
    return HostFeed(split, orders, epochs, workers, devices)

"""Batches: from arrays that lie on the device, or from the host, prefetched. The order is the same either way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Gathered, Loader, Orders, Split, Values, as_array, uncounted
from archspec.data import epoch_order as epoch_order  # beside the feeds whose orders it makes
from archspec.diagnostics import DataError, count

if TYPE_CHECKING:
    from archspec.spec.train import Train

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


def fits_on_device(split: Split) -> bool:
    """Whether a split is in memory, and small enough to stay on the device."""
    if split.is_streamed:
        return False
    stats = jax.local_devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)
    return split.nbytes <= (min(DEVICE_BYTES, free // 2) if free > 0 else DEVICE_BYTES)


def batch_of(recipe: Train, samples: int) -> int:
    """Samples of a step: `batch_size`, or where there are fewer, all that `micro_batches` divides.

    Raises `DataError` (E519) where there are fewer samples than parts of a batch.
    """
    if samples < recipe.micro_batches:
        raise DataError(
            "E519",
            f"a batch of {count(samples, 'sample')}, which is all there is to train on, has no "
            f"{recipe.micro_batches} `micro_batches`",
            help=[f"`micro_batches: {samples}` or fewer"],
        )
    return min(recipe.samples, samples - samples % recipe.micro_batches)


@jax.jit
def _gather(
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


class DeviceFeed:
    """Batches gathered on the device: the host only counts steps."""

    def __init__(self, split: Split) -> None:
        self.inputs, self.targets = _placed(split.inputs), _placed(split.targets)

    def batches(self, order: np.ndarray, start: int = 0, epoch: int | None = None) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        placed = jnp.asarray(order)
        steps = jnp.arange(len(order), dtype=jnp.int32)
        for step in range(start, len(order)):
            yield _gather(self.inputs, self.targets, placed, steps[step])

    def close(self) -> None:
        """Nothing is to be ended."""


class HostFeed:
    """Batches gathered by threads on the host, or by processes where samples are read from files, and put on the device
    ahead of their step.

    `orders` are those of a run, whose processes then go on from epoch to epoch. Where several processes compute
    together, each loads its part of every batch.
    """

    def __init__(self, split: Split, orders: Orders | None = None, epochs: int = 1, workers: int = 0) -> None:
        self.split = split
        self.workers = workers if split.is_streamed else 0
        self.run = None if orders is None else self._loader(orders, epochs * orders.steps)

    def _loader(self, order: np.ndarray | Orders, steps: int) -> Loader[Any]:
        return Loader(Gathered(self.split, order, jax.process_index(), jax.process_count()), steps, self.workers)

    def batches(self, order: np.ndarray, start: int = 0, epoch: int | None = None) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on; `epoch` says that it is that of the run's orders."""
        if self.run is not None and epoch is not None:
            first = (epoch - 1) * len(order)
            yield from _ahead(self.run.between(first + start, first + len(order)))
            return
        own = self._loader(order, len(order))
        try:
            yield from _ahead(own.between(start, len(order)))
        finally:
            own.close()

    def close(self) -> None:
        """Ends the processes."""
        if self.run is not None:
            self.run.close()


def _ahead(gathered: Iterable[Any]) -> Iterator[Batch]:
    """Batches on the device, each put there before the one before it is used."""
    waiting: Batch | None = None
    for own in gathered:
        ready = Batch(_wholes(own["inputs"]), _wholes(own["targets"]), _whole(own["index"]))
        del own
        if waiting is not None:
            yield waiting
        waiting = ready
    if waiting is not None:
        yield waiting


def _placed(arrays: Mapping[str, Values]) -> Named:
    return {name: jnp.asarray(as_array(array)) for name, array in arrays.items()}


def _wholes(arrays: Mapping[str, np.ndarray]) -> Named:
    return {name: _whole(array) for name, array in arrays.items()}


def _whole(own: np.ndarray) -> jax.Array:
    """A batch, of which this process has its part, on the devices."""
    if jax.process_count() == 1:
        return jnp.asarray(own)
    devices = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
    spread = jax.sharding.NamedSharding(devices, jax.sharding.PartitionSpec("batch"))  # type: ignore[no-untyped-call]
    whole: jax.Array = jax.make_array_from_process_local_data(spread, own)  # type: ignore[no-untyped-call]
    return whole


def feed(split: Split, orders: Orders | None = None, epochs: int = 1, workers: int = 0) -> DeviceFeed | HostFeed:
    """The feed that suits a split's size; `workers` processes read it where it is streamed."""
    return DeviceFeed(split) if fits_on_device(split) else HostFeed(split, orders, epochs, workers)

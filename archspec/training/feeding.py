"""Batches: from arrays that lie on the device, or from the host, prefetched. The order is the same either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Split, Values, as_array
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


def uncounted(kind: Any) -> float:
    """The target of a type that counts for nothing: −1 of whole numbers, NaN of floating-point ones."""
    return float("nan") if jnp.issubdtype(kind, jnp.floating) else -1


def fits_on_device(split: Split) -> bool:
    """Whether a split is in memory, and small enough to stay on the device."""
    if split.is_streamed:
        return False
    stats = jax.local_devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)
    return split.nbytes <= (min(DEVICE_BYTES, free // 2) if free > 0 else DEVICE_BYTES)


def epoch_order(seed: int, epoch: int, count: int, batch: int) -> np.ndarray:
    """The samples of an epoch's steps, (steps, batch); depends on the seed and the epoch only.

    Each sample is there once. What fills up the last batch are the samples that the epoch began with, n of them written
    as ~n: their inputs are there, so that a batch's statistics are those of a whole batch, and their targets count for
    nothing. `batch` is no larger than `count`.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return np.concatenate([order, ~order[: -count % batch]]).reshape(-1, batch).astype(np.int32)


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
    return min(recipe.batch_size, samples - samples % recipe.micro_batches)


def steps_per_epoch(count: int, batch: int) -> int:
    """How many steps `epoch_order` has."""
    return -(-count // batch)


@jax.jit
def _gather(
    inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array], order: jax.Array, step: jax.Array
) -> Batch:
    chosen = order[step]
    fills = chosen < 0
    own = jnp.where(fills, ~chosen, chosen)

    def counting(target: jax.Array) -> jax.Array:
        wide = fills.reshape(-1, *(1,) * (target.ndim - 1))
        return jnp.where(wide, jnp.asarray(uncounted(target.dtype), target.dtype), target[own])

    return Batch(
        {name: array[own] for name, array in inputs.items()},
        {name: counting(array) for name, array in targets.items()},
        chosen,
    )


class DeviceFeed:
    """Batches gathered on the device: the host only counts steps."""

    def __init__(self, split: Split) -> None:
        self.inputs, self.targets = _placed(split.inputs), _placed(split.targets)

    def batches(self, order: np.ndarray, start: int = 0) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        placed = jnp.asarray(order)
        steps = jnp.arange(len(order), dtype=jnp.int32)
        for step in range(start, len(order)):
            yield _gather(self.inputs, self.targets, placed, steps[step])


class HostFeed:
    """Batches gathered by threads on the host and put on the device ahead of their step."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def batches(self, order: np.ndarray, start: int = 0) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        import grain

        def gather(step: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
            chosen = order[step]
            own = np.where(chosen < 0, ~chosen, chosen)
            targets = {name: array[own] for name, array in self.split.targets.items()}
            for target in targets.values():
                target[chosen < 0] = uncounted(target.dtype)
            return {name: array[own] for name, array in self.split.inputs.items()}, targets, chosen

        steps = grain.MapDataset.range(start, len(order)).map(gather)
        ahead = steps.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=4))
        waiting: Batch | None = None
        for inputs, targets, chosen in ahead:
            ready = Batch(_placed(inputs), _placed(targets), jnp.asarray(chosen))
            if waiting is not None:
                yield waiting
            waiting = ready
        if waiting is not None:
            yield waiting


def _placed(arrays: Mapping[str, Values]) -> Named:
    return {name: jnp.asarray(as_array(array)) for name, array in arrays.items()}


def feed(split: Split) -> DeviceFeed | HostFeed:
    """The feed that suits a split's size."""
    return DeviceFeed(split) if fits_on_device(split) else HostFeed(split)

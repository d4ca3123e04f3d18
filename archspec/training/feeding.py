"""Batches: from arrays that lie on the device, or from the host, prefetched. The order is the same either way."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Split

DEVICE_BYTES = 2**30
"""Data up to this size lies on the device, if that leaves half of its memory free."""

Batch = tuple[jax.Array, jax.Array]


def fits_on_device(split: Split) -> bool:
    """Whether a split is small enough to stay on the device."""
    stats = jax.local_devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)
    return split.images.nbytes + split.labels.nbytes <= (min(DEVICE_BYTES, free // 2) if free > 0 else DEVICE_BYTES)


def epoch_order(seed: int, epoch: int, count: int, batch: int) -> np.ndarray:
    """The samples of an epoch's steps, (steps, batch); depends on the seed and the epoch only.

    Each sample is there once. What fills up the last batch are the samples that the epoch began with, n of them written
    as ~n: their images are there, so that a batch's statistics are those of a whole batch, and their labels count for
    nothing. `batch` is no larger than `count`.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return np.concatenate([order, ~order[: -count % batch]]).reshape(-1, batch).astype(np.int32)


def steps_per_epoch(count: int, batch: int) -> int:
    """How many steps `epoch_order` has."""
    return -(-count // batch)


@jax.jit
def _gather(images: jax.Array, labels: jax.Array, order: jax.Array, step: jax.Array) -> Batch:
    chosen = order[step]
    fills = chosen < 0
    own = jnp.where(fills, ~chosen, chosen)
    wide = fills.reshape(-1, *(1,) * (labels.ndim - 1))
    return images[own], jnp.where(wide, jnp.asarray(-1, labels.dtype), labels[own])


class DeviceFeed:
    """Batches gathered on the device: the host only counts steps."""

    def __init__(self, split: Split) -> None:
        self.images = jnp.asarray(split.images)
        self.labels = jnp.asarray(split.labels)

    def batches(self, order: np.ndarray, start: int = 0) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        placed = jnp.asarray(order)
        steps = jnp.arange(len(order), dtype=jnp.int32)
        for step in range(start, len(order)):
            yield _gather(self.images, self.labels, placed, steps[step])


class HostFeed:
    """Batches gathered by threads on the host and put on the device ahead of their step."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def batches(self, order: np.ndarray, start: int = 0) -> Iterator[Batch]:
        """The batches of an order, (steps, batch), from a step on."""
        import grain

        def gather(step: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = order[step]
            own = np.where(chosen < 0, ~chosen, chosen)
            labels = self.split.labels[own]
            labels[chosen < 0] = -1
            return self.split.images[own], labels

        steps = grain.MapDataset.range(start, len(order)).map(gather)
        ahead = steps.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=4))
        waiting: Batch | None = None
        for images, labels in ahead:
            ready = (jnp.asarray(images), jnp.asarray(labels))
            if waiting is not None:
                yield waiting
            waiting = ready
        if waiting is not None:
            yield waiting


def feed(split: Split) -> DeviceFeed | HostFeed:
    """The feed that suits a split's size."""
    return DeviceFeed(split) if fits_on_device(split) else HostFeed(split)

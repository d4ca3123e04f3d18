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

    A rest smaller than a batch is left to other epochs' orders.
    """
    steps = count // batch
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return order[: steps * batch].reshape(steps, batch).astype(np.int32)


@jax.jit
def _gather(images: jax.Array, labels: jax.Array, order: jax.Array, step: jax.Array) -> Batch:
    chosen = order[step]
    return images[chosen], labels[chosen]


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
            return self.split.images[chosen], self.split.labels[chosen]

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

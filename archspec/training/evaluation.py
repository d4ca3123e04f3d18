"""Metrics over a whole split."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from archspec.dataset import Split
from archspec.lower import Arrays
from archspec.training.feeding import fits_on_device
from archspec.training.steps import Steps

BATCH = 500


class Evaluator:
    """Evaluates a split again and again, in batches of one size; what fills up the last does not count."""

    def __init__(self, steps: Steps, split: Split, classes: int) -> None:
        self.steps = steps
        self.classes = classes
        size = min(BATCH, len(split.labels))
        self.missing = -len(split.labels) % size
        self.size = size
        self.split = split
        self.placed = [self._place(start) for start in self._starts()] if fits_on_device(split) else None

    def _starts(self) -> range:
        return range(0, len(self.split.labels), self.size)

    def _place(self, start: int) -> tuple[jax.Array, jax.Array]:
        images = self.split.images[start : start + self.size]
        labels = self.split.labels[start : start + self.size]
        missing = self.size - len(labels)
        if missing:
            images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
            labels = np.concatenate([labels, np.full(missing, -1, labels.dtype)])
        return jnp.asarray(images), jnp.asarray(labels)

    def _batches(self) -> Iterator[tuple[jax.Array, jax.Array]]:
        if self.placed is not None:
            yield from self.placed
        else:
            for start in self._starts():
                yield self._place(start)

    def __call__(self, params: Arrays, statistics: Arrays) -> dict[str, float]:
        """Mean loss, and the shares of samples whose label is the first guess (top1) and among five (top5).

        top5 is left out where there are no more than five classes.
        """
        sums: dict[str, jax.Array] | None = None
        for images, labels in self._batches():
            found = self.steps.evaluate(params, statistics, images, labels)
            sums = found if sums is None else jax.tree.map(jnp.add, sums, found)
        assert sums is not None
        totals = {name: float(value) for name, value in jax.device_get(sums).items()}
        count = totals.pop("count")
        if self.classes <= 5:
            totals.pop("top5")
        return {name: value / count for name, value in totals.items()}

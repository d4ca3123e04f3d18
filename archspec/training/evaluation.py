"""Metrics over a whole split."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Split
from archspec.graph import Graph
from archspec.lower import Arrays
from archspec.training.feeding import fits_on_device
from archspec.training.steps import Steps
from archspec.training.tasks import Metrics, Task

BATCH = 500
BATCH_BYTES = 2**29
"""A batch is as large as two of its largest maps leave room for here, and no larger than `BATCH`."""


class Evaluator:
    """Evaluates a split again and again, in batches of one size; what fills up the last does not count."""

    def __init__(self, steps: Steps, split: Split, task: Task, graph: Graph) -> None:
        self.steps = steps
        self.task = task
        largest = max(node.output.bytes for node in graph.nodes)
        size = max(1, min(BATCH, BATCH_BYTES // (2 * largest), len(split.labels)))
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
            labels = np.concatenate([labels, np.full((missing, *labels.shape[1:]), -1, labels.dtype)])
        return jnp.asarray(images), jnp.asarray(labels)

    def _batches(self) -> Iterator[tuple[jax.Array, jax.Array]]:
        if self.placed is not None:
            yield from self.placed
        else:
            for start in self._starts():
                yield self._place(start)

    def __call__(self, params: Arrays, statistics: Arrays) -> Metrics:
        """The mean loss over the labels that count, and the task's metrics."""
        found = [self.steps.evaluate(params, statistics, images, labels) for images, labels in self._batches()]
        # Added up here, in 64 bits: the pixels of a large split do not fit into 32.
        parts = jax.device_get(found)
        totals = {name: np.asarray(sum(part[name].astype(np.float64) for part in parts)) for name in parts[0]}
        return {"loss": float(totals["loss"] / max(totals["weight"], 1e-30)), **self.task.metrics(totals)}

"""What a network's task decides: the metrics, which of them is the headline, and how they are said.

Labels are whole numbers, one per image (N,) or per pixel (N, H, W); those below 0 count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.spec.network import Task as TaskName

Sums = dict[str, jax.Array]
Metrics = dict[str, Any]


class Task:
    """Base of the tasks. `headline` is the metric that a network is judged by, `accuracy` the share of right labels."""

    headline: str
    accuracy: str

    def sums(self, logits: jax.Array, labels: jax.Array) -> Sums:
        """What a batch adds to the metrics, over the labels that count."""
        raise NotImplementedError

    def metrics(self, totals: Mapping[str, np.ndarray]) -> Metrics:
        """The metrics of a split, from the sums over its batches."""
        raise NotImplementedError

    def said(self, metrics: Metrics) -> str:
        """The metrics in a few words."""
        raise NotImplementedError


class Classification(Task):
    """A class per image: the shares of images whose class is the first guess (top1) and among five (top5).

    top5 is left out where there are no more than five classes.
    """

    headline = "top1"
    accuracy = "top1"

    def sums(self, logits: jax.Array, labels: jax.Array) -> Sums:
        counts = labels >= 0
        rank = rank_of(logits, jnp.maximum(labels, 0))
        counted = {"count": jnp.sum(counts), "top1": jnp.sum(counts & (rank < 1))}
        return {**counted, "top5": jnp.sum(counts & (rank < 5))} if logits.shape[-1] > 5 else counted

    def metrics(self, totals: Mapping[str, np.ndarray]) -> Metrics:
        return {name: float(totals[name] / totals["count"]) for name in ("top1", "top5") if name in totals}

    def said(self, metrics: Metrics) -> str:
        words = [f"top-{name[3:]} {100 * metrics[name]:.2f} %" for name in ("top1", "top5") if name in metrics]
        return "  ".join(words)


class Segmentation(Task):
    """A class per pixel: mean IoU, the share of right pixels, and the IoU of each class.

    A class's intersection over union is right/(labelled + guessed − right), in pixels of the whole split; the mean is
    over the classes that occur as label or guess (Everingham et al. 2015; Long et al. 2015).
    """

    headline = "mean_iou"
    accuracy = "pixel_accuracy"

    def sums(self, logits: jax.Array, labels: jax.Array) -> Sums:
        classes = logits.shape[-1]
        guesses = logits.argmax(-1)
        # Row: label, column: guess. Pixels that do not count fall into a last place that is cut off.
        place = jnp.where(labels >= 0, labels * classes + guesses, classes * classes)
        counted = jnp.zeros(classes * classes + 1, jnp.int32).at[place.reshape(-1)].add(1)
        return {"confusion": counted[:-1].reshape(classes, classes)}

    def metrics(self, totals: Mapping[str, np.ndarray]) -> Metrics:
        confusion = totals["confusion"].astype(np.float64)
        right = np.diag(confusion)
        union = confusion.sum(0) + confusion.sum(1) - right
        shares = [float(own / whole) if whole else None for own, whole in zip(right, union, strict=True)]
        known = [share for share in shares if share is not None]
        return {
            "mean_iou": sum(known) / max(1, len(known)),
            "pixel_accuracy": float(right.sum() / max(1.0, confusion.sum())),
            "iou": shares,
        }

    def said(self, metrics: Metrics) -> str:
        return f"mean IoU {100 * metrics['mean_iou']:.2f} %  pixels {100 * metrics['pixel_accuracy']:.2f} %"


TASKS: dict[TaskName, Task] = {"classification": Classification(), "segmentation": Segmentation()}


def rank_of(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """How many classes come before the label's: 0 is a right answer. Of equal logits the first class comes first.

    A label whose logit is not a number comes last.
    """
    own = jnp.take_along_axis(logits, labels[..., None], axis=-1)
    before = jnp.arange(logits.shape[-1]) < labels[..., None]
    ahead = (logits > own) | ((logits == own) & before)
    return jnp.where(jnp.isnan(own[..., 0]), logits.shape[-1], ahead.sum(-1))


def labels_right(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """How many of the labels that count have the largest logit, the first of equals; and how many count."""
    counts = labels >= 0
    return jnp.sum(counts & (logits.argmax(-1) == labels)), jnp.sum(counts)


def class_table(names: Sequence[str], shares: Sequence[float | None]) -> str:
    """The IoU of each class, a line each."""
    width = max(map(len, names))
    return "\n".join(
        f"  {name:<{width}}  {'does not occur' if share is None else f'IoU {100 * share:6.2f} %'}"
        for name, share in zip(names, shares, strict=True)
    )

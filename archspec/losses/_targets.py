"""What losses make of targets: which count, classes as truths of each, weights of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError, count

if TYPE_CHECKING:
    import jax
    import numpy as np

Weights = tuple[float, ...] | str | None


class Known(NamedTuple):
    """Targets in which 0 stands for what does not count, and whether each counts."""

    values: jax.Array
    counts: jax.Array


def numbers(output: jax.Array, target: jax.Array) -> Known:
    """A number for each of the output's, (…, n): as given, or the truths 1 and 0 of classes (…)."""
    import jax
    import jax.numpy as jnp

    if target.ndim < output.ndim:
        truths = jax.nn.one_hot(target, output.shape[-1], dtype=output.dtype)  # of a label below 0 all are 0
        return Known(truths, jnp.broadcast_to((target >= 0)[..., None], output.shape))
    if jnp.issubdtype(target.dtype, jnp.integer):
        return Known(jnp.maximum(target, 0).astype(output.dtype), target >= 0)
    counts = ~jnp.isnan(target)
    return Known(jnp.where(counts, target, 0).astype(output.dtype), counts)


def whole(output: jax.Array, target: jax.Array) -> Known:
    """The same, where a sample or a pixel counts with all its classes or not at all: `counts` is (…)."""
    import jax.numpy as jnp

    known = numbers(output, target)
    counts = known.counts.all(-1)
    return Known(jnp.where(counts[..., None], known.values, 0), counts)


def fitted_weights(weights: Weights, labels: np.ndarray, classes: int) -> tuple[float, ...] | None:
    """One factor per class, counted where the field says so. Raises `DataError` where their number is wrong."""
    if weights is None:
        return None
    if isinstance(weights, str):
        if labels.dtype.kind == "f":
            raise DataError(
                "E501",
                "median_frequency counts the labels of each class, but the targets are shares of classes",
                help=["give one number per class"],
            )
        return median_frequency(labels, classes)
    if len(weights) != classes:
        raise DataError(
            "E501",
            f"`class_weights` has {count(len(weights), 'number')}, but the data has {count(classes, 'class')}",
            help=["one number per class", "median_frequency takes them from the training labels"],
        )
    return weights


def median_frequency(labels: np.ndarray, classes: int) -> tuple[float, ...]:
    """Weights by median-frequency balancing: median(f)/f of each class, 0 of a class that does not occur.

    f is the class's share of the labels of those images that it occurs in (Eigen & Fergus 2015, section 6.3.2).
    """
    import numpy as np

    # Labels of images are counted as those of one large image.
    images = labels if labels.ndim > 1 else labels.reshape(1, -1)
    own, present = np.zeros(classes), np.zeros(classes)
    for image in images:
        pixels = np.bincount(image[image >= 0], minlength=classes)
        own += pixels
        present += (pixels > 0) * pixels.sum()
    occurs = own > 0
    frequency = own[occurs] / present[occurs]
    weights = np.zeros(classes)
    weights[occurs] = np.median(frequency) / frequency
    return tuple(float(weight) for weight in weights)

"""Cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field

from archspec.diagnostics import DataError
from archspec.fields import NonNegativeNumber, Probability
from archspec.losses._base import Loss

if TYPE_CHECKING:
    import numpy as np


class CrossEntropy(Loss):
    """−log of the softmax probability of the right class, for each label: of an image, or of each pixel."""

    label_smoothing: Annotated[
        Probability, Field(description="share of the target spread evenly over all classes (Szegedy et al. 2016)")
    ] = 0.0
    class_weights: Annotated[
        tuple[NonNegativeNumber, ...] | Literal["median_frequency"] | None,
        Field(
            description="one factor per class, or median_frequency: the median of the classes' frequencies over the "
            "class's own, counted over the training labels (Eigen & Fergus 2015)"
        ),
    ] = None

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        if self.class_weights is None:
            return self
        if self.class_weights == "median_frequency":
            return self.model_copy(update={"class_weights": median_frequency(labels, classes)})
        if len(self.class_weights) != classes:
            raise DataError(
                "E501",
                f"`class_weights` has {len(self.class_weights)} numbers, but the data has {classes} classes",
                help=["one number per class", "median_frequency takes them from the training labels"],
            )
        return self

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax
        import jax.numpy as jnp
        import optax

        factors = None if self.class_weights is None else jnp.asarray(self.class_weights, jnp.float32)

        def loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
            counts = labels >= 0
            known = jnp.maximum(labels, 0)
            weights = counts.astype(logits.dtype) if factors is None else jnp.where(counts, factors[known], 0.0)
            losses = weights * optax.softmax_cross_entropy_with_integer_labels(logits, known)
            if self.label_smoothing:
                each = -jax.nn.log_softmax(logits)
                spread = each.mean(-1) if factors is None else (each * factors).mean(-1)
                losses = (1 - self.label_smoothing) * losses + self.label_smoothing * jnp.where(counts, spread, 0.0)
            return losses, weights

        return loss


def median_frequency(labels: np.ndarray, classes: int) -> tuple[float, ...]:
    """Weights by median-frequency balancing: median(f)/f of each class, 0 of a class that does not occur.

    f is the class's share of the labels of those images that it occurs in (Eigen & Fergus 2015, section 6.3.2).
    """
    import numpy as np

    # Labels of images are counted as those of one large image.
    images = labels.reshape(len(labels), -1) if labels.ndim > 1 else labels.reshape(1, -1)
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

"""Cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from archspec.fields import NonNegativeNumber, Probability
from archspec.losses._base import Form, Link, Loss
from archspec.losses._targets import fitted_weights, whole

if TYPE_CHECKING:
    import numpy as np


class CrossEntropy(Loss):
    """−log of the softmax probability of the right class, for each label: of an image, or of each pixel.

    Where targets are shares t of the classes, −Σ t·log p of their logarithms. With weights w of classes, a label's loss
    is −Σ w·t·log p, and it weighs Σ w·t.
    """

    by_position: ClassVar[bool] = True
    takes: ClassVar[tuple[Form, ...]] = ("classes", "numbers")
    takes_shares: ClassVar[bool] = True

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

    @property
    def link(self) -> Link:
        return "softmax"

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        weights = fitted_weights(self.class_weights, labels, classes)
        return self if weights == self.class_weights else self.model_copy(update={"class_weights": weights})

    def least(self, low: float, high: float, width: int) -> float:
        # All classes but the right one at the low end.
        return log(1 + (width - 1) * exp(low - high))

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax
        import jax.numpy as jnp
        import optax

        factors = None if self.class_weights is None else jnp.asarray(self.class_weights, jnp.float32)

        def loss(logits: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            if target.ndim < logits.ndim:
                counts = target >= 0
                known = jnp.maximum(target, 0)
                weights = counts.astype(logits.dtype) if factors is None else jnp.where(counts, factors[known], 0.0)
                losses = weights * optax.softmax_cross_entropy_with_integer_labels(logits, known)
            else:
                shares, counts = whole(logits, target)
                shares = shares if factors is None else shares * factors
                weights = counts.astype(logits.dtype) if factors is None else shares.sum(-1)
                losses = optax.softmax_cross_entropy(logits, shares)
            if self.label_smoothing:
                each = -jax.nn.log_softmax(logits)
                spread = each.mean(-1) if factors is None else (each * factors).mean(-1)
                losses = (1 - self.label_smoothing) * losses + self.label_smoothing * jnp.where(counts, spread, 0.0)
            return losses, weights

        return loss

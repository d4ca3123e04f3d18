"""Focal loss."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from archspec.fields import NonNegativeNumber, Probability
from archspec.losses._base import Form, Link, Loss, softplus
from archspec.losses._targets import fitted_weights, numbers

if TYPE_CHECKING:
    import jax
    import numpy as np


class Focal(Loss):
    """Cross-entropy times (1 − p)^gamma, p the probability of what is true (Lin et al. 2017): what is easy counts less.

    With `apply: softmax`, −w·(1 − p)^gamma·log p of each label's class, which weighs w; with `sigmoid`, as the paper
    has it, −a·(1 − p)^gamma·log p of each class alone, a being `alpha` for a yes and 1 − alpha for a no. The paper
    divides by the number of its objects; here, as everywhere, the loss is the mean over what counts.
    """

    by_position: ClassVar[bool] = True
    main = "gamma"
    takes: ClassVar[tuple[Form, ...]] = ("classes", "numbers")
    takes_shares: ClassVar[bool] = True

    gamma: Annotated[NonNegativeNumber, Field(description="0 is cross-entropy; the paper's is 2")] = 2.0
    alpha: Annotated[
        Probability | None,
        Field(description="with sigmoid, what a yes counts, and a no 1 − alpha; the paper's is 0.25"),
    ] = None
    class_weights: Annotated[
        tuple[NonNegativeNumber, ...] | Literal["median_frequency"] | None,
        Field(description="with softmax, w: one factor per class, or median_frequency, as `cross_entropy` has it"),
    ] = None
    apply: Annotated[
        Literal["softmax", "sigmoid"],
        Field(description="what makes probabilities of outputs: of classes of which one holds, or of each alone"),
    ] = "softmax"

    @model_validator(mode="after")
    def _check(self) -> Focal:
        if self.alpha is not None and self.apply == "softmax":
            raise ValueError("`alpha` goes with `apply: sigmoid`; with softmax there are `class_weights`")
        if self.class_weights is not None and self.apply == "sigmoid":
            raise ValueError("`class_weights` go with `apply: softmax`; with sigmoid there is `alpha`")
        return self

    @property
    def link(self) -> Link:
        return self.apply

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        weights = fitted_weights(self.class_weights, labels, classes)
        return self if weights == self.class_weights else self.model_copy(update={"class_weights": weights})

    def least(self, low: float, high: float, width: int) -> float:
        if self.apply == "softmax":
            return self._of(log(1 + (width - 1) * exp(low - high)))
        yes, no = self._of(softplus(-high)), self._of(softplus(low))
        return max(yes, no) if self.alpha is None else max(self.alpha * yes, (1 - self.alpha) * no)

    def _of(self, entropy: float) -> float:
        return float((1 - exp(-entropy)) ** self.gamma * entropy)

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        return self._softmax() if self.apply == "softmax" else self._sigmoid()

    def _softmax(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax
        import jax.numpy as jnp

        def loss(logits: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            truths, counted = numbers(logits, target)
            counts = counted.all(-1)
            weighed = truths if self.class_weights is None else truths * jnp.asarray(self.class_weights, jnp.float32)
            log_p = jax.nn.log_softmax(logits)
            losses = -(weighed * _rest(-jnp.expm1(log_p), self.gamma) * log_p).sum(-1)
            weights = counts.astype(logits.dtype) if self.class_weights is None else weighed.sum(-1)
            return jnp.where(counts, losses, 0.0), jnp.where(counts, weights, 0.0)

        return loss

    def _sigmoid(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax
        import jax.numpy as jnp
        import optax

        def loss(logits: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            truths, counts = numbers(logits, target)
            p = jax.nn.sigmoid(logits)
            # The probability of what is not true: |t − p| for a truth of 0 or 1.
            losses = optax.sigmoid_binary_cross_entropy(logits, truths) * _rest(
                truths * (1 - p) + (1 - truths) * p, self.gamma
            )
            if self.alpha is not None:
                losses = losses * (self.alpha * truths + (1 - self.alpha) * (1 - truths))
            return jnp.where(counts, losses, 0.0), counts.astype(logits.dtype)

        return loss


def _rest(rest: jax.Array, gamma: float) -> jax.Array:
    """(1 − p)^gamma; from a tiny number on, since the slope of a root at 0 is no number."""
    import jax.numpy as jnp

    return jnp.ones_like(rest) if gamma == 0 else jnp.maximum(rest, 1e-12) ** gamma

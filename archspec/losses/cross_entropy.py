"""Cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from archspec.fields import Probability
from archspec.loss import Loss


class CrossEntropy(Loss):
    """−log of the softmax probability of the right class."""

    label_smoothing: Annotated[
        Probability, Field(description="share of the target spread evenly over all classes (Szegedy et al. 2016)")
    ] = 0.0

    def build(self) -> Callable[[Any, Any], Any]:
        import jax
        import optax

        def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
            if not self.label_smoothing:
                plain: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
                return plain
            targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), self.label_smoothing)
            smooth: jax.Array = optax.softmax_cross_entropy(logits, targets)
            return smooth

        return loss

"""Binary cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field

from archspec.diagnostics import DataError, count
from archspec.fields import NonNegativeNumber
from archspec.losses._base import Form, Link, Loss, softplus
from archspec.losses._targets import numbers

if TYPE_CHECKING:
    import numpy as np


class BinaryCrossEntropy(Loss):
    """−(w·t·log σ(x) + (1 − t)·log(1 − σ(x))) for each number of an output: a yes or no of its own.

    Targets t are 0 and 1, or shares between them; of classes, each is told from the rest. σ is the sigmoid.
    """

    by_position: ClassVar[bool] = True
    takes: ClassVar[tuple[Form, ...]] = ("numbers", "classes")
    takes_shares: ClassVar[bool] = True

    pos_weight: Annotated[
        NonNegativeNumber | tuple[NonNegativeNumber, ...] | None,
        Field(description="w, by which a yes counts more: a number, or one for each label"),
    ] = None

    @property
    def link(self) -> Link:
        return "sigmoid"

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        if isinstance(self.pos_weight, tuple) and len(self.pos_weight) != classes:
            numbers = count(len(self.pos_weight), "number")
            raise DataError(
                "E501", f"`pos_weight` has {numbers}, but there {'is' if classes == 1 else 'are'} {classes}"
            )
        return self

    def least(self, low: float, high: float, width: int) -> float:
        # The yes and the no that are farthest from what they should be.
        return max(softplus(-high), softplus(low))

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax
        import jax.numpy as jnp
        import optax

        weight = None if self.pos_weight is None else jnp.asarray(self.pos_weight, jnp.float32)

        def loss(logits: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            truths, counts = numbers(logits, target)
            if weight is None:
                losses = optax.sigmoid_binary_cross_entropy(logits, truths)
            else:
                yes, no = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
                losses = -(weight * truths * yes + (1 - truths) * no)
            return jnp.where(counts, losses, 0.0), counts.astype(logits.dtype)

        return loss

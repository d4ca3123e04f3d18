"""Hinge losses: support vector machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.losses._base import Form, Loss
from archspec.losses._targets import numbers

if TYPE_CHECKING:
    import jax


class Hinge(Loss):
    """Σ max(0, 1 − y·x)^power over the classes, each told from the rest: y is 1 for the right one, −1 for the others.

    With a power of 2, the L2-SVM in place of softmax (Tang 2013); with 1, the L1-SVM. Of several labels at once, each
    has a loss of its own, and the loss is their mean. The weight decay of the optimiser is the SVM's ½|w|²/C.
    """

    by_position: ClassVar[bool] = True
    main = "power"
    takes: ClassVar[tuple[Form, ...]] = ("classes", "numbers")
    takes_shares: ClassVar[bool] = True

    power: Annotated[Literal[1, 2], Field(description="2 squares the distance to the margin, 1 does not")] = 2

    @property
    def threshold(self) -> float:
        return 0.0

    @property
    def wants(self) -> str:
        return "wants the right class above 1 and all others below −1"

    def least(self, low: float, high: float, width: int) -> float:
        return max(0.0, 1 - high) ** self.power + (width - 1) * max(0.0, 1 + low) ** self.power

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax.numpy as jnp
        import optax

        def loss(output: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            truths, counts = numbers(output, target)
            losses = jnp.where(counts, optax.hinge_loss(output, 2 * truths - 1) ** self.power, 0.0)
            if target.ndim < output.ndim:
                losses, counts = losses.sum(-1), target >= 0
            return losses, counts.astype(output.dtype)

        return loss

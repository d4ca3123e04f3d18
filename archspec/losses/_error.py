"""What losses of errors have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses._base import Form, Loss
from archspec.losses._targets import numbers

if TYPE_CHECKING:
    import jax


class ErrorLoss(Loss):
    """A function of output − target, number by number."""

    by_position: ClassVar[bool] = True
    takes: ClassVar[tuple[Form, ...]] = ("numbers",)

    def of(self, error: jax.Array) -> jax.Array:
        """The loss of an error."""
        raise NotImplementedError

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax.numpy as jnp

        def loss(output: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            known, counts = numbers(output, target)
            # The error is made 0 before the loss, so that what does not count has no gradient that is no number.
            return self.of(jnp.where(counts, output - known, 0.0)), counts.astype(output.dtype)

        return loss

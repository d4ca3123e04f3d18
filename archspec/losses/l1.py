"""Mean absolute error as a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.losses._error import ErrorLoss

if TYPE_CHECKING:
    import jax


class L1(ErrorLoss):
    """|x − t| for each number of an output: the mean absolute error."""

    def of(self, error: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        return jnp.abs(error)

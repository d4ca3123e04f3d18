"""Mean squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.losses._error import ErrorLoss

if TYPE_CHECKING:
    import jax


class Mse(ErrorLoss):
    """(x − t)², without a half, for each number of an output: the mean squared error."""

    def of(self, error: jax.Array) -> jax.Array:
        import jax.numpy as jnp
        import optax

        return jnp.asarray(optax.squared_error(error))

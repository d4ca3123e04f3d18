"""Huber's loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.losses._error import ErrorLoss

if TYPE_CHECKING:
    import jax


class Huber(ErrorLoss):
    """½e² for errors e up to `delta`, and delta·(|e| − ½·delta) beyond, for each number of an output (Huber 1964).

    With a delta of 1, what others call smooth L1 (Girshick 2015).
    """

    main = "delta"

    delta: Annotated[PositiveNumber, Field(description="the error from which on the loss grows linearly")] = 1.0

    def of(self, error: jax.Array) -> jax.Array:
        import jax.numpy as jnp
        import optax

        return jnp.asarray(optax.huber_loss(error, delta=self.delta))

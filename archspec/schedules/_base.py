"""The base class of learning-rate schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from archspec.kinds import Kind

MAX_EPOCHS = 2**31 - 1

Epochs = Annotated[float, Field(strict=True, gt=0, le=MAX_EPOCHS, allow_inf_nan=False)]
"""A time in epochs, which need not be whole."""


class Schedule(Kind):
    """Base of all schedules: the learning rate's factor over time, after a linear warm-up.

    The warm-up has W = round(warmup · steps per epoch) steps, as many as there are at most. Step i of it, from 0 on,
    has the factor (i + 1)/W: the first is above 0, the last is 1. What follows begins at 1 with the step after.
    """

    warmup: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            le=MAX_EPOCHS,
            allow_inf_nan=False,
            description="epochs in which the factor rises in equal steps to 1, from one step above 0",
        ),
    ] = 0.0

    def warmup_steps(self, epochs: int, steps_per_epoch: int) -> int:
        """How many steps the warm-up has."""
        return min(round(self.warmup * steps_per_epoch), epochs * steps_per_epoch)

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        """The factor as a function of steps since the warm-up, from 0 on; `steps` is how many there are."""
        raise NotImplementedError

    def build(self, epochs: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        """The factor as a function of the step, from 0 on."""
        import jax.numpy as jnp

        warm = self.warmup_steps(epochs, steps_per_epoch)
        rest = self.after_warmup(max(1, epochs * steps_per_epoch - warm), steps_per_epoch)
        if not warm:
            return rest

        def factor(step: Any) -> Any:
            return jnp.where(step < warm, jnp.minimum((step + 1) / warm, 1.0), rest(jnp.maximum(step - warm, 0)))

        return factor


def progress(step: Any, steps: int) -> Any:
    """How far a step is on the way from the first of so many (0) to the last (1); a single step is at the start."""
    import jax.numpy as jnp

    return jnp.minimum(step / max(1, steps - 1), 1.0)

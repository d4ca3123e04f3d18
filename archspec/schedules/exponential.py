"""Exponential decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber, PositiveNumber
from archspec.schedules._base import Epochs, Schedule


class Exponential(Schedule):
    """Falls by the same share in each step, to `rate` times what it was in every `every` epochs.

    Step i after the warm-up has the factor max(final, rate^(i/(every · steps per epoch))). `step` with `every` and
    `factor` changes as much, but at once, after that many epochs.
    """

    main: ClassVar[str] = "rate"

    rate: Annotated[PositiveNumber, Field(le=1, description="what `every` epochs multiply the factor by")]
    every: Annotated[Epochs, Field(description="epochs in which the factor falls to `rate` times what it was")] = 1.0
    final: Annotated[NonNegativeNumber, Field(le=1, description="what it does not fall below")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        over = self.every * steps_per_epoch
        return lambda step: jnp.maximum(jnp.power(jnp.float32(self.rate), step / over), self.final)

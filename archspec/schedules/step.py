"""Steps."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Annotated, Any

from pydantic import Field, model_validator

from archspec.fields import PositiveNumber
from archspec.schedules._base import Epochs, Schedule

MAX_CHANGES = 10_000
"""Changes that are told apart: by then any factor but one next to 1 has left the range of numbers."""


class Step(Schedule):
    """Multiplies by a factor at given epochs, or every so many; epochs count from the start of training.

    With `milestones: [2]` two epochs are trained at 1, and the first step of the third has the new factor. A change
    that falls into the warm-up takes effect after it.
    """

    every: Annotated[Epochs | None, Field(description="epochs between changes")] = None
    milestones: Annotated[
        tuple[Epochs, ...] | None, Field(max_length=MAX_CHANGES, description="epochs of the changes, rising")
    ] = None
    factor: Annotated[PositiveNumber, Field(description="what the learning rate is multiplied by")] = 0.1

    @model_validator(mode="after")
    def _check(self) -> Step:
        if (self.every is None) == (self.milestones is None):
            raise ValueError("give either `every` or `milestones`")
        if self.milestones and list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("`milestones` must rise")
        return self

    def changes(self, epochs: float) -> list[float]:
        """The epochs of the changes before an epoch, or at it."""
        if self.milestones is not None:
            return [epoch for epoch in self.milestones if epoch <= epochs]
        assert self.every is not None
        number = min(MAX_CHANGES, floor(min(epochs / self.every, MAX_CHANGES)))
        return [self.every * (index + 1) for index in range(number)]

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp
        import numpy as np

        first = round(self.warmup * steps_per_epoch)
        # The schedule counts from the end of the warm-up; changes due during it take effect there.
        due = self.changes((first + steps) / steps_per_epoch)
        at = np.array([max(0, round(epoch * steps_per_epoch) - first) for epoch in due], np.int32)
        with np.errstate(over="ignore", under="ignore"):
            factors = np.power(np.float64(self.factor), np.arange(len(due) + 1)).astype(np.float32)
        bounded = np.minimum(factors, np.finfo(np.float32).max)

        def factor(step: Any) -> Any:
            return jnp.asarray(bounded)[jnp.searchsorted(jnp.asarray(at), step, side="right")]

        return factor

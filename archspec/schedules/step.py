"""Steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, model_validator

from archspec.fields import PositiveNumber
from archspec.schedules._base import Schedule


class Step(Schedule):
    """Multiplies by a factor at given epochs, or every so many; epochs count from the start of training."""

    every: Annotated[PositiveNumber | None, Field(description="epochs between changes")] = None
    milestones: Annotated[tuple[PositiveNumber, ...] | None, Field(description="epochs of the changes, rising")] = None
    factor: Annotated[PositiveNumber, Field(description="what the learning rate is multiplied by")] = 0.1

    @model_validator(mode="after")
    def _check(self) -> Step:
        if (self.every is None) == (self.milestones is None):
            raise ValueError("give either `every` or `milestones`")
        if self.milestones and list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("`milestones` must rise")
        return self

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import optax

        first = round(self.warmup * steps_per_epoch)
        last = first + steps
        if self.milestones is not None:
            epochs = list(self.milestones)
        else:
            assert self.every is not None
            epochs = [self.every * (i + 1) for i in range(int(last / steps_per_epoch / self.every))]
        changes: dict[int, float] = {}
        for epoch in epochs:
            # The schedule counts from the end of the warm-up; changes due during it take effect there.
            at = max(0, round(epoch * steps_per_epoch) - first)
            changes[at] = changes.get(at, 1.0) * self.factor
        found: Callable[[Any], Any] = optax.piecewise_constant_schedule(1.0, changes)
        return found

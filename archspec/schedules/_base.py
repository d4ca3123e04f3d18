"""The base class of learning-rate schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from archspec.fields import NonNegativeNumber
from archspec.kinds import Kind


class Schedule(Kind):
    """Base of all schedules: the learning rate's factor over time, after a linear warm-up from 0."""

    warmup: Annotated[NonNegativeNumber, Field(description="epochs in which the factor rises from 0 to 1")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        """The factor as a function of steps since the warm-up; `steps` is how many there are."""
        raise NotImplementedError

    def build(self, epochs: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        """The factor as a function of the step."""
        import optax

        warm = min(round(self.warmup * steps_per_epoch), epochs * steps_per_epoch)
        rest = self.after_warmup(max(1, epochs * steps_per_epoch - warm), steps_per_epoch)
        if not warm:
            return rest
        joined: Callable[[Any], Any] = optax.join_schedules([optax.linear_schedule(0.0, 1.0, warm), rest], [warm])
        return joined

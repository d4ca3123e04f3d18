"""A straight line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import Schedule


class Linear(Schedule):
    """Falls from 1 to `final` along a straight line."""

    main: ClassVar[str] = "final"

    final: Annotated[NonNegativeNumber, Field(description="the factor at the last step")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import optax

        found: Callable[[Any], Any] = optax.linear_schedule(1.0, self.final, steps)
        return found

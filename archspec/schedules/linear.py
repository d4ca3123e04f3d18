"""A straight line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import Schedule, progress


class Linear(Schedule):
    """Falls from 1 to `final` along a straight line.

    Step i of N has the factor 1 − (1 − final)·i/(N − 1): 1 at the first, `final` at the last. A single step has 1.
    """

    main: ClassVar[str] = "final"

    final: Annotated[NonNegativeNumber, Field(description="the factor at the last step")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        def factor(step: Any) -> Any:
            gone = progress(step, steps)
            return (1 - gone) + gone * self.final

        return factor

"""A polynomial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber, PositiveNumber
from archspec.schedules._base import Schedule, progress


class Polynomial(Schedule):
    """Falls from 1 to `final` as a power of what is left, DeepLab's "poly" (Liu et al. 2015; Chen et al. 2018).

    Step i of N has the factor final + (1 − final)·(1 − i/(N − 1))^power: 1 at the first, `final` at the last. A single
    step has 1.
    """

    main: ClassVar[str] = "power"

    power: Annotated[PositiveNumber, Field(description="1 is a straight line, 2 falls fast at first")] = 0.9
    final: Annotated[NonNegativeNumber, Field(description="the factor at the last step")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        def factor(step: Any) -> Any:
            left = jnp.power(1 - progress(step, steps), self.power)
            return left + (1 - left) * self.final

        return factor

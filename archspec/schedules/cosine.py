"""Half a cosine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import Schedule, progress


class Cosine(Schedule):
    """Falls from 1 to `final` along half a cosine (Loshchilov & Hutter 2017).

    Step i of N has the factor final + (1 − final)·(1 + cos(π·i/(N − 1)))/2: 1 at the first, `final` at the last.
    A single step has 1.
    """

    main: ClassVar[str] = "final"

    final: Annotated[NonNegativeNumber, Field(description="the factor at the last step")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        def factor(step: Any) -> Any:
            share = (1 + jnp.cos(jnp.pi * progress(step, steps))) / 2
            return share + (1 - share) * self.final

        return factor

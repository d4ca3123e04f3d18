"""One cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import Schedule


class OneCycle(Schedule):
    """Rises from `start` to 1 and falls to `final`, in one go over the training (Smith & Topin 2018).

    Of N steps, those to i = rise·N − 1 rise, along half a cosine or a line; 1 is at that step, `final` at the last.
    The numbers are those of PyTorch's OneCycleLR, whose `div_factor` is 1/start and whose `final_div_factor` is
    start/final; momentum stays as it is.
    """

    main: ClassVar[str] = "rise"

    rise: Annotated[float, Field(strict=True, gt=0, lt=1, description="share of the steps in which it rises")] = 0.3
    start: Annotated[NonNegativeNumber, Field(description="the factor at the first step")] = 0.04
    final: Annotated[NonNegativeNumber, Field(description="the factor at the last step")] = 4e-6
    shape: Annotated[Literal["cosine", "linear"], Field(description="how it goes from one to the other")] = "cosine"

    @model_validator(mode="after")
    def _check(self) -> OneCycle:
        if self.warmup:
            raise ValueError("`rise` is its warm-up: leave `warmup` out")
        return self

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        if steps == 1:
            return lambda step: jnp.ones(())
        top = min(max(self.rise * steps - 1, 0.0), steps - 1.0)

        def between(first: float, last: float, share: Any) -> Any:
            gone = (1 - jnp.cos(jnp.pi * share)) / 2 if self.shape == "cosine" else share
            return first + (last - first) * gone

        def factor(step: Any) -> Any:
            rising = between(self.start, 1.0, jnp.clip(step / max(top, 1e-9), 0.0, 1.0))
            falling = between(1.0, self.final, jnp.clip((step - top) / max(steps - 1 - top, 1e-9), 0.0, 1.0))
            return jnp.where(step <= top, rising, falling)

        return factor

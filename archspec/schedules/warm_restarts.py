"""Cosines that begin again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import Epochs, Schedule


class WarmRestarts(Schedule):
    """Falls along half a cosine from 1 to `final`, again and again: SGDR (Loshchilov & Hutter 2017, equation 5).

    The cycles have `first`, `first`·`longer`, `first`·`longer`², … epochs. A step that is t epochs into a cycle of T
    has the factor final + (1 − final)·(1 + cos(π·t/T))/2; the first step of each cycle has 1.
    """

    main: ClassVar[str] = "first"

    first: Annotated[Epochs, Field(description="epochs of the first cycle")]
    longer: Annotated[
        float, Field(strict=True, ge=1, le=1000, description="how much longer each cycle is than the one before")
    ] = 1.0
    final: Annotated[NonNegativeNumber, Field(description="the factor at the end of a cycle")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        lengths = [max(1.0, self.first * steps_per_epoch)]
        begins = [0.0]
        while begins[-1] + lengths[-1] < steps:
            begins.append(begins[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.longer)

        def factor(step: Any) -> Any:
            at = jnp.searchsorted(jnp.asarray(begins), step, side="right") - 1
            share = (step - jnp.asarray(begins)[at]) / jnp.asarray(lengths)[at]
            half = (1 + jnp.cos(jnp.pi * share)) / 2
            return half + (1 - half) * self.final

        return factor

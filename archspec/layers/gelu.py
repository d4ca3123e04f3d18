"""Gaussian error linear unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Flag
from archspec.layers._activation import Activation
from archspec.layers._base import Example


class Gelu(Activation):
    """x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016)."""

    operations: ClassVar[int] = 8

    approximate: Annotated[Flag, Field(description="the tanh approximation instead of erf")] = False

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"approximate": True}, ((7,),)))

    def floor(self) -> float:
        return -0.17005 if self.approximate else -0.16998  # at −0.752, rounded down

    def function(self) -> Callable[[Any], Any]:
        from functools import partial

        import jax

        return partial(jax.nn.gelu, approximate=self.approximate)

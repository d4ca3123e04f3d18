"""Scaled hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.layers._activation import Activation
from archspec.layers._base import Example


class ScaledTanh(Activation):
    """amplitude·tanh(slope·x); with the defaults f(±1) = ±1 (LeCun et al. 1998)."""

    operations: ClassVar[int] = 3

    amplitude: Annotated[Number, Field(description="limit for large x")] = 1.7159

    slope: Annotated[Number, Field(description="factor of x")] = 2 / 3

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"amplitude": 1.5}, ((7,),)))

    def bounds(self) -> tuple[float, float]:
        return (-abs(self.amplitude), abs(self.amplitude))

    def function(self) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        return lambda x: self.amplitude * jnp.tanh(self.slope * x)

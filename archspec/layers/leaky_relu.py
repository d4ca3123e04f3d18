"""Leaky rectifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.layers._activation import Activation
from archspec.layers._base import Example


class LeakyRelu(Activation):
    """x where x > 0, slope·x elsewhere (Maas et al. 2013)."""

    operations: ClassVar[int] = 2

    slope: Annotated[Number, Field(description="factor of negative values")] = 0.01

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"slope": 0.2}, ((7,),)))

    def function(self) -> Callable[[Any], Any]:
        from functools import partial

        import jax

        return partial(jax.nn.leaky_relu, negative_slope=self.slope)

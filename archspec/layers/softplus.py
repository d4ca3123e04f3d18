"""Softplus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.layers._activation import Activation
from archspec.layers._base import Example


class Softplus(Activation):
    """log(1 + exp(beta·x))/beta, a smooth rectifier (Dugas et al. 2001)."""

    operations: ClassVar[int] = 3

    beta: Annotated[PositiveNumber, Field(description="sharpness; the larger, the nearer to a rectifier")] = 1.0

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"beta": 2.0}, ((7,),)))

    def floor(self) -> float:
        return 0.0

    def function(self) -> Callable[[Any], Any]:
        import jax

        return lambda x: jax.nn.softplus(self.beta * x) / self.beta

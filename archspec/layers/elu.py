"""Exponential linear unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.layers._activation import Activation
from archspec.layers._base import Example


class Elu(Activation):
    """x where x > 0, alpha·(exp(x) − 1) elsewhere (Clevert et al. 2016)."""

    operations: ClassVar[int] = 3

    alpha: Annotated[Number, Field(description="limit of negative values, with its sign turned")] = 1.0

    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"alpha": 0.5}, ((7,),)))

    def floor(self) -> float:
        return min(0.0, -self.alpha)

    def function(self) -> Callable[[Any], Any]:
        from functools import partial

        import jax

        return partial(jax.nn.elu, alpha=self.alpha)

"""Normal distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Normal(Initialiser):
    """Normal with mean 0."""

    main: ClassVar[str] = "stddev"

    stddev: Annotated[PositiveNumber, Field(description="standard deviation")] = 0.01

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.normal(self.stddev)

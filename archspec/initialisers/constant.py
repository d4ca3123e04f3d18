"""One value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Constant(Initialiser):
    """The same value everywhere."""

    main: ClassVar[str] = "value"

    value: Annotated[Number, Field(description="the value")]

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.constant(self.value)

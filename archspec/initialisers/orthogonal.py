"""Orthogonal matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Orthogonal(Initialiser):
    """A random orthogonal matrix over the last axis (Saxe et al. 2013)."""

    main: ClassVar[str] = "scale"

    scale: Annotated[PositiveNumber, Field(description="factor")] = 1.0

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.orthogonal(self.scale)

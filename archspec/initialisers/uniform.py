"""Uniform distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber
from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Uniform(Initialiser):
    """Uniform within ±scale."""

    main: ClassVar[str] = "scale"

    scale: Annotated[PositiveNumber, Field(description="half the width of the range")] = 0.01

    def build(self) -> Initializer:
        import jax
        import jax.numpy as jnp

        def draw(key: jax.Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
            return jax.random.uniform(key, shape, dtype, -self.scale, self.scale, out_sharding=out_sharding)

        return draw

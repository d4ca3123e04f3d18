"""Glorot's initialiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class GlorotNormal(Initialiser):
    """Truncated normal with variance 2/(fan_in + fan_out) (Glorot & Bengio 2010, eq. 12)."""

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.glorot_normal()

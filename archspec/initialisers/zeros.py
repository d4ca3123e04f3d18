"""All zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Zeros(Initialiser):
    """All zeros."""

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.zeros

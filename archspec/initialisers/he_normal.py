"""He's initialiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class HeNormal(Initialiser):
    """Truncated normal with variance 2/fan_in, for rectifiers (He et al. 2015, eq. 10)."""

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.he_normal()

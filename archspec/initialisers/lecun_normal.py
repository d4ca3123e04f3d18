"""LeCun's initialiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class LecunNormal(Initialiser):
    """Truncated normal with variance 1/fan_in (LeCun et al. 1998, Efficient BackProp, eq. 16)."""

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.lecun_normal()

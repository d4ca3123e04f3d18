"""PyTorch's default."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Torch(Initialiser):
    """Uniform within ±1/√fan_in: PyTorch's default for kernels."""

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.variance_scaling(1 / 3, "fan_in", "uniform")

"""Glorot's initialiser, uniform."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class GlorotUniform(Initialiser):
    """Uniform with variance 2/(fan_in + fan_out), Caffe's and TensorFlow's xavier (Glorot & Bengio 2010, eq. 16)."""

    axes: ClassVar[int] = 2

    def build(self) -> Initializer:
        from jax.nn import initializers

        return initializers.glorot_uniform()

"""Convolution whose lowering is chosen."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from archspec.lowerings.case import Case
from archspec.lowerings.choosing import Lowerings, default
from archspec.lowerings.convolution import convolve
from archspec.nn.pooling import Pair


class Conv(nnx.Conv):
    """Flax's convolution with explicit padding, computed as `lowerings` choose for its shapes."""

    def __call__(self, x: jax.Array, *, lowerings: Lowerings | None = None) -> jax.Array:  # type: ignore[override]
        bias = None if self.bias is None else self.bias[...]
        x, kernel, bias = self.promote_dtype((x, self.kernel[...], bias), dtype=self.dtype)
        case = self.case(x)
        y = convolve(x, kernel, case, (lowerings or default()).of(case))
        # As Flax adds it, so that what is compiled is the same where the library computes everything.
        return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)

    def case(self, x: jax.Array) -> Case:
        """What the convolution of an input is."""
        return Case(
            "conv",
            x.shape[0],
            tuple(x.shape[1:-1]),
            self.in_features,
            self.out_features,
            _each(self.kernel_size),
            _each(self.strides),
            self.padding,  # type: ignore[arg-type]  # always given as numbers
            _each(self.kernel_dilation),
            self.feature_group_count,
            x.dtype.name,
        )


def _each(value: Any) -> Pair:
    return tuple(value)

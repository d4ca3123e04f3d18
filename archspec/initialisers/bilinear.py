"""Bilinear upsampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    import jax
    from jax.nn.initializers import Initializer


class Bilinear(Initialiser):
    """Bilinear interpolation in each channel by itself, for the kernels of transposed convolutions (Long et al. 2015).

    Channel i goes to filter i with the product of two triangles, over a signal with one; all other weights are 0.
    """

    axes: ClassVar[int] = 3

    def build(self) -> Initializer:
        import jax.numpy as jnp
        import numpy as np

        def triangle(size: int) -> Any:
            factor = (size + 1) // 2
            centre = factor - 1 if size % 2 else factor - 0.5
            return 1 - np.abs(np.arange(size) - centre) / factor

        def init(key: Any, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
            *sizes, channels, filters = shape
            kernel = np.zeros(shape)
            # With groups, the filters of every group are counted from 0.
            own = np.arange(channels)
            weights = np.ones(())
            for size in sizes:
                weights = np.multiply.outer(weights, triangle(size))
            kernel[..., own, own % filters] = weights[..., None]
            return jnp.asarray(kernel, dtype)

        return init

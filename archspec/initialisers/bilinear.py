"""Bilinear upsampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from archspec.initialisers._base import Initialiser

if TYPE_CHECKING:
    import jax
    from jax.nn.initializers import Initializer


class Bilinear(Initialiser):
    """Bilinear interpolation in each channel by itself, for the kernels of transposed convolutions (Long et al. 2015).

    Channel i goes to filter i with the product of two triangles; all other weights are 0.
    """

    axes: ClassVar[int] = 4

    def build(self) -> Initializer:
        import jax.numpy as jnp
        import numpy as np

        def triangle(size: int) -> Any:
            factor = (size + 1) // 2
            centre = factor - 1 if size % 2 else factor - 0.5
            return 1 - np.abs(np.arange(size) - centre) / factor

        def init(key: Any, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
            rows, columns, channels, filters = shape
            kernel = np.zeros(shape)
            # With groups, the filters of every group are counted from 0.
            own = np.arange(channels)
            kernel[:, :, own, own % filters] = np.outer(triangle(rows), triangle(columns))[:, :, None]
            return jnp.asarray(kernel, dtype)

        return init

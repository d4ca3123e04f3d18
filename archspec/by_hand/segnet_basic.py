"""SegNet-Basic (Badrinarayanan, Kendall & Cipolla 2017; the authors' segnet_basic_inference), by hand in Flax NNX.

Neither JAX nor Flax has a pooling that gives the places of its maxima, so both ways go over windows as an axis.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.by_hand._lrn import lrn


def pool(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """2×2 maximum pooling, whose last window may reach over the edge; and the place of each maximum in its window."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), constant_values=-jnp.inf)
    x = x.reshape(batch, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    x = x.transpose(0, 1, 3, 5, 2, 4).reshape(batch, (height + 1) // 2, (width + 1) // 2, channels, 4)
    return x.max(axis=-1), x.argmax(axis=-1)


def unpool(x: jax.Array, places: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Puts values back where a pooling of a map of `shape` found them, zeros elsewhere."""
    batch, height, width, channels = x.shape
    x = x[..., None] * jax.nn.one_hot(places, 4, dtype=x.dtype)
    x = x.reshape(batch, height, width, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(batch, 2 * height, 2 * width, channels)[:, : shape[1], : shape[2]]


class SegNetBasic(nnx.Module):
    """Four stages of 7×7 windows down and up again: scores of 11 classes for every pixel."""

    def __init__(self, size: tuple[int, int] = (360, 480), *, rngs: nnx.Rngs) -> None:
        def conv(channels: int) -> nnx.Conv:
            return nnx.Conv(channels, 64, kernel_size=(7, 7), rngs=rngs)

        def norm() -> nnx.BatchNorm:
            return nnx.BatchNorm(64, momentum=0.9, epsilon=1e-5, rngs=rngs)

        self.down = nnx.List([conv(3 if index == 0 else 64) for index in range(4)])
        self.down_bn = nnx.List([norm() for _ in range(4)])
        self.up = nnx.List([conv(64) for _ in range(4)])
        self.up_bn = nnx.List([norm() for _ in range(4)])
        self.classifier = nnx.Conv(64, 11, kernel_size=(1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = lrn(x)
        kept = []
        for conv, norm in zip(self.down, self.down_bn, strict=True):
            before = nnx.relu(norm(conv(x)))
            x, places = pool(before)
            kept.append((places, before.shape))
        for conv, norm in zip(self.up, self.up_bn, strict=True):
            x = norm(conv(unpool(x, *kept.pop())))
        return self.classifier(x)

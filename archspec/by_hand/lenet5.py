"""LeNet-5 as it is commonly built today (LeCun et al. 1998), by hand in Flax NNX."""

from __future__ import annotations

import jax
from flax import nnx


class LeNet5(nnx.Module):
    """Two convolutions and three dense layers, for images of one channel."""

    def __init__(self, size: tuple[int, int] = (32, 32), *, rngs: nnx.Rngs) -> None:
        height, width = ((side - 4) // 2 for side in size)
        height, width = (height - 4) // 2, (width - 4) // 2
        self.c1 = nnx.Conv(1, 6, kernel_size=(5, 5), padding="VALID", rngs=rngs)
        self.c3 = nnx.Conv(6, 16, kernel_size=(5, 5), padding="VALID", rngs=rngs)
        self.c5 = nnx.Linear(height * width * 16, 120, rngs=rngs)
        self.f6 = nnx.Linear(120, 84, rngs=rngs)
        self.output = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.c1(x)), window_shape=(2, 2), strides=(2, 2))
        x = nnx.max_pool(nnx.relu(self.c3(x)), window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.c5(x))
        x = nnx.relu(self.f6(x))
        return self.output(x)

"""VGG, columns A (11 layers) and D (16) of the paper's Table 1 (Simonyan & Zisserman 2015), by hand in Flax NNX."""

from __future__ import annotations

import jax
from flax import nnx


class VGG(nnx.Module):
    """Five stages of 3×3 convolutions, each followed by a pooling, and three dense layers; for 224×224 images."""

    def __init__(self, size: tuple[int, int] = (224, 224), *, depths: tuple[int, ...], rngs: nnx.Rngs) -> None:
        if any(side // 32 != 7 for side in size):
            raise ValueError("VGG by hand is for images of 224×224: other sizes need adaptive pooling")
        stages, channels = [], 3
        for stage, depth in enumerate(depths):
            convs = []
            for _ in range(depth):
                filters = 64 * 2 ** min(stage, 3)
                convs.append(nnx.Conv(channels, filters, kernel_size=(3, 3), rngs=rngs))
                channels = filters
            stages.append(nnx.List(convs))
        self.stages = nnx.List(stages)
        self.fc6 = nnx.Linear(7 * 7 * 512, 4096, rngs=rngs)
        self.dropout6 = nnx.Dropout(0.5, rngs=rngs)
        self.fc7 = nnx.Linear(4096, 4096, rngs=rngs)
        self.dropout7 = nnx.Dropout(0.5, rngs=rngs)
        self.fc8 = nnx.Linear(4096, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for stage in self.stages:
            for conv in stage:
                x = nnx.relu(conv(x))
            x = nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = self.dropout6(nnx.relu(self.fc6(x)))
        x = self.dropout7(nnx.relu(self.fc7(x)))
        return self.fc8(x)

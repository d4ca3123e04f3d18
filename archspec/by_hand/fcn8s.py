"""FCN-8s on VGG-16 (Long, Shelhamer & Darrell 2015), by hand in Flax NNX."""

from __future__ import annotations

import jax
from flax import nnx


def pool(x: jax.Array) -> jax.Array:
    """2×2 maximum pooling, whose last window may reach over the edge."""
    return nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2), padding="SAME")


class FCN8s(nnx.Module):
    """Scores of 21 classes for every pixel. The first layer's border of 100 pixels is cropped away at the end."""

    def __init__(self, size: tuple[int, int] = (500, 500), *, rngs: nnx.Rngs) -> None:
        stages, channels = [], 3
        for stage, depth in enumerate((2, 2, 3, 3, 3)):
            convs = []
            for index in range(depth):
                filters = 64 * 2 ** min(stage, 3)
                padding = 100 if stage == 0 and index == 0 else 1
                convs.append(nnx.Conv(channels, filters, kernel_size=(3, 3), padding=padding, rngs=rngs))
                channels = filters
            stages.append(nnx.List(convs))
        self.stages = nnx.List(stages)
        self.fc6 = nnx.Conv(512, 4096, kernel_size=(7, 7), padding="VALID", rngs=rngs)
        self.dropout6 = nnx.Dropout(0.5, rngs=rngs)
        self.fc7 = nnx.Conv(4096, 4096, kernel_size=(1, 1), rngs=rngs)
        self.dropout7 = nnx.Dropout(0.5, rngs=rngs)
        self.score_fr = nnx.Conv(4096, 21, kernel_size=(1, 1), rngs=rngs)
        self.score_pool4 = nnx.Conv(512, 21, kernel_size=(1, 1), rngs=rngs)
        self.score_pool3 = nnx.Conv(256, 21, kernel_size=(1, 1), rngs=rngs)

        def up(window: int, stride: int) -> nnx.ConvTranspose:
            return nnx.ConvTranspose(
                21, 21, kernel_size=(window, window), strides=stride, padding="VALID", use_bias=False, rngs=rngs
            )

        self.upscore2 = up(4, 2)
        self.upscore_pool4 = up(4, 2)
        self.upscore8 = up(16, 8)

    def __call__(self, x: jax.Array) -> jax.Array:
        height, width = x.shape[1:3]
        pooled = []
        for stage in self.stages:
            for conv in stage:
                x = nnx.relu(conv(x))
            x = pool(x)
            pooled.append(x)
        x = self.dropout6(nnx.relu(self.fc6(x)))
        x = self.dropout7(nnx.relu(self.fc7(x)))
        x = self.upscore2(self.score_fr(x))
        x = x + self.score_pool4(pooled[3])[:, 5 : 5 + x.shape[1], 5 : 5 + x.shape[2]]
        x = self.upscore_pool4(x)
        x = x + self.score_pool3(pooled[2])[:, 9 : 9 + x.shape[1], 9 : 9 + x.shape[2]]
        return self.upscore8(x)[:, 31 : 31 + height, 31 : 31 + width]

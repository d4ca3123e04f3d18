"""AlexNet with its two groups (Krizhevsky, Sutskever & Hinton 2012), by hand in Flax NNX."""

from __future__ import annotations

import jax
from flax import nnx

from archspec.by_hand._lrn import lrn


class AlexNet(nnx.Module):
    """Five convolutions and three dense layers."""

    def __init__(self, size: tuple[int, int] = (227, 227), *, rngs: nnx.Rngs) -> None:
        height, width = ((((((side - 11) // 4 + 1) - 3) // 2 + 1) - 3) // 2 + 1 for side in size)
        height, width = (height - 3) // 2 + 1, (width - 3) // 2 + 1
        self.conv1 = nnx.Conv(3, 96, kernel_size=(11, 11), strides=(4, 4), padding="VALID", rngs=rngs)
        self.conv2 = nnx.Conv(96, 256, kernel_size=(5, 5), feature_group_count=2, rngs=rngs)
        self.conv3 = nnx.Conv(256, 384, kernel_size=(3, 3), rngs=rngs)
        self.conv4 = nnx.Conv(384, 384, kernel_size=(3, 3), feature_group_count=2, rngs=rngs)
        self.conv5 = nnx.Conv(384, 256, kernel_size=(3, 3), feature_group_count=2, rngs=rngs)
        self.fc6 = nnx.Linear(height * width * 256, 4096, rngs=rngs)
        self.dropout6 = nnx.Dropout(0.5, rngs=rngs)
        self.fc7 = nnx.Linear(4096, 4096, rngs=rngs)
        self.dropout7 = nnx.Dropout(0.5, rngs=rngs)
        self.fc8 = nnx.Linear(4096, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = lrn(nnx.relu(self.conv1(x)), alpha=5e-4, k=2)
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2))
        x = lrn(nnx.relu(self.conv2(x)), alpha=5e-4, k=2)
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2))
        x = nnx.relu(self.conv3(x))
        x = nnx.relu(self.conv4(x))
        x = nnx.relu(self.conv5(x))
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = self.dropout6(nnx.relu(self.fc6(x)))
        x = self.dropout7(nnx.relu(self.fc7(x)))
        return self.fc8(x)

"""GoogLeNet with its auxiliary heads (Szegedy et al. 2015, as Caffe's bvlc_googlenet), by hand in Flax NNX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.by_hand._lrn import lrn

TABLE = {  # Table 1: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def pool(x: jax.Array) -> jax.Array:
    """3×3 maximum pooling with stride 2, whose last window may reach over the edge."""
    height, width = x.shape[1:3]
    padding = ((0, (height - 3) % 2), (0, (width - 3) % 2))
    return nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=padding)


class Inception(nnx.Module):
    """Figure 2b."""

    def __init__(self, channels: int, widths: tuple[int, ...], *, rngs: nnx.Rngs) -> None:
        one, three_reduce, three, five_reduce, five, proj = widths
        self.one = nnx.Conv(channels, one, kernel_size=(1, 1), rngs=rngs)
        self.three_reduce = nnx.Conv(channels, three_reduce, kernel_size=(1, 1), rngs=rngs)
        self.three = nnx.Conv(three_reduce, three, kernel_size=(3, 3), rngs=rngs)
        self.five_reduce = nnx.Conv(channels, five_reduce, kernel_size=(1, 1), rngs=rngs)
        self.five = nnx.Conv(five_reduce, five, kernel_size=(5, 5), rngs=rngs)
        self.proj = nnx.Conv(channels, proj, kernel_size=(1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        one = nnx.relu(self.one(x))
        three = nnx.relu(self.three(nnx.relu(self.three_reduce(x))))
        five = nnx.relu(self.five(nnx.relu(self.five_reduce(x))))
        pooled = nnx.max_pool(x, window_shape=(3, 3), strides=(1, 1), padding="SAME")
        return jnp.concatenate([one, three, five, nnx.relu(self.proj(pooled))], axis=-1)


class Auxiliary(nnx.Module):
    """A head on an inner module, for training alone (section 5)."""

    def __init__(self, channels: int, size: tuple[int, int], *, rngs: nnx.Rngs) -> None:
        height, width = ((side - 5) // 3 + 1 for side in size)
        self.conv = nnx.Conv(channels, 128, kernel_size=(1, 1), rngs=rngs)
        self.fc1 = nnx.Linear(height * width * 128, 1024, rngs=rngs)
        self.dropout = nnx.Dropout(0.7, rngs=rngs)
        self.fc2 = nnx.Linear(1024, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.avg_pool(x, window_shape=(5, 5), strides=(3, 3))
        x = nnx.relu(self.conv(x)).reshape(x.shape[0], -1)
        return self.fc2(self.dropout(nnx.relu(self.fc1(x))))


class GoogLeNet(nnx.Module):
    """Nine inception modules. In training it gives the logits and those of two heads, otherwise the logits."""

    deterministic = False
    """Set by `train()` and `eval()`."""

    def __init__(self, size: tuple[int, int] = (224, 224), *, rngs: nnx.Rngs) -> None:
        # Of the maps that the heads take: a convolution rounds halves up, the three poolings down.
        height, width = ((side + 1) // 2 // 2 // 2 // 2 for side in size)
        self.conv1 = nnx.Conv(3, 64, kernel_size=(7, 7), strides=(2, 2), padding=3, rngs=rngs)
        self.conv2 = nnx.Conv(64, 64, kernel_size=(1, 1), rngs=rngs)
        self.conv3 = nnx.Conv(64, 192, kernel_size=(3, 3), rngs=rngs)
        modules, channels = {}, 192
        for name, widths in TABLE.items():
            modules[name] = Inception(channels, widths, rngs=rngs)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.inception = nnx.Dict(modules)
        self.dropout = nnx.Dropout(0.4, rngs=rngs)
        self.fc = nnx.Linear(1024, 1000, rngs=rngs)
        self.aux1 = Auxiliary(512, (height, width), rngs=rngs)
        self.aux2 = Auxiliary(528, (height, width), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array, jax.Array]:
        x = lrn(pool(nnx.relu(self.conv1(x))))
        x = nnx.relu(self.conv3(nnx.relu(self.conv2(x))))
        x = pool(lrn(x))
        x = self.inception["3b"](self.inception["3a"](x))
        after_4a = self.inception["4a"](pool(x))
        after_4d = self.inception["4d"](self.inception["4c"](self.inception["4b"](after_4a)))
        x = pool(self.inception["4e"](after_4d))
        x = self.inception["5b"](self.inception["5a"](x))
        x = self.fc(self.dropout(x.mean(axis=(1, 2))))
        return x if self.deterministic else (x, self.aux1(after_4a), self.aux2(after_4d))

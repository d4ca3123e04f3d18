"""ResNet-18, ResNet-50 (He et al. 2016) and ResNeXt-50 32×4d (Xie et al. 2017), by hand in Flax NNX.

The stride of a bottleneck is that of its 3×3 convolution.
"""

from __future__ import annotations

from functools import partial

import jax
from flax import nnx

conv = partial(nnx.Conv, use_bias=False)
norm = partial(nnx.BatchNorm, momentum=0.9, epsilon=1e-5)


class Basic(nnx.Module):
    """Two 3×3 convolutions."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, inner: int, groups: int, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(channels, width, kernel_size=(3, 3), strides=stride, padding=1, rngs=rngs)
        self.bn1 = norm(width, rngs=rngs)
        self.conv2 = conv(width, width, kernel_size=(3, 3), padding=1, rngs=rngs)
        self.bn2 = norm(width, rngs=rngs)
        projects = stride > 1 or channels != width
        self.shortcut = conv(channels, width, kernel_size=(1, 1), strides=stride, rngs=rngs) if projects else None
        self.shortcut_bn = norm(width, rngs=rngs) if projects else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None and self.shortcut_bn is not None:
            x = self.shortcut_bn(self.shortcut(x))
        return nnx.relu(y + x)


class Bottleneck(nnx.Module):
    """A 3×3 convolution between two of 1×1."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, inner: int, groups: int, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(channels, inner, kernel_size=(1, 1), rngs=rngs)
        self.bn1 = norm(inner, rngs=rngs)
        self.conv2 = conv(
            inner, inner, kernel_size=(3, 3), strides=stride, padding=1, feature_group_count=groups, rngs=rngs
        )
        self.bn2 = norm(inner, rngs=rngs)
        self.conv3 = conv(inner, 4 * width, kernel_size=(1, 1), rngs=rngs)
        self.bn3 = norm(4 * width, rngs=rngs)
        projects = stride > 1 or channels != 4 * width
        self.shortcut = conv(channels, 4 * width, kernel_size=(1, 1), strides=stride, rngs=rngs) if projects else None
        self.shortcut_bn = norm(4 * width, rngs=rngs) if projects else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.bn1(self.conv1(x)))
        y = nnx.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.shortcut is not None and self.shortcut_bn is not None:
            x = self.shortcut_bn(self.shortcut(x))
        return nnx.relu(y + x)


class ResNet(nnx.Module):
    """Table 1."""

    def __init__(
        self,
        size: tuple[int, int] = (224, 224),
        *,
        block: str,
        depths: tuple[int, ...],
        groups: int = 1,
        base_width: int = 64,
        rngs: nnx.Rngs,
    ) -> None:
        made: type[Basic] | type[Bottleneck] = Basic if block == "basic" else Bottleneck
        self.conv1 = conv(3, 64, kernel_size=(7, 7), strides=2, padding=3, rngs=rngs)
        self.bn1 = norm(64, rngs=rngs)
        blocks, channels = [], 64
        for stage, depth in enumerate(depths):
            width = 64 * 2**stage
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(made(channels, width, stride, width * base_width // 64 * groups, groups, rngs=rngs))
                channels = width * made.expansion
        self.blocks = nnx.List(blocks)
        self.fc = nnx.Linear(channels, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.bn1(self.conv1(x)))
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean(axis=(1, 2)))

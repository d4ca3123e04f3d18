"""MobileNet v2 (Sandler et al. 2018), by hand in Flax NNX."""

from __future__ import annotations

from functools import partial

import jax
from flax import nnx

conv = partial(nnx.Conv, use_bias=False)
norm = partial(nnx.BatchNorm, momentum=0.9, epsilon=1e-5)

ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Table 2: expansion, channels, repeats, stride."""


class InvertedResidual(nnx.Module):
    """Table 1: 1×1 up, 3×3 depthwise, 1×1 down."""

    def __init__(self, channels: int, filters: int, stride: int, expansion: int, *, rngs: nnx.Rngs) -> None:
        inner = channels * expansion
        self.adds = stride == 1 and channels == filters
        self.expand = conv(channels, inner, kernel_size=(1, 1), rngs=rngs) if expansion > 1 else None
        self.expand_bn = norm(inner, rngs=rngs) if expansion > 1 else None
        self.depthwise = conv(
            inner, inner, kernel_size=(3, 3), strides=stride, padding=1, feature_group_count=inner, rngs=rngs
        )
        self.depthwise_bn = norm(inner, rngs=rngs)
        self.project = conv(inner, filters, kernel_size=(1, 1), rngs=rngs)
        self.project_bn = norm(filters, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x
        if self.expand is not None and self.expand_bn is not None:
            y = nnx.relu6(self.expand_bn(self.expand(y)))
        y = nnx.relu6(self.depthwise_bn(self.depthwise(y)))
        y = self.project_bn(self.project(y))
        return x + y if self.adds else y


class MobileNetV2(nnx.Module):
    """Seventeen inverted residuals between two convolutions."""

    def __init__(self, size: tuple[int, int] = (224, 224), *, rngs: nnx.Rngs) -> None:
        self.stem = conv(3, 32, kernel_size=(3, 3), strides=2, padding=1, rngs=rngs)
        self.stem_bn = norm(32, rngs=rngs)
        blocks, channels = [], 32
        for expansion, filters, repeats, stride in ROWS:
            for index in range(repeats):
                step = 1 if index else stride
                blocks.append(InvertedResidual(channels, filters, step, expansion, rngs=rngs))
                channels = filters
        self.blocks = nnx.List(blocks)
        self.head = conv(channels, 1280, kernel_size=(1, 1), rngs=rngs)
        self.head_bn = norm(1280, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.fc = nnx.Linear(1280, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu6(self.stem_bn(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        x = nnx.relu6(self.head_bn(self.head(x)))
        return self.fc(self.dropout(x.mean(axis=(1, 2))))

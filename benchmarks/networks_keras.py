"""A process of `networks.py` that computes with Keras 3 on JAX: functional models, trained by `train_on_batch`.

    python benchmarks/networks_keras.py keras CORE|all|gpu

It answers as `networks_jax.py` does. The images' numbers lie on the device. Keras gives each step's loss to Python, and
so waits for the device each time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
if sys.argv[2].isdigit():
    os.sched_setaffinity(0, {int(sys.argv[2])})
if sys.argv[2] != "gpu":
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import numpy as np
from answering import answer, answers
from keras import layers, ops

RATE, MOMENTUM, AUXILIARY = 1e-4, 0.9, 0.3

Tensor = Any


def conv(x: Tensor, filters: int, kernel: int, stride: int = 1, padding: str | int = "same", **more: Any) -> Tensor:
    """A convolution; a border that is a number is on all sides, as PyTorch and Caffe have it."""
    if isinstance(padding, int):
        x, padding = layers.ZeroPadding2D(padding)(x) if padding else x, "valid"
    return layers.Conv2D(filters, kernel, stride, padding, **more)(x)


def norm(x: Tensor) -> Tensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def relu(x: Tensor, most: float | None = None) -> Tensor:
    return layers.ReLU(max_value=most)(x)


def pool(x: Tensor, window: int, stride: int, padding: str = "valid") -> Tensor:
    return layers.MaxPooling2D(window, stride, padding)(x)


class Lrn(layers.Layer):
    """Local response normalisation, which Keras has none of: a sum over `size` neighbouring channels."""

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, x: Tensor) -> Tensor:
        channels, side = x.shape[-1], self.size // 2
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (side, side)))
        total = sum(squares[..., index : index + channels] for index in range(self.size))
        return x / (self.k + self.alpha / self.size * total) ** self.beta


def lenet5(x: Tensor) -> Tensor:
    x = pool(relu(conv(x, 6, 5, padding="valid")), 2, 2)
    x = pool(relu(conv(x, 16, 5, padding="valid")), 2, 2)
    x = layers.Flatten()(x)
    x = layers.Dense(120, "relu")(x)
    x = layers.Dense(84, "relu")(x)
    return layers.Dense(10)(x)


def top(x: Tensor) -> Tensor:
    """AlexNet's and VGG's dense layers."""
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dropout(0.5)(layers.Dense(4096, "relu")(x))
    return layers.Dense(1000)(x)


def alexnet(x: Tensor) -> Tensor:
    x = pool(Lrn(alpha=5e-4, k=2)(relu(conv(x, 96, 11, 4, "valid"))), 3, 2)
    x = pool(Lrn(alpha=5e-4, k=2)(relu(conv(x, 256, 5, groups=2))), 3, 2)
    x = relu(conv(x, 384, 3))
    x = relu(conv(x, 384, 3, groups=2))
    x = pool(relu(conv(x, 256, 3, groups=2)), 3, 2)
    return top(x)


def vgg(*depths: int) -> Callable[[Tensor], Tensor]:
    def made(x: Tensor) -> Tensor:
        for stage, depth in enumerate(depths):
            for _ in range(depth):
                x = relu(conv(x, 64 * 2 ** min(stage, 3), 3))
            x = pool(x, 2, 2)
        return top(x)

    return made


INCEPTION = {
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


def googlenet(x: Tensor) -> list[Tensor]:
    def ceiled(x: Tensor) -> Tensor:
        """3×3 pooling by 2 whose last window may reach over the edge."""
        edge = [(0, (side - 3) % 2) for side in x.shape[1:3]]
        return pool(layers.ZeroPadding2D(edge)(x), 3, 2)  # after rectifiers a zero is no larger than any number

    def auxiliary(x: Tensor) -> Tensor:
        x = layers.Flatten()(relu(conv(layers.AveragePooling2D(5, 3)(x), 128, 1)))
        return layers.Dense(1000)(layers.Dropout(0.7)(layers.Dense(1024, "relu")(x)))

    heads = {}
    x = Lrn()(ceiled(relu(conv(x, 64, 7, 2, 3))))
    x = ceiled(Lrn()(relu(conv(relu(conv(x, 64, 1)), 192, 3))))
    for name, (one, three_reduce, three, five_reduce, five, proj) in INCEPTION.items():
        x = ceiled(x) if name in {"4a", "5a"} else x
        branches = [
            conv(x, one, 1),
            conv(relu(conv(x, three_reduce, 1)), three, 3),
            conv(relu(conv(x, five_reduce, 1)), five, 5),
            conv(pool(x, 3, 1, "same"), proj, 1),
        ]
        x = relu(layers.Concatenate()(branches))
        if name in {"4a", "4d"}:
            heads[name] = auxiliary(x)
    x = layers.Dense(1000)(layers.Dropout(0.4)(layers.GlobalAveragePooling2D()(x)))
    return [x, *heads.values()]


def resnet(depths: tuple[int, ...], bottleneck: bool, groups: int = 1, base: int = 64) -> Callable[[Tensor], Tensor]:
    def block(x: Tensor, width: int, stride: int) -> Tensor:
        filters, inner = width * (4 if bottleneck else 1), width * base // 64 * groups
        short = x
        if stride > 1 or x.shape[-1] != filters:
            short = norm(conv(x, filters, 1, stride, use_bias=False))
        if bottleneck:
            x = relu(norm(conv(x, inner, 1, use_bias=False)))
            x = relu(norm(conv(x, inner, 3, stride, 1, groups=groups, use_bias=False)))
            x = norm(conv(x, filters, 1, use_bias=False))
        else:
            x = relu(norm(conv(x, width, 3, stride, 1, use_bias=False)))
            x = norm(conv(x, width, 3, 1, 1, use_bias=False))
        return relu(layers.Add()([x, short]))

    def made(x: Tensor) -> Tensor:
        x = relu(norm(conv(x, 64, 7, 2, 3, use_bias=False)))
        x = pool(layers.ZeroPadding2D(1)(x), 3, 2)  # after a rectifier
        for stage, depth in enumerate(depths):
            for index in range(depth):
                x = block(x, 64 * 2**stage, 2 if stage and not index else 1)
        return layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))

    return made


def mobilenet_v2(x: Tensor) -> Tensor:
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    x = relu(norm(conv(x, 32, 3, 2, 1, use_bias=False)), 6)
    for expansion, filters, repeats, stride in rows:
        for index in range(repeats):
            y, step = x, 1 if index else stride
            if expansion > 1:
                y = relu(norm(conv(y, expansion * x.shape[-1], 1, use_bias=False)), 6)
            y = layers.DepthwiseConv2D(3, step, use_bias=False)(layers.ZeroPadding2D(1)(y))
            y = norm(conv(relu(norm(y), 6), filters, 1, use_bias=False))
            x = layers.Add()([x, y]) if step == 1 and x.shape[-1] == filters else y
    x = relu(norm(conv(x, 1280, 1, use_bias=False)), 6)
    return layers.Dense(1000)(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x)))


def fcn8s(x: Tensor) -> Tensor:
    def up(x: Tensor, window: int, stride: int) -> Tensor:
        return layers.Conv2DTranspose(21, window, stride, use_bias=False)(x)

    def cut(x: Tensor, edge: int, like: tuple[int, ...]) -> Tensor:
        crop = [(edge, own - edge - side) for own, side in zip(x.shape[1:3], like[1:3], strict=True)]
        return layers.Cropping2D(crop)(x)

    whole, pooled = x.shape, []
    for stage, depth in enumerate((2, 2, 3, 3, 3)):
        for index in range(depth):
            x = relu(conv(x, 64 * 2 ** min(stage, 3), 3, 1, 1 if stage or index else 100))
        x = pool(x, 2, 2, "same")
        pooled.append(x)
    x = layers.Dropout(0.5)(relu(conv(x, 4096, 7, padding="valid")))
    x = layers.Dropout(0.5)(relu(conv(x, 4096, 1)))
    x = up(conv(x, 21, 1), 4, 2)
    x = up(layers.Add()([x, cut(conv(pooled[3], 21, 1), 5, x.shape)]), 4, 2)
    x = up(layers.Add()([x, cut(conv(pooled[2], 21, 1), 9, x.shape)]), 16, 8)
    return cut(x, 31, whole)


class Pool(layers.Layer):
    """2×2 maximum pooling, with the place of each maximum in its window."""

    def call(self, x: Tensor) -> tuple[Tensor, Tensor]:
        height, width, channels = x.shape[1:]
        x = ops.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), constant_values=-np.inf)
        x = ops.reshape(x, (-1, (height + 1) // 2, 2, (width + 1) // 2, 2, channels))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 5, 2, 4)), (-1, (height + 1) // 2, (width + 1) // 2, channels, 4))
        return ops.max(x, -1), ops.argmax(x, -1)


class Unpool(layers.Layer):
    """Puts values back where `Pool` found them in a map of this height and width, zeros elsewhere."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def call(self, x: Tensor, places: Tensor) -> Tensor:
        height, width, channels = x.shape[1:]
        x = ops.expand_dims(x, -1) * ops.one_hot(places, 4, dtype=x.dtype)
        x = ops.transpose(ops.reshape(x, (-1, height, width, channels, 2, 2)), (0, 1, 4, 2, 5, 3))
        return ops.reshape(x, (-1, 2 * height, 2 * width, channels))[:, : self.height, : self.width]


def segnet_basic(x: Tensor) -> Tensor:
    x, kept = Lrn()(x), []
    for _ in range(4):
        before = relu(norm(conv(x, 64, 7)))
        x, places = Pool()(before)
        kept.append((places, before.shape[1:3]))
    for places, size in reversed(kept):
        x = norm(conv(Unpool(*size)(x, places), 64, 7))
    return conv(x, 11, 1)


NETWORKS: dict[str, Callable[[Tensor], Tensor]] = {
    "lenet5": lenet5,
    "alexnet": alexnet,
    "vgg11": vgg(1, 1, 2, 2, 2),
    "vgg16": vgg(2, 2, 3, 3, 3),
    "googlenet": googlenet,
    "resnet18": resnet((2, 2, 2, 2), bottleneck=False),
    "resnet50": resnet((3, 4, 6, 3), bottleneck=True),
    "mobilenet_v2": mobilenet_v2,
    "resnext50_32x4d": resnet((3, 4, 6, 3), bottleneck=True, groups=32, base=4),
    "fcn8s": fcn8s,
    "segnet_basic": segnet_basic,
}


class Program:
    """A model with its data on the device."""

    def __init__(self, network: str, batch: int, size: list[int], mode: str) -> None:
        keras.backend.clear_session()
        shape = (*size, 1 if network == "lenet5" else 3)
        x = keras.Input(shape)
        made = NETWORKS[network](x)
        heads = made if isinstance(made, list) else [made]
        model = keras.Model(x, heads)
        self.logits = list(heads[0].shape[1:])
        self.parameters = sum(int(np.prod(own.shape)) for own in model.trainable_weights)
        rng = np.random.default_rng(0)
        if mode == "eval":
            model, images = keras.Model(x, heads[0]), jax.device_put(rng.standard_normal((batch, *shape), np.float32))
            self.step = lambda: model.predict_on_batch(images)
            return
        images = jax.device_put(rng.integers(0, 256, (batch, *shape), np.uint8))
        labels = jax.device_put(rng.integers(0, self.logits[-1], (batch, *self.logits[:-1])))
        read = keras.Input(shape, dtype="uint8")
        trained = keras.Model(read, model(layers.Rescaling(1 / 255)(read)))
        trained.compile(
            optimizer=keras.optimizers.SGD(RATE, MOMENTUM),
            loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True) for _ in heads],
            loss_weights=[1.0, *(AUXILIARY for _ in heads[1:])],
            jit_compile=True,
        )
        self.step = lambda: trained.train_on_batch(images, [labels] * len(heads) if len(heads) > 1 else labels)

    def block(self, steps: int) -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def main() -> None:
    to = answers()
    if sys.argv[2] == "gpu" and jax.default_backend() != "gpu":
        raise SystemExit(f"JAX has no GPU here, but {jax.default_backend()}")
    held: list[Program] = []

    def load(network: str, batch: int, size: list[int], mode: str, precision: str) -> dict[str, Any]:
        held.clear()
        if precision != "float32":
            raise ValueError("float32 alone")
        begun = time.perf_counter()
        held.append(Program(network, batch, size, mode))
        held[0].step()
        return {
            "compile_seconds": time.perf_counter() - begun,
            "parameters": held[0].parameters,
            "logits": held[0].logits,
        }

    def run(steps: int) -> dict[str, Any]:
        wall, cpu = held[0].block(steps)
        return {"wall": wall, "cpu": cpu}

    about = {"python": sys.version.split()[0], "keras": keras.__version__, "jax": jax.__version__}
    answer(to, {**about, "device": jax.devices()[0].device_kind}, load, run)


if __name__ == "__main__":
    main()

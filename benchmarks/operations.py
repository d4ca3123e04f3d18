"""Operations of a training step that are no convolutions: forward pass, and forward and backward pass together.

    python benchmarks/operations.py [--only TEXT] [--out FILE]          archspec's layers, by the installed JAX
    python benchmarks/operations.py --torch [--only TEXT] [--out FILE]  PyTorch's, where that is installed

Milliseconds of the process on one pinned processor, the least of several goes: other programs on the machine hardly
change them. PyTorch runs eagerly on maps in channels_last, as it is fastest there, and in its own order, the better.
Both files are JSON, {case: [forward, both]}.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

GOES = 9
ENOUGH = 0.35
"""Seconds that the goes of one figure take at least."""

MAPS: dict[str, tuple[int, ...]] = {
    "lenet c1": (128, 28, 28, 6),
    "lenet c3": (128, 10, 10, 16),
    "segnet": (4, 64, 64, 64),
    "alexnet 55": (8, 55, 55, 96),
    "alexnet 13": (8, 13, 13, 256),
    "resnet stem": (4, 112, 112, 64),
    "googlenet 56": (8, 56, 56, 64),
    "googlenet 28": (8, 28, 28, 192),
    "googlenet 14": (8, 14, 14, 512),
    "mobilenet 32": (16, 32, 32, 96),
    "resnet 14": (8, 14, 14, 1024),
    "resnet 7": (8, 7, 7, 2048),
    "fcn scores": (1, 16, 16, 21),
    "fcn fused": (1, 40, 40, 21),
}
"""(batch, height, width, channels)."""

STEM = {"kernel_size": 3, "stride": 2, "padding": 1}
SAME = {"kernel_size": 3, "stride": 1, "padding": 1}

# kind, fields, map; and of PyTorch the module of torch.nn with its arguments.
LAYERS: list[tuple[str, dict[str, Any], str, str, dict[str, Any]]] = [
    ("max_pool", {"window": 2}, "lenet c1", "MaxPool2d", {"kernel_size": 2}),
    ("max_pool", {"window": 2}, "lenet c3", "MaxPool2d", {"kernel_size": 2}),
    ("max_pool", {"window": 2}, "segnet", "MaxPool2d", {"kernel_size": 2}),
    ("max_pool", {"window": 3, "stride": 2}, "alexnet 55", "MaxPool2d", {"kernel_size": 3, "stride": 2}),
    (
        "max_pool",
        {"window": 3, "stride": 2, "pad": 1},
        "resnet stem",
        "MaxPool2d",
        STEM,
    ),
    (
        "max_pool",
        {"window": 3, "stride": 1, "pad": 1},
        "googlenet 28",
        "MaxPool2d",
        SAME,
    ),
    (
        "max_pool",
        {"window": 3, "stride": 1, "pad": 1},
        "googlenet 14",
        "MaxPool2d",
        SAME,
    ),
    ("avg_pool", {"window": 2}, "segnet", "AvgPool2d", {"kernel_size": 2}),
    (
        "avg_pool",
        {"window": 3, "stride": 1, "pad": 1},
        "googlenet 28",
        "AvgPool2d",
        SAME,
    ),
    ("global_avg_pool", {}, "resnet 7", "AdaptiveAvgPool2d", {"output_size": 1}),
    ("adaptive_avg_pool", {"size": 6}, "alexnet 13", "AdaptiveAvgPool2d", {"output_size": 6}),
    ("global_max_pool", {}, "resnet 7", "AdaptiveMaxPool2d", {"output_size": 1}),
    ("lrn", {"size": 5, "alpha": 1e-4, "beta": 0.75}, "alexnet 55", "LocalResponseNorm", {"size": 5}),
    ("lrn", {"size": 5, "alpha": 1e-4, "beta": 0.75}, "googlenet 56", "LocalResponseNorm", {"size": 5}),
    ("batch_norm", {}, "googlenet 56", "BatchNorm2d", {"num_features": 64}),
    ("batch_norm", {}, "mobilenet 32", "BatchNorm2d", {"num_features": 96}),
    ("batch_norm", {}, "resnet 14", "BatchNorm2d", {"num_features": 1024}),
    ("batch_norm", {}, "resnet 7", "BatchNorm2d", {"num_features": 2048}),
    ("relu", {}, "googlenet 56", "ReLU", {}),
    ("dropout", {"rate": 0.5}, "googlenet 28", "Dropout", {"p": 0.5}),
    (
        "transposed_conv",
        {"filters": 21, "kernel": 4, "stride": 2, "bias": False},
        "fcn scores",
        "ConvTranspose2d",
        {"in_channels": 21, "out_channels": 21, "kernel_size": 4, "stride": 2, "bias": False},
    ),
    (
        "transposed_conv",
        {"filters": 21, "kernel": 16, "stride": 8, "bias": False},
        "fcn fused",
        "ConvTranspose2d",
        {"in_channels": 21, "out_channels": 21, "kernel_size": 16, "stride": 8, "bias": False},
    ),
    (
        "transposed_conv",
        {"filters": 21, "kernel": 64, "stride": 32, "bias": False},
        "fcn scores",
        "ConvTranspose2d",
        {"in_channels": 21, "out_channels": 21, "kernel_size": 64, "stride": 32, "bias": False},
    ),
    (
        "transposed_conv",
        {"filters": 64, "kernel": 2, "stride": 2},
        "googlenet 28",
        "ConvTranspose2d",
        {"in_channels": 192, "out_channels": 64, "kernel_size": 2, "stride": 2},
    ),
    ("resize", {"factor": 2, "mode": "bilinear"}, "googlenet 28", "Upsample", {"scale_factor": 2, "mode": "bilinear"}),
    ("unpool", {"factor": 2}, "googlenet 28", "Upsample", {"scale_factor": 2}),
]

DENSE = [(8, 9216, 4096), (8, 4096, 1000), (128, 400, 120), (8, 1280, 1000)]
"""(batch, features, units)."""

LABELS = [(8, 1000), (128, 10), (4, 64, 64, 11)]
"""Shapes of outputs whose last axis is of classes."""


def least(call: Callable[[], object]) -> float:
    """Milliseconds of the process, the least of GOES goes of as many calls as take long enough."""
    call()
    begin = time.process_time()
    call()
    once = max(time.process_time() - begin, 1e-6)
    times = max(1, min(1000, int(ENOUGH / GOES / once)))
    found = []
    for _ in range(GOES):
        begin = time.process_time()
        for _ in range(times):
            call()
        found.append((time.process_time() - begin) / times)
    return min(found) * 1e3


def name_of(kind: str, fields: dict[str, Any], where: str) -> str:
    said = " ".join(f"{key}={value}" for key, value in fields.items() if key not in {"alpha", "beta", "bias"})
    return " ".join(filter(None, (kind, said, "on", where)))


def by_jax(only: str) -> Iterator[tuple[str, list[float]]]:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from archspec.kinds import find_kind
    from archspec.lowerings.compiling import jit
    from archspec.types import TensorType

    draw = np.random.default_rng(0)
    ready: Any = jax.block_until_ready

    def made(family: str, kind: str, fields: dict[str, Any]) -> Any:
        pairs = {"window", "stride", "kernel", "factor", "size", "output_pad"}
        wide = {key: (value, value) if key in pairs and kind != "lrn" else value for key, value in fields.items()}
        if "pad" in wide:
            wide["pad"] = ((wide["pad"],) * 2,) * 2
        found: Any = find_kind(family, kind)
        return found(**wide)

    def numbers(*shape: int) -> jax.Array:
        return jnp.asarray(draw.standard_normal(shape, np.float32))

    def timed(function: Callable[..., jax.Array], arrays: Any, x: jax.Array) -> list[float]:
        gradient = numbers(*jax.eval_shape(function, arrays, x)[0].shape)
        forward = jit(function)

        def whole(arrays: Any, x: jax.Array, gradient: jax.Array) -> Any:
            vjp: Any = jax.vjp
            y, back, others = vjp(function, arrays, x, has_aux=True)
            return y, others, back(gradient)

        both = jit(whole)
        return [
            least(lambda: ready(forward(arrays, x))),
            least(lambda: ready(both(arrays, x, gradient))),
        ]

    def of_layer(kind: str, fields: dict[str, Any], x: jax.Array) -> list[float]:
        layer = made("layers", kind, fields)
        module = layer.build((TensorType(x.shape[1:]),), nnx.Rngs(0))
        parts: Any = nnx.split(module, nnx.Param, ...)
        definition, params, rest = parts
        options: dict[str, Any] = {"train": True} if layer.uses_mode else {}
        if layer.uses_key:
            options["key"] = jax.random.key(0)

        def function(params: Any, x: jax.Array) -> Any:
            own = nnx.merge(definition, params, rest, copy=True)
            y = own(x, **options)
            return y, nnx.state(own, nnx.Not(nnx.Param))

        return timed(function, params, x)

    for kind, fields, where, *_ in LAYERS:
        name = name_of(kind, fields, where)
        if only in name:
            yield name, of_layer(kind, fields, numbers(*MAPS[where]))
    for batch, features, units in DENSE:
        name = f"dense {features} to {units} on {batch}"
        if only in name:
            yield name, of_layer("dense", {"units": units}, numbers(batch, features))
    for shape in LABELS:
        name = f"cross_entropy on {'×'.join(map(str, shape))}"
        if only in name:
            target = jnp.asarray(draw.integers(0, shape[-1], shape[:-1]))
            loss = made("losses", "cross_entropy", {}).build()

            def mean(_: Any, logits: jax.Array, target: jax.Array = target, loss: Any = loss) -> Any:
                found, weights = loss(logits, target)
                return found.sum() / weights.sum(), ()

            yield name, timed(mean, (), numbers(*shape))


def by_torch(only: str) -> Iterator[tuple[str, list[float]]]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def timed(module: Callable[..., Any], x: Any) -> list[float]:
        y = module(x)
        gradient = torch.randn_like(y)
        params = list(getattr(module, "parameters", list)())

        def forward() -> object:
            with torch.no_grad():
                return module(x)

        def both() -> object:
            x.grad = None
            for param in params:
                param.grad = None
            module(x).backward(gradient)
            return x.grad

        return [least(forward), least(both)]

    for kind, fields, where, theirs, arguments in LAYERS:
        name = name_of(kind, fields, where)
        if only in name:
            batch, height, width, channels = MAPS[where]
            found = []
            for order in (torch.contiguous_format, torch.channels_last):
                module = getattr(torch.nn, theirs)(**arguments).to(memory_format=order)
                x = torch.randn(batch, channels, height, width).to(memory_format=order).requires_grad_()
                found.append(timed(module, x))
            yield name, [min(pair) for pair in zip(*found, strict=True)]
    for batch, features, units in DENSE:
        name = f"dense {features} to {units} on {batch}"
        if only in name:
            yield name, timed(torch.nn.Linear(features, units), torch.randn(batch, features, requires_grad=True))
    for shape in LABELS:
        name = f"cross_entropy on {'×'.join(map(str, shape))}"
        if only in name:
            target = torch.randint(0, shape[-1], shape[:-1])
            x = torch.randn(shape).movedim(-1, 1) if len(shape) > 2 else torch.randn(shape)
            loss = torch.nn.CrossEntropyLoss()
            yield name, timed(lambda logits, loss=loss, target=target: loss(logits, target), x.requires_grad_())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--only", default="", help="cases whose name has this text")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    figures = {}
    for name, pair in (by_torch if options.torch else by_jax)(options.only):
        figures[name] = [round(value, 3) for value in pair]
        print(f"{pair[0]:9.3f} {pair[1]:9.3f}  {name}", flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

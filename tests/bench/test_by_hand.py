"""The networks that are written by hand are those of the zoo: their arrays, and what they compute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from archspec.bench.programs import drawn
from archspec.by_hand import NETWORKS, make
from archspec.diagnostics import Findings
from archspec.loading import load, open_spec
from archspec.lower import outline
from archspec.nn.dropout import Dropout
from archspec.spec.overrides import parse_input
from tests.by_hand import by_hand


@pytest.mark.parametrize("name", NETWORKS)
def test_arrays_are_those_of_the_spec(name: str) -> None:
    """Trained numbers and statistics, with the heads that training has."""
    graph = load(name).graph().pruned("train")
    height, width, _ = graph.inputs[0].type.shape
    network = nnx.eval_shape(lambda: make(name, (height, width), nnx.Rngs(0)))

    def numbers(kind: type[nnx.Variable[Any]]) -> int:
        return sum(prod(value.shape) for value in jax.tree.leaves(nnx.state(network, kind)))

    assert (numbers(nnx.Param), numbers(nnx.BatchStat)) == (graph.count("trainable"), graph.count("statistics"))


def _of_blocks(depths: tuple[int, ...], stage: str) -> dict[str, str]:
    """The n-th block by hand, from 0 on, by its stage and place in a spec."""
    places = [(1 + at, place) for at, depth in enumerate(depths) for place in range(depth)]
    return {rf"blocks\.{number}\.": f"{stage}{at}.{place}." for number, (at, place) in enumerate(places)}


def _residual(depths: tuple[int, ...]) -> dict[str, str]:
    inner = {r"(\.\d+\.\d+|r\d\.\d+)\.bn(\d)": r"\1.batch_norm\2", "shortcut_bn": "shortcut1.batch_norm"}
    return {**_of_blocks(depths, "layer"), **inner, r"shortcut\.": "shortcut1.conv."}


SPEC_NAMES: dict[str, dict[str, str]] = {
    "vgg11": {
        **{rf"stages\.{i}\.{j}\.": f"features.conv{i + 1}_{j + 1}." for i in range(5) for j in range(3)},
        "^fc": "classifier.fc",
    },
    "googlenet": {
        r"inception\.(..)\.": r"inception\1.",
        r"(three|five)\.": r"\1.out.conv.",
        r"(three|five)_reduce\.": r"\1.reduce.conv.",
        r"one\.": "one.out.conv.",
        r"proj\.": "pool.out.conv.",
        r"^conv(\d)\.": r"conv\1.conv.",
        r"^(aux.)\.conv\.": r"\1.conv.conv.",
    },
    "resnet18": _residual((2, 2, 2, 2)),
    "resnet50": _residual((3, 4, 6, 3)),
    "resnext50_32x4d": _residual((3, 4, 6, 3)),
    "mobilenet_v2": {
        **_of_blocks((1, 2, 3, 4, 3, 3, 1), "stage"),
        r"(stem|head|expand|depthwise|project)\.": r"\1.conv.",
        "(stem|head|expand|depthwise|project)_bn": r"\1.bn",
    },
    "fcn8s": {
        **{rf"stages\.{i}\.{j}\.": f"backbone.conv{i + 1}_{j + 1}." for i in range(5) for j in range(3)},
        "^fc": "backbone.fc",
    },
    "segnet_basic": {
        "classifier": "conv_classifier",
        **{rf"down\.{i}": f"conv{i + 1}.conv" for i in range(4)},
        **{rf"down_bn\.{i}": f"conv{i + 1}.bn" for i in range(4)},
        # The authors number the way up from the outside.
        **{rf"up\.{i}": f"conv_decode{4 - i}" for i in range(4)},
        **{rf"up_bn\.{i}": f"conv_decode{4 - i}_bn" for i in range(4)},
    },
}
"""What of an array's path by hand is called otherwise in the spec: patterns, replaced one after the other."""


def _name(network: str, path: tuple[Any, ...]) -> str:
    name = ".".join(map(str, path))
    for pattern, words in SPEC_NAMES.get(network, {}).items():
        name = re.sub(pattern, words, name)
    return name


class Pair:
    """A network as archspec lowers it and by hand, with the same arrays and images: (arrays) → outputs in order."""

    def __init__(self, name: str, size: tuple[int, int], train: bool) -> None:
        graph = open_spec(name, parse_input(f"{size[0]}x{size[1]}", Findings())).graph()
        pure, params, statistics = outline(graph)
        self.params = {path: _drawn(path, like.shape) for path, like in params.items()}
        kept = {path: _drawn(path, like.shape) for path, like in statistics.items()}
        batch = 1 if name in {"fcn8s", "vgg11"} else 2
        images = _drawn("images", (batch, *graph.inputs[0].type.shape))
        network = nnx.eval_shape(lambda: make(name, size, nnx.Rngs(0)))
        set_mode = network.train if train else network.eval
        set_mode()
        definition, trained, *others = nnx.split(network, nnx.Param, nnx.BatchStat, ...)
        averages, rest = others
        rest = jax.tree.map(partial(drawn, ""), rest)

        def filled(state: Any, arrays: Mapping[str, jax.Array]) -> Any:
            flat = nnx.to_flat_state(state)
            assert {_name(name, path) for path, _ in flat} == set(arrays)
            return nnx.from_flat_state([(path, own.replace(as_flax(path, arrays))) for path, own in flat])

        def as_flax(path: tuple[Any, ...], arrays: Mapping[str, jax.Array]) -> jax.Array:
            # Flax's transposed convolution has its kernel the other way round.
            array = arrays[_name(name, path)]
            return array[::-1, ::-1] if str(path[0]).startswith("upscore") else array

        def ours(params: Any) -> tuple[jax.Array, ...]:
            outputs, _ = pure.apply(params, kept, images, train=train, key=jax.random.key(0))
            return tuple(outputs.values()) if isinstance(outputs, dict) else (outputs,)

        def theirs(params: Any) -> tuple[jax.Array, ...]:
            outputs = nnx.merge(definition, filled(trained, params), filled(averages, kept), rest)(images)
            return outputs if isinstance(outputs, tuple) else (outputs,)

        self.ours, self.theirs = ours, theirs


def _drawn(path: str, shape: tuple[int, ...]) -> jax.Array:
    """Other numbers for each array, none of them 0: kernels that keep the size of numbers, scales near 1."""
    own: np.ndarray = np.random.default_rng(list(path.encode())).standard_normal(65_521, np.float32)
    last = path.rpartition(".")[2]
    if last in {"scale", "var"}:
        own = 0.75 + 0.5 * np.abs(np.sin(own))
    elif last == "kernel":
        own *= (2 / prod(shape[:-1])) ** 0.5
    elif last != "images":
        own *= 0.1
    return jnp.asarray(np.resize(own, shape))


def _assert_near(found: Any, wanted: Any) -> None:
    """Within 1e-4 of the largest number of the array, and of a hundredth of the largest of all: sums that cancel."""
    scale = max(float(jnp.abs(own).max()) for own in jax.tree.leaves(wanted))
    assert scale > 0
    for own, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        least = max(float(jnp.abs(other).max()), 0.01 * scale)
        np.testing.assert_allclose(own, other, rtol=0, atol=1e-4 * least)


SIZES = {
    "lenet5": (32, 28),
    "alexnet": (67, 83),
    "vgg11": (224, 224),
    "googlenet": (80, 113),
    "resnet18": (64, 77),
    "resnet50": (64, 45),
    "mobilenet_v2": (64, 45),
    "resnext50_32x4d": (33, 64),
    "fcn8s": (32, 21),
    "segnet_basic": (40, 45),
}
"""Small, odd where a network takes it; of the two VGGs one."""


@pytest.fixture
def undropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout draws other numbers here and there, so nothing is dropped."""
    for kind in (Dropout, nnx.Dropout):
        monkeypatch.setattr(kind, "__call__", lambda self, x, **_: x)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_hand(SIZES, {"fcn8s", "googlenet", "resnext50_32x4d", "resnet50"}))
def test_values_are_those_of_the_spec(name: str, undropped: None) -> None:
    """In evaluation; GoogLeNet's in training, with its heads."""
    pair = Pair(name, SIZES[name], train=name == "googlenet")
    found, wanted = jax.jit(pair.theirs)(pair.params), jax.jit(pair.ours)(pair.params)
    assert len(found) == len(wanted) == (3 if name == "googlenet" else 1)
    for own, other in zip(found, wanted, strict=True):
        _assert_near(own, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", pytest.param("segnet_basic", marks=pytest.mark.minutes)])
def test_gradients_are_those_of_the_spec(name: str) -> None:
    """In training, by all arrays. Of deep ones a rectifier's input next to 0 makes too much of rounding."""
    pair = Pair(name, SIZES[name], train=True)

    def gradient(outputs_of: Any) -> Any:
        def loss(params: Any) -> jax.Array:
            (output,) = outputs_of(params)
            return -jax.nn.log_softmax(output)[..., 1].mean()

        return jax.jit(jax.grad(loss))(pair.params)

    _assert_near(gradient(pair.theirs), gradient(pair.ours))

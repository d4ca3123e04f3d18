"""Of numbers of outputs, the terms that make them: they add up to what the lowered layer gives."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from archspec.layers import Example, Layer
from archspec.loading import load
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.terms import Unit
from archspec.types import TensorType
from tests.layers.test_conformance import KINDS, call, from_example, kind_of, taken

WITHOUT = {
    "channel_shuffle",
    "concat",
    "crop",
    "depth_to_space",
    "dropout",
    "flatten",
    "pad",
    "pad_channels",
    "rbf",
    "reshape",
    "resize",
    "self_attention",
    "slice",
    "space_to_depth",
    "spatial_dropout",
    "stochastic_depth",
    "subsample",
}
"""Kinds that only move numbers, or in evaluation not even that, or whose numbers depend on too many for a list."""

CASES = [
    pytest.param(kind, example, id=f"{kind}-{number}")
    for kind in KINDS
    if kind not in WITHOUT
    for number, example in enumerate(kind_of(kind).examples)
]


def drawn(layer: Layer, inputs: tuple[TensorType, ...]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Inputs and arrays in 64 bits whose numbers are in 32."""
    rng = np.random.default_rng(0)

    def one(kind: TensorType) -> np.ndarray:
        if kind.taps is not None:
            return rng.integers(0, np.prod(kind.taps.window), kind.shape).astype(kind.dtype)
        return rng.normal(size=kind.shape).astype(np.float32).astype(np.float64)

    arrays = {weight.name: rng.normal(size=weight.shape).astype(np.float32) for weight in layer.weights(*inputs)}
    if "var" in arrays:
        arrays["var"] = np.abs(arrays["var"]) + np.float32(0.1)
    return [one(kind) for kind in inputs], {name: own.astype(np.float64) for name, own in arrays.items()}


def computed(
    layer: Layer, inputs: tuple[TensorType, ...], xs: list[np.ndarray], arrays: dict[str, np.ndarray]
) -> np.ndarray:
    """What the lowered module gives for one sample."""

    def given(kind: TensorType, x: np.ndarray) -> jax.Array:
        return jnp.asarray(x[None], kind.dtype)

    def run(arrays: dict[str, jax.Array], xs: list[jax.Array]) -> jax.Array:
        module = layer.build(inputs, nnx.Rngs(0))
        for name, own in arrays.items():
            getattr(module, name)[...] = own
        return call(layer, module, xs, train=False, lowerings=BY_LIBRARY)

    ports = layer.ports(len(inputs))
    own = [given(kind, x) for kind, x, port in zip(inputs, xs, ports, strict=True) if port != "shape"]
    assert len(own) == len(taken(layer, inputs))
    floats = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    return np.asarray(jax.jit(run)(floats, own))[0]


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_terms_add_up_to_the_output(kind: str, example: Example) -> None:
    """To 1e-6 of the sum of the terms' absolute values, at the corners and at other positions."""
    layer, inputs = from_example(kind, example)
    xs, arrays = drawn(layer, inputs)
    output = computed(layer, inputs, xs, arrays)
    places = list(np.ndindex(*output.shape))
    rng = np.random.default_rng(1)
    chosen = {places[0], places[-1], *(places[at] for at in rng.integers(0, len(places), 10))}
    for *at, channel in sorted(chosen):
        terms = layer.terms(Unit(tuple(at), channel, xs, inputs, arrays))
        assert terms is not None
        value = float(output[(*at, channel)])
        assert terms.result == pytest.approx(value, abs=1e-6 * max(terms.magnitude, 1e-3) + 1e-12, rel=0), (at, channel)


@pytest.mark.parametrize("kind", sorted(WITHOUT))
def test_kinds_without_terms_say_so(kind: str) -> None:
    layer, inputs = from_example(kind, kind_of(kind).examples[0])
    xs, arrays = drawn(layer, inputs)
    assert layer.terms(Unit((0,) * len(inputs[0].spatial), 0, xs, inputs, arrays)) is None


def sizes(kind: str, fields: Any, shape: tuple[int, ...]) -> list[str]:
    layer, inputs = from_example(kind, Example(fields, (shape,)))
    return list(layer.arithmetic(inputs, layer.infer(*inputs)))


def test_sizes_are_said_with_the_numbers_put_in() -> None:
    assert sizes("conv", {"filters": 96, "kernel": 11, "stride": 4}, (227, 224, 3)) == [
        "height: (227 − 11 + 2·0)/4 + 1 = 55",
        "width: (224 − 11 + 2·0)/4 + 1 = 54.25, rounded down = 54",
    ]
    assert sizes("max_pool", {"window": 3, "stride": 2, "rounding": "ceil"}, (8, 9, 1)) == [
        "height: (8 − 3 + 2·0)/2 + 1 = 3.5, rounded up = 4",
        "width: (9 − 3 + 2·0)/2 + 1 = 4",
    ]
    assert sizes("conv", {"filters": 2, "kernel": 3, "dilation": 2, "pad": "same_upper", "stride": 2}, (9, 1)) == [
        "length: 9/2, rounded up = 5"
    ]
    assert sizes("transposed_conv", {"filters": 2, "kernel": 4, "stride": 2, "pad": 1}, (5, 6, 3)) == [
        "height: (5 − 1)·2 − 2·1 + 4 + 0 = 10",
        "width: (6 − 1)·2 − 2·1 + 4 + 0 = 12",
    ]
    assert sizes("flatten", {}, (5, 5, 16)) == ["features: 5·5·16 = 400"]


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "segnet_basic", "fcn8s", "resnet18", "mobilenet_v2"])
def test_sizes_come_out(name: str) -> None:
    """Whoever computes what stands left of an equals sign gets what stands right of it, the layer's size at last."""
    found = 0
    for node in load(name).graph().pruned("eval").nodes:
        for line, size in zip(node.layer.arithmetic(node.input_types, node.output), node.output.shape, strict=False):
            _, _, sum_ = line.partition(": ")
            if " = " not in sum_ or node.kind in ("flatten", "concat"):
                continue
            left, *middle, right = sum_.split(" = ")
            value = eval(left.replace("−", "-").replace("·", "*").replace("[", "(").replace("]", ")"))
            if middle:
                assert f"{value:.6g}" == middle[0].split(",")[0], line
                value = floor(value) if "down" in middle[0] else ceil(value)
            assert value == int(right) == size, line
            found += 1
    assert found > 5

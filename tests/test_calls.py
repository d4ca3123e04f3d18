"""What a network says to those who call it with what it does not take, and how it is told the mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from archspec.loading import load
from archspec.lower import Network, build, split

Write = Callable[..., Path]

IMAGE = "input: {height: 6, width: 8, channels: 3}\nlayers: [{conv: {filters: 4, kernel: 3}}, flatten, {dense: 2}]"
GREY = "input: {height: 6, width: 8, channels: 1}\nlayers: [flatten, {dense: 2}]"
SIGNAL = "input: {length: 9, channels: 3}\nlayers: [flatten, {dense: 2}]"
VECTOR = "input: {features: 5}\nlayers: [{dense: 2}]"
PAIR = """
inputs: {left: {height: 6, width: 8, channels: 1}, number: {features: 5}}
layers:
  - flatten: {name: f, from: left}
  - concat: {from: [f, number]}
  - dense: 2
"""
MODES = """
input: {features: 40}
layers: [{batch_norm: {name: norm, momentum: 0.5}}, {dropout: {name: drop, rate: 0.5}}]
"""


BUILT: dict[str, Network] = {}
"""Networks that no test changes, by their specs."""


def network(write: Write, text: str) -> Network:
    return build(load(write(text)).graph())


class Tensor:
    """As another library has them."""

    shape = (2, 6, 8, 3)
    dtype = object()


def ones(*shape: int) -> Any:
    return jnp.ones(shape)


@pytest.mark.parametrize(
    ("text", "given", "error", "said"),
    [
        (IMAGE, ones(2, 3, 6, 8), ValueError, "(2, 3, 6, 8), with channels first (NCHW): jax.numpy.moveaxis(x, 1, -1)"),
        (IMAGE, ones(3, 6, 8), ValueError, "moveaxis(x, 0, -1)[None] puts them last and adds a batch axis"),
        (IMAGE, ones(6, 8, 3), ValueError, "which has no batch axis: x[None] adds one"),
        (IMAGE, ones(2, 9, 9, 3), ValueError, "another size, for which `spec.graph(input=…)`"),
        (IMAGE, ones(2, 8, 6, 3), ValueError, "height and width are the other way round"),
        (IMAGE, ones(2, 6, 8, 1), ValueError, "1 channel instead of 3"),
        (IMAGE, ones(2, 144), ValueError, "which has 2 axes instead of 4"),
        (IMAGE, np.zeros((2, 6, 8, 3), np.uint8), TypeError, "was given uint8. Bytes become numbers by the spec's"),
        (IMAGE, np.zeros((2, 6, 8, 3), np.int64), TypeError, "was given int64. `archspec.open(run).predict`"),
        (IMAGE, [np.zeros((6, 8, 3))] * 2, TypeError, "was given a list. `numpy.stack` makes one array"),
        (IMAGE, Image.new("RGB", (8, 6)), TypeError, "was given an Image. `archspec.open(run).predict` takes images"),
        (IMAGE, "cat.png", TypeError, "was given a str. `archspec.open(run).predict` takes images, bytes and files"),
        (IMAGE, Tensor(), TypeError, "was given a tests.Tensor: numpy.asarray(x) makes an array of it"),
        (IMAGE, {"x": ones(2, 6, 8, 3)}, TypeError, "lacks input and has x, which it does not take"),
        (IMAGE, None, TypeError, "is called without what it takes: `input`, floating-point numbers (batch, 6, 8, 3)"),
        (GREY, ones(2, 6, 8), ValueError, "which has no axis of channels: x[..., None] adds one"),
        (GREY, ones(6, 8), ValueError, "neither batch nor channels: x[None, ..., None] adds both"),
        (VECTOR, ones(2, 4), ValueError, "4 features instead of 5"),
        (VECTOR, ones(5), ValueError, "(5,), which has no batch axis"),
        (PAIR, ones(2, 6, 8, 1), TypeError, "takes 2 inputs by name, and was given one"),
        (
            PAIR,
            {"left": ones(2, 6, 8, 1)},
            TypeError,
            "lacks number; it takes `left`, floating-point",
        ),
        (PAIR, {"left": ones(2, 6, 8, 1), "number": ones(2, 6)}, ValueError, "input `number` takes floating-point"),
        # Without this a join would take the one number for both images.
        (PAIR, {"left": ones(2, 6, 8, 1), "number": ones(1, 5)}, ValueError, "and `left` has 2, `number` has 1"),
        (SIGNAL, ones(2, 3, 9), ValueError, "with channels first (NCL)"),
        (IMAGE, ones(0, 6, 8, 3), ValueError, "(0, 6, 8, 3): a batch of no sample"),
    ],
)
def test_wrong_calls_are_told_in_words(write: Write, text: str, given: Any, error: type[Exception], said: str) -> None:
    net = BUILT[text] = BUILT.get(text) or network(write, text)
    with pytest.raises(error, match=re.escape(said)) as raised:
        net(given)
    # Raised by the call itself, before a layer is reached.
    assert not any("layers" in str(entry.path) for entry in raised.traceback)


def test_calls_with_too_much_are_told_in_words(write: Write) -> None:
    net, pair, x = network(write, IMAGE), network(write, PAIR), ones(2, 6, 8, 3)
    with pytest.raises(TypeError, match=r"has one input, `input`.* was given 2; all else is named: train=True"):
        net(x, jax.random.key(0))
    with pytest.raises(
        TypeError, match=r"2 inputs by name, and was given 2 without names: network\(left=…, number=…\)"
    ):
        pair(ones(2, 6, 8, 1), ones(2, 5))
    with pytest.raises(TypeError, match=r"no input `training`: it takes `input`.*; training mode is `train=True`"):
        net(x, training=True)


def test_arrays_that_are_not_the_networks_are_told_by_name(write: Write) -> None:
    pure, params, statistics = split(network(write, IMAGE))
    x, (one, *others) = ones(2, 6, 8, 3), params
    with pytest.raises(ValueError, match=rf"for the network's {len(params)} arrays lacks {one}$"):
        pure.apply({name: params[name] for name in others}, statistics, x, train=False)
    with pytest.raises(ValueError, match="arrays has head, which it does not"):
        pure.apply({**params, "head": x}, statistics, x, train=False)
    wrong: Any = x
    with pytest.raises(TypeError, match="`statistics` is a dict of arrays by name, not a"):
        pure.apply(params, wrong, x, train=False)


def test_right_calls(write: Write) -> None:
    net, x = network(write, IMAGE), np.random.default_rng(0).random((2, 6, 8, 3))
    assert x.dtype == np.float64
    wanted = net(jnp.asarray(x, jnp.float32))
    for given in (x, x.astype(np.float32), {"input": x}):
        assert np.array_equal(net(given), wanted)
    assert np.array_equal(net(input=x), wanted)
    assert net(jnp.asarray(x, jnp.bfloat16)).shape == (2, 2)
    pair, arrays = network(write, PAIR), {"left": ones(3, 6, 8, 1), "number": ones(3, 5)}
    assert np.array_equal(pair(arrays), pair(**arrays))
    with pytest.raises(TypeError, match="by position or by name, not both: number"):
        pair(arrays, number=ones(3, 5))


def test_compiled_calls_are_told_too_and_cost_nothing(write: Write) -> None:
    net = network(write, IMAGE)
    with pytest.raises(ValueError, match="channels first"):
        jax.eval_shape(net, jax.ShapeDtypeStruct((2, 3, 6, 8), jnp.float32))
    definition, state = nnx.split(net)

    def called(state: Any, x: jax.Array) -> Any:
        return nnx.merge(definition, state)(x)

    def traced(state: Any, x: jax.Array) -> Any:
        *_, (_, value) = nnx.merge(definition, state).trace(x, train=False)
        return value

    programs = [str(jax.make_jaxpr(function)(state, ones(2, 6, 8, 3))) for function in (called, traced)]
    assert programs[0] == programs[1]


def test_train_and_eval_are_those_of_nnx(write: Write) -> None:
    net, key = network(write, MODES), jax.random.key(0)
    x = jax.random.normal(jax.random.key(1), (8, 40)) + 3
    evaluated = net(x)
    assert np.allclose(evaluated, x, atol=1e-4), "the statistics are those of the beginning, and nothing is dropped"
    net.train()
    with pytest.raises(ValueError, match=r"drop is random and needs a key while training: network\(x, train=True"):
        net(x)
    mean = net.at(("norm",)).mean[...] * 1
    trained = net(x, key=key)
    assert 0.3 < float((trained == 0).mean()) < 0.7
    assert np.allclose(net.at(("norm",)).mean[...], (mean + x.mean(0)) / 2, atol=1e-5)
    assert not (net(x, train=False) == 0).any(), "what a call says goes before"
    net.eval()
    assert not (net(x) == 0).any()
    # Also in a compiled function, and of a module that was taken apart.
    net.train()
    definition, state = nnx.split(net)
    again = jax.jit(lambda state, x: nnx.merge(definition, state)(x, key=key))(state, x)
    assert np.array_equal(again == 0, net(x, key=key) == 0)


@pytest.mark.slow
def test_a_network_is_trained_as_any_module_of_nnx(write: Write) -> None:
    net = network(write, IMAGE.replace("layers: [", "layers: [batch_norm, {dropout: 0.1}, "))
    x, key = jax.random.normal(jax.random.key(1), (16, 6, 8, 3)), jax.random.key(0)
    net.train()
    definition, params, rest = nnx.split(net, nnx.Param, ...)

    @jax.jit
    def step(params: Any, rest: Any, key: jax.Array) -> Any:
        net = nnx.merge(definition, params, rest)
        loss, gradients = nnx.value_and_grad(lambda net: ((net(x, key=key) - 1) ** 2).mean())(net)
        params = jax.tree.map(lambda value, gradient: value - 0.05 * gradient, params, gradients)
        return loss, params, nnx.split(net, nnx.Param, ...)[2]

    losses = []
    for place in range(10):
        loss, params, rest = step(params, rest, jax.random.fold_in(key, place))
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 2
    nnx.update(net, params, rest)
    assert net.deterministic is False and not np.allclose(net.at(("batch_norm1",)).var[...], 1)
    net.eval()
    assert np.array_equal(net(x), net(x, train=False))

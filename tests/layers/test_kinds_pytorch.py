"""Kinds on maps, signals and vectors against what PyTorch computed (tests/pytorch/record_kinds.py made the record)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from archspec.types import TensorType
from tests.layers.test_conformance import read
from tests.pytorch.cases import BATCH, numbers
from tests.pytorch.comparing import comparing
from tests.pytorch.kinds import CASES
from tests.pytorch.modules import with_weights

RECORD = np.load(Path(__file__).parent.parent / "pytorch" / "kinds.npz")
close = comparing(RECORD)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name: str) -> None:
    case = CASES[name]
    layer = read(case.entry)
    inputs = tuple(map(TensorType, case.shapes))
    definition, params = nnx.split(with_weights(layer, inputs))
    xs = [jnp.asarray(numbers((BATCH, *shape), float(number))) for number, shape in enumerate(case.shapes)]

    def total(params: Any, xs: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
        out = nnx.merge(definition, params)(*xs)
        return jnp.sin(out).sum(), out

    (_, out), (of_params, of_xs) = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))(params, xs)
    close(out, f"{name}.output")
    for number, gradient in enumerate(of_xs):
        close(gradient, f"{name}.gradient{number}", 2e-5)
    named = {str(path[-1]): jax.tree.leaves(value)[0] for path, value in nnx.to_flat_state(of_params)}
    for number, weight in enumerate(layer.weights(*inputs)):
        close(named[weight.name], f"{name}.weight{number}", 2e-5)


def test_tensorflow_has_another_order_of_blocks() -> None:
    """TensorFlow 2's documentation of depth_to_space: pixels (1, 2, 3), (4, 5, 6), … of a 2×2 block."""
    x = jnp.arange(1.0, 13.0).reshape(1, 1, 1, 12)
    layer = read({"depth_to_space": {"block": 2, "order": "tensorflow"}})
    module: Any = layer.build((TensorType((1, 1, 12)),), nnx.Rngs(0))
    assert module(x).tolist() == [[[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]


@pytest.mark.parametrize("order", ["pytorch", "tensorflow"])
@pytest.mark.parametrize("shape", [(4, 6, 3), (6, 3)])
def test_blocks_there_and_back(order: str, shape: tuple[int, ...]) -> None:
    x = jnp.asarray(numbers((2, *shape), 0.0))
    there, back = (read({kind: {"block": 2, "order": order}}) for kind in ("space_to_depth", "depth_to_space"))
    between = there.infer(TensorType(shape))
    one: Any = there.build((TensorType(shape),), nnx.Rngs(0))
    two: Any = back.build((between,), nnx.Rngs(0))
    assert back.infer(between).shape == shape
    assert bool(jax.jit(lambda x: (two(one(x)) == x).all())(x))


def test_the_gradient_of_a_vector_of_zeros_is_finite() -> None:
    module: Any = read("l2_normalise").build((TensorType((3,)),), nnx.Rngs(0))
    assert np.isfinite(jax.jit(jax.grad(lambda x: module(x).sum()))(np.zeros((1, 3), np.float32))).all()


@pytest.mark.parametrize(
    ("entry", "shape", "dropped"),
    [
        ({"spatial_dropout": 0.5}, (4, 5, 64), (1, 2)),
        ({"spatial_dropout": 0.5}, (9, 64), (1,)),
        ({"stochastic_depth": 0.5}, (4, 5, 3), (1, 2, 3)),
        ({"stochastic_depth": {"rate": 0.5, "mode": "batch"}}, (7,), (0, 1)),
    ],
)
def test_what_is_dropped_together(entry: Any, shape: tuple[int, ...], dropped: tuple[int, ...]) -> None:
    """Elements along these axes are dropped together, half of the rest; the others are doubled; a key fixes which."""
    module: Any = read(entry).build((TensorType(shape),), nnx.Rngs(0))
    x = np.ones((64, *shape), np.float32)
    trained = jax.jit(lambda x, key: module(x, train=True, key=key))
    shares = []
    for seed in range(64 if 0 in dropped else 1):
        y = np.asarray(trained(x, jax.random.key(seed)))
        assert (y == np.asarray(trained(x, jax.random.key(seed)))).all()
        assert set(np.unique(y)) <= {0.0, 2.0}
        assert (y.min(dropped) == y.max(dropped)).all()
        shares.append(float(y.mean()))
    assert np.mean(shares) == pytest.approx(1.0, abs=0.35)
    assert (np.asarray(module(x)) == x).all()

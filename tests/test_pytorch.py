"""Numerics against what PyTorch computed for the same numbers (tests/pytorch/record.py made the record)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from archspec.diagnostics import ShapeError
from archspec.kinds import find_kind
from archspec.layers import Layer
from archspec.losses.cross_entropy import CrossEntropy
from archspec.optimisers import Optimiser
from archspec.types import TensorType
from tests.layers.test_conformance import read
from tests.pytorch.cases import (
    BATCH,
    BATCH_NORM_STEPS,
    CASES,
    CLASS_WEIGHTS,
    IGNORED,
    OPTIMISER_STEPS,
    OPTIMISERS,
    UNPOOLED,
    numbers,
)
from tests.pytorch.comparing import comparing
from tests.pytorch.modules import with_weights

RECORD = np.load(Path(__file__).parent / "pytorch" / "recorded.npz")
close = comparing(RECORD)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name: str) -> None:
    case = CASES[name]
    module = with_weights(read(case.entry), (TensorType(case.shape),))
    x = jnp.asarray(numbers((BATCH, *case.shape), 0.0))
    definition, params, *rest = nnx.split(module, nnx.Param, ...)

    def summed(params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = nnx.merge(definition, params, *rest, copy=True)(x)
        return jnp.sin(y).sum(), y

    (_, y), (gradients, gradient) = jax.jit(jax.value_and_grad(summed, (0, 1), has_aux=True))(params, x)
    close(y, f"{name}.output")
    close(gradient, f"{name}.gradient")
    named = {str(path[-1]): jax.tree.leaves(value)[0] for path, value in nnx.to_flat_state(gradients)}
    for number, weight in enumerate(read(case.entry).weights(TensorType(case.shape))):
        close(named[weight.name], f"{name}.weight{number}")


CEIL = json.loads((Path(__file__).parent / "pytorch" / "ceil.json").read_text("utf-8"))


def rounding_up(case: list[Any]) -> tuple[Layer, TensorType]:
    """The pooling of a recorded case, and its input's type."""
    kind, height, width, window, stride, pad, dilation = case[:7]
    fields = {"window": window, "stride": stride, "pad": pad, "rounding": "ceil"}
    fields |= {"dilation": dilation} if kind == "max_pool" else {"count_pad": kind == "avg_pool"}
    return read({kind.removesuffix("_excluded"): fields}), TensorType((height, width, 1))


def test_shapes_that_are_rounded_up() -> None:
    for case in CEIL:
        pool, x = rounding_up(case)
        try:
            found: list[int] | None = list(pool.infer(x).shape[:2])
        except ShapeError:
            found = None
        assert found == case[7], case


@pytest.mark.parametrize(
    "case", [case for case in CEIL if len(case) > 8], ids=lambda case: "-".join(map(str, case[:7]))
)
def test_numbers_where_shapes_are_rounded_up(case: list[Any]) -> None:
    pool, x_type = rounding_up(case)
    x = (np.arange(x_type.size, dtype=np.float32).reshape(1, *x_type.shape) * np.float32(0.37)) % 5 - 2
    module: Any = pool.build((x_type,), nnx.Rngs(0))

    def there_and_back(x: jax.Array) -> Any:
        """The maxima, and these at their places."""
        unpool, indices = read({"max_unpool": "pool1"}), pool.tap_indices(x_type)
        assert indices is not None
        unpooling: Any = unpool.build((pool.infer(x_type), indices), nnx.Rngs(0))
        values, taps = module(x, indices=True)
        return values, unpooling(values, taps)

    has_places = case[0] == "max_pool"
    plainly, placed = jax.jit(lambda x: (module(x), there_and_back(x) if has_places else None))(x)
    assert np.allclose(np.asarray(plainly).ravel(), case[8], atol=1e-5)
    if placed is not None:
        values, back = map(np.asarray, placed)
        assert np.allclose(np.asarray(values).ravel(), case[8], atol=1e-5)
        assert back.shape == x.shape
        if case[7] == [1, 1] and np.isfinite(case[8]).all():
            (place,) = np.flatnonzero(back)
            assert back.ravel()[place] == x.ravel()[place] == values.item()


def test_windows_far_larger_than_the_map_make_no_arrays_of_their_size() -> None:
    for kind in ("max_pool", "avg_pool", "subsample"):
        pool, x = read({kind: {"window": 10**9, "rounding": "ceil"}}), TensorType((7, 5, 2))
        module: Any = pool.build((x,), nnx.Rngs(0))
        assert jax.jit(module)(np.ones((1, *x.shape), np.float32)).shape == (1, 1, 1, 2)


def test_batch_norm_after_training_steps() -> None:
    module = with_weights(read("batch_norm"), (TensorType((4, 5, 3)),))
    for step in range(BATCH_NORM_STEPS):
        x = jnp.asarray(numbers((BATCH, 4, 5, 3), float(step)))
        y = module(x, train=True)
    close(y, "batch_norm.output")
    gradient = jax.grad(lambda x: jnp.sin(nnx.merge(*nnx.split(module), copy=True)(x, train=True)).sum())
    close(gradient(x), "batch_norm.gradient", 1e-4)
    close(module.mean[...], "batch_norm.mean")
    close(module.var[...], "batch_norm.var")
    close(module(jnp.asarray(numbers((BATCH, 4, 5, 3), 99.0))), "batch_norm.eval")


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers(name: str) -> None:
    kind = find_kind("optimisers", name.split("_")[0])
    assert kind is not None
    optimiser = kind.model_validate({**OPTIMISERS[name], "decay": "all"})
    assert isinstance(optimiser, Optimiser)
    transformation = optimiser.build(lambda step: 1.0)
    params = {"weight": jnp.asarray(numbers((4, 3), 1.0))}
    state = transformation.init(params)
    for step in range(OPTIMISER_STEPS):
        factor = jnp.asarray(numbers((4, 3), float(step)))
        gradients = jax.grad(lambda p, factor=factor: jnp.sin(p["weight"] * factor).sum())(params)
        updates, state = transformation.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    close(params["weight"], f"{name}.weight", 3e-5)


def mean_loss(kind: CrossEntropy, labels: list[int]) -> Any:
    """The loss of a batch as a function of its logits."""
    loss = kind.build()

    def mean(logits: jax.Array) -> jax.Array:
        losses, weights = loss(logits, jnp.asarray(labels))
        return jnp.asarray(losses.sum() / weights.sum())

    return mean


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing: float) -> None:
    loss = mean_loss(CrossEntropy(label_smoothing=smoothing), [0, 1, 2, 3, 4, 0])
    close(loss(jnp.asarray(numbers((6, 5), 0.0))), f"cross_entropy_{smoothing}")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ignored", {}),
        ("ignored_weighted", {"class_weights": CLASS_WEIGHTS}),
        ("ignored_smooth", {"class_weights": CLASS_WEIGHTS, "label_smoothing": 0.1}),
    ],
)
def test_labels_that_do_not_count(name: str, fields: dict[str, Any]) -> None:
    loss = mean_loss(CrossEntropy.model_validate(fields), IGNORED)
    logits = jnp.asarray(numbers((6, 5), 0.0))
    close(loss(logits), f"cross_entropy_{name}")
    close(jax.grad(loss)(logits), f"cross_entropy_{name}.gradient")


@pytest.mark.parametrize("name", UNPOOLED)
def test_unpooling(name: str) -> None:
    case = UNPOOLED[name]
    pool = read(case.entry)
    x_type = TensorType(case.shape)
    indices = pool.tap_indices(x_type)
    assert indices is not None
    pooled_type = pool.infer(x_type)
    unpool = read({"max_unpool": "pool1"})
    assert unpool.infer(pooled_type, indices) == x_type
    pooling: Any = pool.build((x_type,), nnx.Rngs(0))
    unpooling: Any = unpool.build((pooled_type, indices), nnx.Rngs(0))

    def there_and_back(x: jax.Array) -> jax.Array:
        pooled, taps = pooling(x, indices=True)
        found: jax.Array = unpooling((2 * pooled) ** 2, taps)
        return found

    x = jnp.asarray(numbers((BATCH, *case.shape), 0.0))

    @jax.jit
    def computed(x: jax.Array) -> Any:
        gradient = jax.grad(lambda x: jnp.sin(there_and_back(x)).sum())(x)
        return there_and_back(x), gradient, pooling(x, indices=True)[0], pooling(x)

    output, gradient, pooled, plainly = computed(x)
    close(output, f"{name}.output")
    close(gradient, f"{name}.gradient")
    np.testing.assert_array_equal(pooled, plainly)

"""Layers on signals, and kinds that know both maps and signals, against what PyTorch computed for the same numbers.

tests/pytorch/record_signals.py made the record.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from archspec.loading import load
from archspec.lower import build, split
from archspec.types import TensorType
from archspec.weights.layout import from_torch, order_of, orders
from archspec.weights.naming import PLAIN, namings
from tests.layers.test_conformance import read
from tests.pytorch.cases import BATCH, numbers
from tests.pytorch.comparing import comparing
from tests.pytorch.modules import with_weights
from tests.pytorch.signals import CASES, NETWORK, SHAPES, UNPOOLED

RECORD = np.load(Path(__file__).parent.parent / "pytorch" / "signals.npz")
# A key's bias has no gradient, since softmax takes it away.
close = comparing(RECORD, 2e-5, 0.5)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name: str) -> None:
    case = CASES[name]
    layer, kind = read(case.entry), TensorType(case.shape)
    weights = layer.weights(kind)
    module = with_weights(layer, (kind,), case.factor)
    x = jnp.asarray(numbers((BATCH, *case.shape), 0.0))
    definition, params, *rest = nnx.split(module, nnx.Param, ...)

    @jax.jit
    def run(params: Any, x: jax.Array) -> Any:
        def loss(params: Any, x: jax.Array) -> Any:
            y = nnx.merge(definition, params, *rest)(x)
            return jnp.sin(y).sum(), y

        return jax.grad(loss, (0, 1), has_aux=True)(params, x)

    (gradients, gradient), y = run(params, x)
    close(y, f"{name}.output")
    close(gradient, f"{name}.gradient")
    named = {".".join(map(str, path)): jax.tree.leaves(value)[0] for path, value in nnx.to_flat_state(gradients)}
    assert named.keys() == {weight.name for weight in weights}
    for number, weight in enumerate(weights):
        close(named[weight.name], f"{name}.weight{number}")
    assert f"{name}.weight{len(weights)}" not in RECORD


@pytest.mark.parametrize("name", UNPOOLED)
def test_unpooling(name: str) -> None:
    case = UNPOOLED[name]
    pool, x_type = read(case.entry), TensorType(case.shape)
    indices = pool.tap_indices(x_type)
    assert indices is not None
    unpool = read({"max_unpool": "pool1"})
    assert unpool.infer(pool.infer(x_type), indices) == x_type
    pooling: Any = pool.build((x_type,), nnx.Rngs(0))
    unpooling: Any = unpool.build((pool.infer(x_type), indices), nnx.Rngs(0))

    def there_and_back(x: jax.Array) -> Any:
        pooled, taps = pooling(x, indices=True)
        found: jax.Array = unpooling((2 * pooled) ** 2, taps)
        return jnp.sin(found).sum(), found

    gradient, found = jax.jit(jax.grad(there_and_back, has_aux=True))(jnp.asarray(numbers((BATCH, *case.shape), 0.0)))
    close(found, f"{name}.output")
    close(gradient, f"{name}.gradient")


def test_a_network_of_pytorchs_tensors(write: Callable[..., Path]) -> None:
    """Kernels of one axis, the order of a flattened signal, the parts of an attention: all by their names."""
    graph = load(write(NETWORK)).graph()
    layouts, naming = orders(graph), namings(graph, {})[PLAIN]
    assert naming.keys() == SHAPES.keys()
    arrays = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        array = 0.4 * numbers(shape, float(number))
        array = array**2 + 0.5 if name.endswith("var") else array
        slot = naming[name]
        arrays[slot.name] = jnp.asarray(from_torch(array, slot.weight, order_of(slot.node, layouts)))
    pure, params, statistics = split(build(graph))
    assert arrays.keys() == {**params, **statistics}.keys()
    given = [{name: arrays[name] for name in names} for names in (params, statistics)]
    found, _ = jax.jit(partial(pure.apply, train=False))(*given, jnp.asarray(numbers((BATCH, 16, 2), 0.0)))
    close(found, "network")

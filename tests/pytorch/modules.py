"""Modules whose arrays are those of the record."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from archspec.layers import Layer
from archspec.types import TensorType
from tests.pytorch.cases import numbers


def with_weights(layer: Layer, inputs: tuple[TensorType, ...], factor: float = 1.0) -> Any:
    """The layer's module with weights by the rule: the first array at offset 1, the second at 2."""
    # Initialisers compile for each shape: they run only where statistics keep what they give.
    weights = layer.weights(*inputs)
    if all(weight.role == "trainable" for weight in weights):
        module: Any = nnx.eval_shape(lambda: layer.build(inputs, nnx.Rngs(0)))
    else:
        module = layer.build(inputs, nnx.Rngs(0))
    for offset, weight in enumerate((weight for weight in weights if weight.role == "trainable"), 1):
        *parts, last = weight.name.split(".")
        owner = module
        for part in parts:
            owner = getattr(owner, part)
        setattr(owner, last, nnx.Param(jnp.asarray(factor * numbers(weight.shape, float(offset)))))
    return module

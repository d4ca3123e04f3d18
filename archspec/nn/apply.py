"""A function without weights as a module, so that every node of a network is a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


class Apply(nnx.Module):
    """Calls a pure function of arrays, with the options that its kind asks for."""

    def __init__(self, function: Callable[..., jax.Array]) -> None:
        self.function = function

    def __call__(self, *inputs: jax.Array, **options: Any) -> jax.Array:
        return self.function(*inputs, **options)

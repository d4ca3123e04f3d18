"""The base class of initialisers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.kinds import Kind

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Initialiser(Kind):
    """Base of all initialisers: how a layer's weights are drawn before training."""

    def build(self) -> Initializer:
        """The JAX initialiser: a function of key, shape and dtype."""
        raise NotImplementedError

"""Rectified linear unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class Relu(Activation):
    """max(0, x) (Nair & Hinton 2010)."""

    from_output: ClassVar[bool] = True

    def floor(self) -> float:
        return 0.0

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.relu

"""Logarithm of softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layers._activation import Activation


class LogSoftmax(Activation):
    """x_c − log Σ exp(x), over the last axis.

    Before `cross_entropy` it changes nothing, since the loss's own softmax of it gives the same; it may be left out.
    """

    full_precision: ClassVar[bool] = True
    from_output: ClassVar[bool] = True
    operations: ClassVar[int] = 5

    def function(self) -> Callable[[Any], Any]:
        import jax

        return jax.nn.log_softmax

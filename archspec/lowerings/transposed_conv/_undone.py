"""The convolution that a transposed one undoes, whose directions are its own exchanged.

y = Tx is that convolution's gradient by its input, of x; x̄ is the convolution of ȳ; and K̄ is its kernel's gradient,
of ȳ as its input and x as its output's gradient, with channels and filters exchanged.
"""

from __future__ import annotations

from types import ModuleType

import jax
import jax.numpy as jnp

from archspec.lowerings.case import Case, Direction

EXCHANGED: dict[Direction, Direction] = {"forward": "input", "input": "forward", "kernel": "kernel"}


def undone(case: Case) -> Case:
    """The convolution of a transposed one's output."""
    return case._replace(operation="conv", size=case.output, channels=case.filters, filters=case.channels)


class Undone:
    """A candidate for convolutions as one for transposed ones."""

    def __init__(self, candidate: ModuleType) -> None:
        self.candidate = candidate

    def fits(self, case: Case, direction: Direction) -> bool:
        """Where it fits the convolution."""
        return bool(self.candidate.fits(undone(case), EXCHANGED[direction]))

    def forward(self, x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
        """y[i·S + d·t − P] += x[i]·K[t]."""
        y: jax.Array = self.candidate.input_gradient(x, jnp.swapaxes(kernel, -1, -2), undone(case))
        return y

    def input_gradient(self, gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
        """x̄[i] = Σ ȳ[i·S + d·t − P]·K[t]ᵀ."""
        found: jax.Array = self.candidate.forward(gradient, jnp.swapaxes(kernel, -1, -2), undone(case))
        return found

    def kernel_gradient(self, x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
        """K̄[t] = Σ x[i]ᵀ·ȳ[i·S + d·t − P]."""
        return jnp.swapaxes(self.candidate.kernel_gradient(gradient, x, undone(case)), -1, -2)

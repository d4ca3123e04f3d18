"""Networks with chosen lowerings give the values and gradients of those that leave all to the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from archspec.loading import load
from archspec.lower import Arrays, outline
from archspec.lowerings.case import Case
from archspec.lowerings.choosing import BY_LIBRARY, Choice, Lowerings

Write = Callable[..., Path]

SPEC = """
input: {height: 6, width: 6, channels: 3}
layers:
  - conv: {filters: 4, kernel: 1}
  - conv: {filters: 4, kernel: 3, pad: 1, stride: 2}
  - conv: {filters: 2, kernel: 1, stride: 2, bias: false}
  - transposed_conv: {filters: 3, kernel: [2, 3], stride: [2, 3], pad: [[0, 0], [0, 1]]}
"""


class Products(Lowerings):
    """Takes products wherever they fit."""

    def __init__(self) -> None:
        super().__init__(None)

    def of(self, case: Case) -> Choice:
        self.given[case] = Choice("product", "product", "product")
        return super().of(case)


def test_chosen_candidates_have_the_librarys_values_and_gradients(write: Write) -> None:
    pure, shapes, _ = outline(load(write(SPEC)).graph())
    draw = np.random.default_rng(0)
    params = {name: jnp.asarray(draw.normal(size=value.shape), jnp.float32) for name, value in shapes.items()}
    x = jnp.asarray(draw.normal(size=(2, 6, 6, 3)), jnp.float32)

    def computed(lowerings: Lowerings) -> tuple[jax.Array, tuple[Arrays, jax.Array]]:
        def loss(params: Arrays, x: jax.Array) -> jax.Array:
            y, _ = pure.apply(params, {}, x, train=True, lowerings=lowerings)
            assert isinstance(y, jax.Array)
            return jnp.square(y).sum()

        return jax.jit(jax.value_and_grad(loss, (0, 1)))(params, x)

    chosen = Products()
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * abs(theirs).max()),
        computed(chosen),
        computed(BY_LIBRARY),
    )
    taken = {case.kernel: choice for case, choice in chosen.taken.items()}
    assert taken == {
        (1, 1): Choice("product", "product", "product"),
        (3, 3): Choice(),
        (2, 3): Choice("product", "product", "product"),
    }  # what does not fit is not taken

"""A convolution of few channels as products of shifted channels with one tap's weights, added up.

y[i] = Σ over taps t and channels c of x[i·S + d·t − P, c]·K[t, c]: a sum that XLA makes one loop of, which reads each
number as it lies and keeps what it adds up in registers, filters innermost. Libraries of convolutions put channels side
by side, and one or three fill no register. The border is written out before, as `shifts` does.

Within a network XLA would compute such a sum anew in each operation that uses it, the gradients of its activation and
of its pooling among them, or hand its additions one by one to the library that pools (LeNet-5, batch 128, jaxlib
0.10.2: 41 in place of 24 ms a step). So it is made in a loop over parts of the batch, which nothing is fused with.
"""

from __future__ import annotations

from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from archspec.lowerings.case import Case, Direction
from archspec.lowerings.conv._windows import made_once, padded, under

TERMS = 80
"""At most so many products are added up: they are written one by one into the program."""


def fits(case: Case, direction: Direction) -> bool:
    """Where there are few channels and taps, and no groups."""
    return case.groups == 1 and case.channels * prod(case.kernel) <= TERMS


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y[i] = Σ x[i·S + d·t − P, c]·K[t, c], summed in float32 at least."""
    kind = jnp.promote_types(x.dtype, jnp.float32)
    weights = kernel.astype(kind)

    def summed(x: jax.Array) -> jax.Array:
        seen = made_once(padded(x, case.padding))
        total = jnp.zeros((x.shape[0], *case.output, case.filters), kind)
        for tap in product(*map(range, case.kernel)):
            pixels = under(seen, tap, case).astype(kind)
            for channel in range(case.channels):
                total = total + pixels[..., channel : channel + 1] * weights[tap][channel]
        return total.astype(x.dtype)

    if case.batch == 1:
        return made_once(summed(x))
    parts = next(count for count in range(2, case.batch + 1) if case.batch % count == 0)
    y: jax.Array = lax.map(summed, x.reshape(parts, case.batch // parts, *x.shape[1:]))
    return y.reshape(case.batch, *y.shape[2:])

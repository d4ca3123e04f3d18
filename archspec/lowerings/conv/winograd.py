"""3×3 convolutions by Winograd's minimal filtering, F(2×2, 3×3): 16 products in place of 36 for each 2×2 outputs.

With tiles d of 4×4 inputs, g of 3×3 taps and ȳ of 2×2 gradients, summed over channels or pixels by 16 matrix products,

    y = Aᵀ[(Gg Gᵀ) ⊙ (Bᵀd B)]A        K̄ = Gᵀ[(Bᵀd B) ⊙ (A ȳ Aᵀ)]G

and the input's gradient is y of ȳ with the kernel turned round. All constants are 0, ±1 and ±½, so the rounding is
that of a few more additions. The matrix products are of plain shapes, which every library of them has at full speed,
unlike a kernel's gradient as a convolution. What makes it fast is that tiles are made block by block, as many as a
core's cache holds, in a `lax.scan`: all at once they are four times the map, and reading them costs more than the
products.

A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016), arXiv:1509.09308, sections 4.1 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from archspec.lowerings.case import Case, Direction, Sides
from archspec.lowerings.conv._windows import made_once, padded

CACHED = 2 << 20
"""Bytes of tiles in a block: what a core's second cache holds."""

REUSED = 2
"""Of a kernel's gradient: a block's tiles are so many times as large as the sums that they are added to, at least."""

WIDE = 64
"""Channels and filters from which 16 products one by one are faster than one batched product."""


def fits(case: Case, direction: Direction) -> bool:
    """Where kernels are 3×3, and there are neither strides nor dilation nor groups."""
    return (
        case.kernel == (3, 3)
        and case.stride == case.dilation == (1, 1)
        and case.groups == 1
        and (direction != "input" or all(side <= 2 for sides in case.padding for side in sides))
    )


def forward(x: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """y = Aᵀ[(Gg Gᵀ) ⊙ (Bᵀd B)]A."""
    taps = _taps(kernel)
    return _filtered(x, _listed(taps), case.padding, transposed=False)


def input_gradient(gradient: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """x̄, which is y of the gradient and the kernel turned round, filters and channels exchanged."""
    taps = _taps(kernel)
    # G turned round is G with its rows in another order.
    turned = (3, 1, 2, 0)
    sides = tuple((2 - before, 2 - after) for before, after in case.padding)
    return _filtered(gradient, [taps[i][j] for i in turned for j in turned], sides, transposed=True)


def kernel_gradient(x: jax.Array, gradient: jax.Array, case: Case) -> jax.Array:
    """K̄ = Gᵀ[(Bᵀd B) ⊙ (A ȳ Aᵀ)]G, where ⊙ sums over all tiles.

    The 16 products are taken in a loop, so that one is compiled: its tiles are sums of four parts of a map, with
    weights and places that are looked up.
    """
    many = case.channels, case.filters
    blocks = _blocks(case.batch, case.output, sum(many), REUSED * 16 * many[0] * many[1] * 4)
    seen = _laid(x, case.padding, blocks, 2)
    back = _laid(gradient, ((0, 0), (0, 0)), blocks, 0)
    kind = _sums(gradient.dtype)

    def multiplied(tiles: jax.Array, parts: jax.Array, of: _Parts, of_parts: _Parts) -> jax.Array:
        first, second = _tile(tiles, of, blocks), _tile(parts, of_parts, blocks)
        return lax.dot_general(first, second, (((0,), (0,)), ((), ())), preferred_element_type=kind)

    def add(sums: jax.Array, index: jax.Array) -> tuple[jax.Array, None]:
        tiles, parts = _block(seen, index, blocks, 2), _block(back, index, blocks, 0)

        def one(sums: jax.Array, of: tuple[jax.Array, _Parts, _Parts]) -> tuple[jax.Array, None]:
            place, *found = of
            own = lax.dynamic_index_in_dim(sums, place, keepdims=False)
            return lax.dynamic_update_index_in_dim(sums, own + multiplied(tiles, parts, *found), place, 0), None

        return lax.scan(one, sums, (jnp.arange(16, dtype=jnp.uint32), _B, _A))

    if blocks.many > 1:
        sums, _ = lax.scan(add, jnp.zeros((16, *many), kind), jnp.arange(blocks.many))
    else:
        tiles, parts = (_block(whole, jnp.zeros((), jnp.int32), blocks, n) for whole, n in ((seen, 2), (back, 0)))
        sums = lax.map(lambda of: multiplied(tiles, parts, *of), (_B, _A))
    found = jnp.matmul(np.kron(_G, _G).T.astype(kind), sums.reshape(16, -1))
    return found.reshape(3, 3, *many).astype(gradient.dtype)


def _sums(kind: Any) -> Any:
    """The type that transforms and sums are computed in."""
    return jnp.promote_types(kind, jnp.float32)


def _taps(kernel: jax.Array) -> list[list[jax.Array]]:
    """Gg Gᵀ, a 4×4 square of (C, filters)."""
    kernel = kernel.astype(_sums(kernel.dtype))
    return _both(_g, [[kernel[i, j] for j in range(3)] for i in range(3)])


class _Blocks(NamedTuple):
    """How tiles are divided: so many `images` or tile rows (`high`) of one image each, of `groups` × `bands` blocks."""

    images: int
    high: int
    wide: int
    groups: int
    bands: int

    @property
    def many(self) -> int:
        return self.groups * self.bands


def _blocks(batch: int, output: Sequence[int], channels: int, least: int) -> _Blocks:
    """Blocks whose tiles of so many channels are about what the cache holds, or the `least` bytes given."""
    high, wide = (-(-size // 2) for size in output)
    rows = max(1, max(CACHED, least) // (16 * wide * channels * 4))
    if rows < high:
        bands = -(-high // rows)
        return _Blocks(1, -(-high // bands), wide, batch, bands)
    images = max(many for many in range(1, batch + 1) if batch % many == 0 and many <= max(1, rows // high))
    return _Blocks(images, high, wide, batch // images, 1)


def _laid(x: jax.Array, sides: Sides, blocks: _Blocks, beyond: int) -> jax.Array:
    """Maps with their border, and zeros up to whole tiles."""
    whole = (2 * blocks.bands * blocks.high + beyond, 2 * blocks.wide + beyond)
    around = tuple(
        (before, to - size - before) for (before, _), size, to in zip(sides, x.shape[1:3], whole, strict=True)
    )
    # A map of its own: padding within what makes tiles would be asked about at every number of every tile.
    return made_once(padded(x, around))


def _block(x: jax.Array, index: jax.Array, blocks: _Blocks, beyond: int) -> jax.Array:
    """The part of a map that a block's tiles look at."""
    group, band = index // blocks.bands, index % blocks.bands
    size = (blocks.images, 2 * blocks.high + beyond, x.shape[2], x.shape[3])
    found = lax.dynamic_slice(x, (group * blocks.images, band * 2 * blocks.high, 0, 0), size)
    return made_once(found.astype(_sums(x.dtype)))


def _grid(x: jax.Array, blocks: _Blocks, side: int) -> list[list[jax.Array]]:
    """Number (i, j) of every tile, (tiles, C), of a block; tiles lie two apart."""

    def at(i: int, j: int) -> jax.Array:
        ends = (x.shape[0], i + 2 * blocks.high - 1, j + 2 * blocks.wide - 1, x.shape[3])
        return lax.slice(x, (0, i, j, 0), ends, (1, 2, 2, 1)).reshape(-1, x.shape[3])

    return [[at(i, j) for j in range(side)] for i in range(side)]


def _filtered(x: jax.Array, taps: list[jax.Array], sides: Sides, *, transposed: bool) -> jax.Array:
    """y of maps and 16 transformed taps (C, F), or (F, C) where they are transposed."""
    taps = [made_once(tap) for tap in taps]
    output = tuple(size + sum(pair) - 2 for size, pair in zip(x.shape[1:3], sides, strict=True))
    filters = taps[0].shape[0 if transposed else 1]
    blocks = _blocks(x.shape[0], output, x.shape[3] + filters, 0)
    seen = _laid(x, sides, blocks, 2)
    given = tuple(taps) if min(taps[0].shape) >= WIDE else (jnp.stack(taps),)

    def made(carry: None, index: jax.Array) -> tuple[None, jax.Array]:
        tiles = _listed(_both(_b, _grid(_block(seen, index, blocks, 2), blocks, 4)))
        products = _products(tiles, list(given), 1, 1 if transposed else 0)
        shape = (blocks.images, blocks.high, blocks.wide, filters)
        rows = _both(_a, _square([value.reshape(-1, *shape) for value in products]))
        y = jnp.stack([jnp.stack(row, 3) for row in rows], 2)
        return None, y.reshape(blocks.images, 2 * blocks.high, 2 * blocks.wide, filters).astype(x.dtype)

    if blocks.many > 1:
        _, y = lax.scan(made, None, jnp.arange(blocks.many))
    else:
        _, y = made(None, jnp.zeros((), jnp.int32))
    return y.reshape(x.shape[0], -1, 2 * blocks.wide, filters)[:, : output[0], : output[1]]


def _products(first: list[jax.Array], second: list[jax.Array], over: int, over_second: int) -> tuple[jax.Array, ...]:
    """16 matrix products, as one array or as 16."""
    single = len(second) == 16 and min(first[0].shape[1], second[0].shape[1 - over_second]) >= WIDE
    if single:
        return tuple(
            lax.dot_general(one, other, (((over,), (over_second,)), ((), ())))
            for one, other in zip(first, second, strict=True)
        )
    stacked = jnp.stack(second) if len(second) == 16 else second[0]
    numbers = (((1 + over,), (1 + over_second,)), ((0,), (0,)))
    return (lax.dot_general(jnp.stack(first), stacked, numbers),)


def _square(values: list[jax.Array]) -> list[list[jax.Array]]:
    """Sixteen numbers, given as one array of 16 or as 16 of one, in four rows."""
    flat = [value[place] for value in values for place in range(value.shape[0])]
    return [flat[4 * i : 4 * i + 4] for i in range(4)]


def _listed(square: list[list[jax.Array]]) -> list[jax.Array]:
    return [value for row in square for value in row]


class _Parts(NamedTuple):
    """The four parts of a map that a number of transformed tiles is a sum of, for each of the 16 numbers.

    `places` is (16, 4, 4): of a part the offset and the phase of its rows and of its columns, which lie two apart;
    `weights` is (16, 4).
    """

    places: Any
    weights: Any


def _parts(rows: Sequence[tuple[int, int, int, int]]) -> _Parts:
    """Of M·X·Mᵀ, where rows of M have numbers at two places: the places, then the numbers."""
    places, weights = [], []
    for down, across in product(rows, rows):
        for i, j in product(range(2), range(2)):
            places.append((*divmod(down[i], 2), *divmod(across[j], 2)))
            weights.append(down[2 + i] * across[2 + j])
    return _Parts(np.array(places, np.uint32).reshape(16, 4, 4), np.array(weights, np.float32).reshape(16, 4))


_B = _parts([(0, 2, 1, -1), (1, 2, 1, 1), (2, 1, 1, -1), (1, 3, 1, -1)])
_A = _parts([(0, 1, 1, 0), (0, 1, 1, 1), (0, 1, 1, -1), (0, 1, 0, -1)])
_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def _tile(x: jax.Array, of: _Parts, blocks: _Blocks) -> jax.Array:
    """One of the 16 numbers of every transformed tile of a block, (tiles, C)."""
    phases = x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2, x.shape[3])
    size = (blocks.images, blocks.high, 1, blocks.wide, 1, x.shape[3])
    zero = np.uint32(0)
    total = jnp.zeros((), x.dtype)
    for part in range(4):
        down, down_phase, across, across_phase = (of.places[part, own] for own in range(4))
        at = (zero, down, down_phase, across, across_phase, zero)
        total = total + of.weights[part].astype(x.dtype) * lax.dynamic_slice(phases, at, size)
    return total.reshape(-1, x.shape[3])


_Line = list[jax.Array]


def _both(along: Callable[[_Line], _Line], square: list[_Line]) -> list[_Line]:
    """M·X·Mᵀ, where `along` is M of a column."""
    columns = [along([row[j] for row in square]) for j in range(len(square[0]))]
    return [along([column[i] for column in columns]) for i in range(len(columns[0]))]


def _b(d: _Line) -> _Line:
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _g(k: _Line) -> _Line:
    half = 0.5 * (k[0] + k[2])
    return [k[0], half + 0.5 * k[1], half - 0.5 * k[1], k[2]]


def _a(m: _Line) -> _Line:
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]

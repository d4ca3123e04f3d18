"""Operations that RandAugment and TrivialAugment choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import jax

    from archspec.augmentations._base import Size

GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
SIGNED_COLOURS = ("brightness", "saturation", "contrast", "sharpness")
OPERATIONS = ("identity", *GEOMETRIC, *SIGNED_COLOURS, "posterise", "solarise", "autocontrast", "equalise")
"""Fourteen, in torchvision's order. Of those that are geometric or have a factor, a magnitude is of either sign."""

SIGNED = frozenset({*GEOMETRIC, *SIGNED_COLOURS})


class Ranges(NamedTuple):
    """Magnitudes of the operations at the strongest: shear as a slope, moves as shares of width and height or in
    pixels, a turn in degrees, factors from 1, and how many bits posterising takes away.
    """

    shear: float
    translate: float
    in_pixels: bool
    rotate: float
    factor: float
    bits: int


def matrix_of(operation: jax.Array, amount: jax.Array, ranges: Ranges, size: Size) -> jax.Array:
    """The matrix (2, 3) of places, as `nn.warping.warped` takes it; `amount` is −1 to 1 of the strongest.

    Shears hold the top or the left edge, moves are of whole pixels, both as in torchvision.
    """
    import jax
    import jax.numpy as jnp

    height, width = size
    slope = ranges.shear * amount
    steps = [ranges.translate * (1 if ranges.in_pixels else side) * amount for side in (width, height)]
    right, down = (jnp.trunc(step) for step in steps)
    angle = jnp.radians(ranges.rotate * amount)
    cos, sin, one, zero = jnp.cos(angle), jnp.sin(angle), jnp.ones_like(amount), jnp.zeros_like(amount)
    rows = {
        "identity": (one, zero, zero, zero, one, zero),
        "shear_x": (one, slope, slope * height / 2, zero, one, zero),
        "shear_y": (one, zero, zero, slope, one, slope * width / 2),
        "translate_x": (one, zero, -right, zero, one, zero),
        "translate_y": (one, zero, zero, zero, one, -down),
        "rotate": (cos, -sin, zero, sin, cos, zero),
    }
    # All others leave places as they are.
    made = jnp.stack([jnp.stack(row) for row in rows.values()])
    known = jnp.where(operation < len(rows), operation, 0)
    matrix: jax.Array = jax.lax.dynamic_index_in_dim(made, known, keepdims=False).reshape(2, 3)
    return matrix


def coloured(image: jax.Array, operation: jax.Array, amount: jax.Array, ranges: Ranges) -> jax.Array:
    """The image after an operation on its colours; as it is where the operation is none."""
    import jax
    import jax.numpy as jnp

    from archspec.nn import colours

    factor, strength = 1 + ranges.factor * amount, jnp.abs(amount)
    changes: list[Callable[[Any], Any]] = [
        lambda own: own,
        lambda own: colours.brightness(own, factor),
        lambda own: colours.saturation(own, factor),
        lambda own: colours.contrast(own, factor),
        lambda own: colours.sharpness(own, factor),
        lambda own: colours.posterised(own, 8 - jnp.round(ranges.bits * strength)),
        lambda own: colours.solarised(own, 1 - strength),
        colours.autocontrast,
        colours.equalised,
    ]
    made: jax.Array = jax.lax.switch(jnp.maximum(operation - len(GEOMETRIC), 0), changes, image)
    return made


def operation_said(operation: Any, amount: Any) -> str:
    """An operation in words, with its amount where it has one."""
    name = OPERATIONS[int(operation)]
    without = name in ("identity", "autocontrast", "equalise")
    return name.replace("_", " ") + ("" if without else f" {float(amount):+.2f}")


def signed(operation: jax.Array, amount: jax.Array, negative: jax.Array) -> jax.Array:
    """An amount with the sign that was drawn, where an operation takes one."""
    import jax.numpy as jnp

    takes = jnp.asarray([name in SIGNED for name in OPERATIONS])[operation]
    return jnp.where(takes & negative, -amount, amount)

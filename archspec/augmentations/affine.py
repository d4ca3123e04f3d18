"""Affine distortion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from archspec.augmentations._base import (
    Augmentation,
    Fill,
    Interpolation,
    Size,
    Span,
    Way,
    fill_fault,
    fill_of,
    labels_fill,
)
from archspec.fields import NonNegativeNumber, is_number

if TYPE_CHECKING:
    import jax


def _read_pair(value: Any) -> Any:
    numbers = value if isinstance(value, (list, tuple)) else (value, value)
    if len(numbers) == 2 and all(is_number(number) and number >= 0 for number in numbers):
        return tuple(float(number) for number in numbers)
    raise PydanticCustomError("amounts", "must be a number of 0 or more, or two of them: [height, width]")


Amounts = Annotated[
    tuple[float, float],
    BeforeValidator(_read_pair),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""How much, over height and width: one number for both, or [height, width]."""


class Affine(Augmentation):
    """Turns, moves, scales and shears images about their middles, each by an amount drawn for itself.

    The image is sheared, scaled, turned and then moved, as in torchvision's `affine`.
    """

    rotate: Annotated[NonNegativeNumber, Field(le=180, description="the largest angle, either way, in degrees")] = 0.0
    translate: Annotated[
        Amounts, Field(description="the largest move, either way, in shares of height and width: a number or a pair")
    ] = (0.0, 0.0)
    scale: Annotated[Span, Field(description="how many times as large, [least, most]")] = (1.0, 1.0)
    shear: Annotated[
        Amounts,
        Field(description="the largest angle of shear, either way, in degrees: along both axes, or [height, width]"),
    ] = (0.0, 0.0)
    interpolation: Interpolation = "bilinear"
    fill: Fill = "mean"

    @model_validator(mode="after")
    def _check(self) -> Affine:
        if self.scale[0] <= 0:
            raise ValueError("`scale` is two numbers above 0: [0.9, 1.1]")
        if max(self.translate) > 1:
            raise ValueError("`translate` is in shares of the image, from 0 to 1: 0.1 is a tenth")
        if max(self.shear) >= 90:
            raise ValueError("`shear` is in degrees, below 90")
        if not self.rotate and not any(self.translate) and self.scale == (1, 1) and not any(self.shear):
            raise ValueError("nothing is changed: give `rotate`, `translate`, `scale` or `shear`")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        there: dict[Way, bool] = {
            "turns": bool(self.rotate or any(self.shear)),
            "moves": any(self.translate),
            "scales": self.scale != (1, 1),
        }
        return tuple(way for way, is_there in there.items() if is_there)

    def fault(self, size: Size, channels: int) -> str | None:
        return fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        least = jnp.asarray([-1, -1, -1, -1, -1, 0], jnp.float32)
        angle, down, right, tall, wide, scale = jax.random.uniform(key, (6,), minval=least, maxval=1.0)
        return {
            "angle": jnp.radians(self.rotate) * angle,
            "translate": jnp.stack([self.translate[1] * right, self.translate[0] * down]),
            "scale": self.scale[0] + (self.scale[1] - self.scale[0]) * scale,
            "shear": jnp.radians(jnp.stack([self.shear[1] * wide, self.shear[0] * tall])),
        }

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import warped

        return warped(image, _matrix(drawn, image), self.interpolation, fill_of(self.fill, mean))

    def said(self, drawn: Any, size: Size) -> str:
        from math import degrees

        right, down = (own * side for own, side in zip(drawn["translate"], reversed(size), strict=True))
        parts = [
            (self.rotate, f"turned {degrees(drawn['angle']):+.0f}°"),
            (any(self.translate), f"moved {right:+.1f}, {down:+.1f}"),
            (self.scale != (1, 1), f"×{drawn['scale']:.2f}"),
            (any(self.shear), f"sheared {degrees(drawn['shear'][0]):+.0f}°, {degrees(drawn['shear'][1]):+.0f}°"),
        ]
        return ", ".join(words for there, words in parts if there)

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import warped

        fill = labels_fill(self.fill, uncounted)
        return warped(labels, _matrix(drawn, labels), "nearest", fill)


def _matrix(drawn: Any, image: jax.Array) -> jax.Array:
    import jax.numpy as jnp

    from archspec.nn.warping import inverse_affine

    move = drawn["translate"] * jnp.asarray((image.shape[1], image.shape[0]), jnp.float32)
    return inverse_affine(drawn["angle"], move, drawn["scale"], drawn["shear"])

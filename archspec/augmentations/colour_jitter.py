"""Random colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from archspec.augmentations._base import Augmentation, Size
from archspec.fields import NonNegativeNumber, is_number

if TYPE_CHECKING:
    import jax


def _read_factor(value: Any) -> Any:
    if is_number(value) and value >= 0:
        return (max(0.0, 1 - value), 1.0 + value)
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(is_number, value)):
        low, high = value
        if 0 <= low <= high:
            return (float(low), float(high))
    raise PydanticCustomError("factor", "must be a number of 0 or more, or the two factors between which: [0.6, 1.4]")


Factor = Annotated[
    tuple[float, float],
    BeforeValidator(_read_factor),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""x for factors between 1 − x, but not below 0, and 1 + x; or the two between which one is drawn."""

STAY = (1.0, 1.0)


class ColourJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue by factors drawn for each, in an order drawn too.

    As in torchvision's `ColorJitter`: brightness is away from black or towards it, contrast from the mean brightness,
    saturation from each pixel's brightness; hue turns on the circle of HSV. Images of one channel have brightness
    and contrast.
    """

    brightness: Annotated[Factor, Field(description="x for a factor from 1 − x to 1 + x, or [low, high]")] = STAY
    contrast: Annotated[Factor, Field(description="the same, of the contrast")] = STAY
    saturation: Annotated[Factor, Field(description="the same, of the colours")] = STAY
    hue: Annotated[NonNegativeNumber, Field(le=0.5, description="the largest turn, either way; a half is all")] = 0.0

    @model_validator(mode="after")
    def _check(self) -> ColourJitter:
        if not self._changes:
            raise ValueError("nothing is changed: give `brightness`, `contrast`, `saturation` or `hue`")
        return self

    @property
    def _changes(self) -> tuple[str, ...]:
        there = {name: getattr(self, name) != STAY for name in ("brightness", "contrast", "saturation")}
        return tuple(name for name, is_there in {**there, "hue": self.hue > 0}.items() if is_there)

    def fault(self, size: Size, channels: int) -> str | None:
        coloured = [name for name in self._changes if name in ("saturation", "hue")]
        if coloured and channels != 3:
            return f"`{coloured[0]}` is of colours, and the input has {channels} channel{'s' * (channels != 1)}"
        return None

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        factors, order = jax.random.split(key)
        spans = {**{name: getattr(self, name) for name in self._changes if name != "hue"}, "hue": (-self.hue, self.hue)}
        low, high = jnp.asarray([spans[name] for name in self._changes], jnp.float32).T
        drawn = jax.random.uniform(factors, (len(self._changes),), minval=low, maxval=high)
        return drawn, jax.random.permutation(order, len(self._changes))

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from functools import partial

        import jax

        from archspec.nn import colours

        factors, order = drawn

        def change(index: int, own: jax.Array) -> jax.Array:
            made: jax.Array = getattr(colours, self._changes[index])(own, factors[index])
            return made

        changes = [partial(change, index) for index in range(len(self._changes))]
        for index in range(len(changes)):
            image = jax.lax.switch(order[index], changes, image) if len(changes) > 1 else changes[0](image)
        return image

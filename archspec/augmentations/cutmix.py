"""A box of another image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Mixing, Size
from archspec.fields import PositiveNumber

if TYPE_CHECKING:
    import jax


class Cutmix(Mixing):
    """A box of another sample of the batch is pasted over the image, targets by area (Yun et al. 2019).

    The box has 1 − λ of the area and the image's shape, λ being Beta(α, α), and lies about a pixel drawn anywhere; what
    reaches beyond the border is cut off, and the shares are those of the pixels that are left.
    """

    main: ClassVar[str] = "alpha"

    alpha: Annotated[PositiveNumber, Field(description="α: 1 for boxes whose area is uniform")] = 1.0

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        share, place = jax.random.split(key)
        side = jnp.sqrt(1 - jax.random.beta(share, self.alpha, self.alpha))
        return side, jax.random.uniform(place, (2,))

    def said(self, drawn: Any, size: Size) -> str:
        return f"cutmix {float(self.share(drawn, size)):.2f}"

    def mixed(self, drawn: Any, own: jax.Array, other: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        return jnp.where(_box(drawn, (own.shape[0], own.shape[1]))[..., None], other, own)

    def share(self, drawn: Any, size: Size) -> jax.Array:
        import jax.numpy as jnp

        return 1 - _box(drawn, size).mean(dtype=jnp.float32)


def _box(drawn: Any, size: Size) -> jax.Array:
    """Which pixels (H, W) are the other image's."""
    import jax.numpy as jnp

    side, middle = drawn
    inside = []
    for axis, length in enumerate(size):
        extent = jnp.floor(length * side)
        begin = jnp.floor(length * middle[axis]) - jnp.floor(extent / 2)
        places = jnp.arange(length)
        inside.append((places >= begin) & (places < begin + extent))
    return inside[0][:, None] & inside[1]

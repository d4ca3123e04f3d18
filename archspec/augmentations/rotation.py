"""Turning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Fill, Interpolation, Size, Way, fill_fault, fill_of, labels_fill
from archspec.fields import PositiveNumber

if TYPE_CHECKING:
    import jax


class Rotation(Augmentation):
    """Turns images about their middles by an angle between −degrees and degrees."""

    main: ClassVar[str] = "degrees"

    degrees: Annotated[PositiveNumber, Field(le=180, description="the largest angle, either way; up to 180")]
    interpolation: Interpolation = "bilinear"
    fill: Fill = "mean"

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("turns",)

    def fault(self, size: Size, channels: int) -> str | None:
        return fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        angle = jnp.radians(jax.random.uniform(key, minval=-self.degrees, maxval=self.degrees))
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)])

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import warped

        return warped(image, _matrix(drawn), self.interpolation, fill_of(self.fill, mean))

    def said(self, drawn: Any, size: Size) -> str:
        from math import atan2, degrees

        return f"turned {degrees(atan2(drawn[1], drawn[0])):+.0f}°"

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import warped

        fill = labels_fill(self.fill, uncounted)
        return warped(labels, _matrix(drawn), "nearest", fill)


def _matrix(drawn: Any) -> jax.Array:
    import jax.numpy as jnp

    cos, sin = drawn[0], drawn[1]
    return jnp.stack([jnp.stack([cos, -sin, 0.0 * cos]), jnp.stack([sin, cos, 0.0 * cos])])

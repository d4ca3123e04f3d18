"""Mirroring, left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Share, Size, Way

if TYPE_CHECKING:
    import jax


class HorizontalFlip(Augmentation):
    """Mirrors images, left to right."""

    main: ClassVar[str] = "probability"

    probability: Annotated[Share, Field(description="share of the samples that are mirrored")] = 0.5

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("mirrors",)

    def draw(self, key: jax.Array, size: Size) -> Any:
        return ()

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        return image[:, ::-1]

    def said(self, drawn: Any, size: Size) -> str:
        return "mirrored"

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        return labels[:, ::-1]

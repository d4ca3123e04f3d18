"""Mixtures of two images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Mixing, Size
from archspec.fields import PositiveNumber

if TYPE_CHECKING:
    import jax


class Mixup(Mixing):
    """λ·a + (1 − λ)·b of a sample and another of its batch, targets too; λ is Beta(α, α) (Zhang et al. 2018)."""

    main: ClassVar[str] = "alpha"
    blends: ClassVar[bool] = True

    alpha: Annotated[PositiveNumber, Field(description="α: the larger, the more alike are the shares of both")] = 0.2

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax

        return jax.random.beta(key, self.alpha, self.alpha)

    def said(self, drawn: Any, size: Size) -> str:
        return f"mixup {float(self.share(drawn, size)):.2f}"

    def mixed(self, drawn: Any, own: jax.Array, other: jax.Array) -> jax.Array:
        made: jax.Array = drawn * own + (1 - drawn) * other
        return made

    def share(self, drawn: Any, size: Size) -> jax.Array:
        share: jax.Array = drawn
        return share

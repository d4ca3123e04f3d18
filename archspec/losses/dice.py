"""Dice loss."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.fields import Flag, NonNegativeNumber
from archspec.losses._base import Form, Link, Loss, softplus
from archspec.losses._targets import whole

if TYPE_CHECKING:
    import jax


class Dice(Loss):
    """1 − (2·Σ p·t + s)/(Σ p² + Σ t² + s) of each class, the sums over an image's pixels (Milletari et al. 2016).

    p are the probabilities, t the truths, 0 or 1. An image has one loss, the mean over the classes, and counts once,
    however many of its pixels are labelled: so the loss of a set of images is the mean over them, in whatever batches
    they come. An image none of whose pixels is labelled does not count. Where each sample has one label, the sums are
    over it alone.
    """

    takes: ClassVar[tuple[Form, ...]] = ("classes", "numbers")
    takes_shares: ClassVar[bool] = True

    smooth: Annotated[
        NonNegativeNumber, Field(description="s: the larger, the less a class with few pixels weighs")
    ] = 1.0
    squared: Annotated[
        Flag, Field(description="squares in the denominator, as Milletari et al. have them; otherwise Σ p + Σ t")
    ] = True
    background: Annotated[Flag, Field(description="whether class 0 is among the classes of the mean")] = True
    apply: Annotated[
        Literal["softmax", "sigmoid"],
        Field(description="what makes probabilities of outputs: of classes of which one holds, or of each alone"),
    ] = "softmax"

    @property
    def link(self) -> Link:
        return self.apply

    def least(self, low: float, high: float, width: int) -> float:
        # 2Σpt/(Σp² + Σt²) where p is this for every right pixel and 0 for all others; s is little to many pixels.
        p = 1 / (1 + (width - 1) * exp(low - high)) if self.apply == "softmax" else exp(-softplus(-high))
        return 1 - 2 * p / ((p * p if self.squared else p) + 1)

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        import jax.numpy as jnp

        def loss(output: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            truths, counts = whole(output, target)
            found = jnp.where(counts[..., None], self.linked(output), 0.0)
            pixels = tuple(range(1, output.ndim - 1))
            power = 2 if self.squared else 1
            common = jnp.sum(found * truths, pixels)
            both = jnp.sum(found**power, pixels) + jnp.sum(truths**power, pixels)
            # Without `smooth`, a class that is neither there nor guessed at all is right.
            empty = (both + self.smooth) == 0
            score = jnp.where(empty, 1.0, (2 * common + self.smooth) / jnp.where(empty, 1.0, both + self.smooth))
            first = 0 if self.background or output.shape[-1] == 1 else 1
            weights = counts.any(pixels).astype(output.dtype)
            return weights * (1 - score[..., first:].mean(-1)), weights

        return loss

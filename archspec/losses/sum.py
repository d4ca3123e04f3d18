"""A sum of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from archspec.diagnostics import count
from archspec.fields import PositiveNumber
from archspec.kinds import kinds_of
from archspec.losses._base import Form, Link, Loss

if TYPE_CHECKING:
    import jax
    import numpy as np

TINY = 1e-30


class Sum(Loss):
    """The sum of several losses of one output, each by its weight: `sum: [cross_entropy, dice]`.

    Each is the mean over what counts for it, so that one of each pixel goes with one of each image.
    """

    main = "losses"

    losses: Annotated[
        tuple[Loss, ...],
        *kinds_of("losses"),
        Field(min_length=1, description="the losses, which all apply the same to the output"),
    ]
    weights: Annotated[
        tuple[PositiveNumber, ...] | None, Field(description="what each is multiplied by; 1 each if left out")
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Sum:
        if self.weights is not None and len(self.weights) != len(self.losses):
            raise ValueError(
                f"`weights` has {count(len(self.weights), 'number')} for {count(len(self.losses), 'loss')}"
            )
        links = {loss.link for loss in self.losses}
        if len(links) > 1:
            said = ", ".join(f"{loss.kind} {loss.link or 'nothing'}" for loss in self.losses)
            raise ValueError(f"all must apply the same to the output: {said}")
        return self

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms of target that all of them understand."""
        return tuple(form for form in self.losses[0].forms if all(form in loss.forms for loss in self.losses))

    @property
    def shares(self) -> bool:
        return any(loss.shares for loss in self.losses)

    @property
    def link(self) -> Link | None:
        return self.losses[0].link

    @property
    def threshold(self) -> float:
        return self.losses[0].threshold

    @property
    def wants(self) -> str:
        return self.losses[0].wants

    @property
    def terms(self) -> tuple[tuple[Loss, float], ...]:
        weights = self.weights or (1.0,) * len(self.losses)
        return tuple(
            (term, weight * own) for loss, weight in zip(self.losses, weights, strict=True) for term, own in loss.terms
        )

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        return self.model_copy(update={"losses": tuple(loss.fitted(labels, classes) for loss in self.losses)})

    def least(self, low: float, high: float, width: int) -> float:
        return sum(weight * term.least(low, high, width) for term, weight in self.terms)

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """Of one batch: its loss as a single number, and 1. Those of several batches are added up term by term."""
        import jax.numpy as jnp

        terms = [(term.build(), weight) for term, weight in self.terms]

        def loss(output: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
            total = jnp.zeros(())
            for term, weight in terms:
                losses, weights = (part.sum() for part in term(output, target))
                total = total + weight * losses / jnp.maximum(weights, TINY)
            return total, jnp.ones(())

        return loss

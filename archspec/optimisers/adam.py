"""Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import PositiveNumber, Probability
from archspec.optimisers._base import Optimiser

if TYPE_CHECKING:
    import optax


USUAL_RATE = 0.001
"""Kingma & Ba's, and the default of most libraries."""


class Adam(Optimiser):
    """Adam (Kingma & Ba 2015); weight decay is L2."""

    by_number: ClassVar[bool] = True

    learning_rate: Annotated[PositiveNumber, Field(description="peak step size, scaled by the schedule")] = USUAL_RATE
    beta1: Annotated[Probability, Field(description="decay of the mean gradient")] = 0.9
    beta2: Annotated[Probability, Field(description="decay of the mean squared gradient")] = 0.999
    epsilon: Annotated[PositiveNumber, Field(description="added to the root of the mean square")] = 1e-8

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        return optax.chain(*self.l2(), optax.adam(self.rate(schedule), self.beta1, self.beta2, self.epsilon))

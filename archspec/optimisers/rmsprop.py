"""RMSprop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.fields import PositiveNumber, Probability
from archspec.optimisers._base import Optimiser

if TYPE_CHECKING:
    import optax


class Rmsprop(Optimiser):
    """RMSprop (Hinton 2012) with momentum after the division, as in PyTorch; weight decay is L2."""

    smoothing: Annotated[Probability, Field(description="decay of the mean squared gradient")] = 0.99
    momentum: Annotated[Probability, Field(description="share of the last step that is kept")] = 0.0
    epsilon: Annotated[PositiveNumber, Field(description="added to the root of the mean square")] = 1e-8

    @property
    def slots(self) -> int:
        return 2 if self.momentum else 1

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        return optax.chain(
            *self.l2(),
            optax.scale_by_rms(self.smoothing, self.epsilon, eps_in_sqrt=False),
            *([optax.trace(self.momentum)] if self.momentum else []),
            optax.scale_by_learning_rate(self.rate(schedule)),
        )

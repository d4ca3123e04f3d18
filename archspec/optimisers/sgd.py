"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Flag, Probability
from archspec.optimisers._base import Optimiser

if TYPE_CHECKING:
    import optax


class Sgd(Optimiser):
    """Stochastic gradient descent with momentum; weight decay is L2 (PyTorch's form of the update)."""

    by_number: ClassVar[bool] = True

    momentum: Annotated[Probability, Field(description="share of the last step's direction that is kept")] = 0.9
    nesterov: Annotated[Flag, Field(description="looks ahead along the momentum (Nesterov 1983)")] = False

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        sgd = optax.sgd(self.rate(schedule), self.momentum or None, self.nesterov)
        return optax.chain(*self.l2(), sgd)

"""Lion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Probability
from archspec.optimisers._base import Optimiser

if TYPE_CHECKING:
    import optax


class Lion(Optimiser):
    """Lion, which steps by the sign of an interpolated momentum (Chen et al. 2023); weight decay is decoupled."""

    by_number: ClassVar[bool] = True

    beta1: Annotated[Probability, Field(description="weight of the momentum in the step's direction")] = 0.9
    beta2: Annotated[Probability, Field(description="decay of the momentum")] = 0.99

    @property
    def slots(self) -> int:
        return 1

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        return optax.lion(self.rate(schedule), self.beta1, self.beta2, weight_decay=self.weight_decay, mask=self.mask)

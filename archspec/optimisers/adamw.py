"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.optimisers.adam import Adam

if TYPE_CHECKING:
    import optax


class Adamw(Adam):
    """Adam with weight decay decoupled from the gradient and scaled by the learning rate (Loshchilov & Hutter 2019)."""

    by_number: ClassVar[bool] = True

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        return optax.adamw(
            self.rate(schedule),
            self.beta1,
            self.beta2,
            self.epsilon,
            weight_decay=self.weight_decay,
            mask=self.mask,
        )

"""RMSprop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.fields import PositiveNumber, Probability
from archspec.optimisers._base import Optimiser

if TYPE_CHECKING:
    import optax


class Rmsprop(Optimiser):
    """RMSprop (Hinton 2012); weight decay is L2.

    `form` says whose: PyTorch's adds epsilon to the root of the mean square, which begins at 0; TensorFlow's, with
    which Inception, MobileNet and EfficientNet were trained, adds it within the root and begins at 1. In both, momentum
    comes after the division; PyTorch's is of directions, which the learning rate then scales, TensorFlow's of steps.
    """

    by_number: ClassVar[bool] = True

    smoothing: Annotated[Probability, Field(description="decay of the mean squared gradient")] = 0.99
    momentum: Annotated[Probability, Field(description="share of the last step that is kept")] = 0.0
    epsilon: Annotated[PositiveNumber, Field(description="added to the mean square or to its root, see `form`")] = 1e-8
    form: Annotated[Literal["pytorch", "tensorflow"], Field(description="whose formula it is")] = "pytorch"

    @property
    def slots(self) -> int:
        return 2 if self.momentum else 1

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        tensorflow = self.form == "tensorflow"
        parts = [
            optax.scale_by_rms(self.smoothing, self.epsilon, float(tensorflow), eps_in_sqrt=tensorflow),
            *([optax.trace(self.momentum)] if self.momentum else []),
            optax.scale_by_learning_rate(self.rate(schedule)),
        ]
        if tensorflow and self.momentum:
            parts[1:] = parts[:0:-1]
        return optax.chain(*self.l2(), *parts)

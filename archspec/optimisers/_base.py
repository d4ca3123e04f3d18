"""The base class of optimisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.fields import NonNegativeNumber, PositiveNumber
from archspec.kinds import Kind

if TYPE_CHECKING:
    import optax


class Optimiser(Kind):
    """Base of all optimisers.

    Weight decay is either L2 regularisation, added to the gradient as in PyTorch's SGD, or decoupled from it as in
    AdamW; each optimiser says which.
    """

    main: ClassVar[str] = "learning_rate"

    learning_rate: Annotated[PositiveNumber, Field(description="peak step size; the schedule scales it")]
    weight_decay: Annotated[NonNegativeNumber, Field(description="strength of the pull towards 0")] = 0.0
    decay: Annotated[
        Literal["weights", "all"], Field(description="what decays: weights spares biases and norms, all spares nothing")
    ] = "weights"

    by_number: ClassVar[bool] = False
    """Whether each number of an array changes by its own gradient and state alone, and by no norm of the array."""

    @property
    def slots(self) -> int:
        """Numbers that the state holds for each trained weight.

        A kind from elsewhere that does not say is taken to have two, as Adam has.
        """
        return 2

    @property
    def called(self) -> str:
        """What reports of memory call it: its kind, and that its state is not known where it is not."""
        return self.kind

    def state_numbers(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """Numbers that the state holds for trained arrays of these shapes, scalars apart."""
        return self.slots * sum(map(prod, shapes))

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        """The Optax transformation; `schedule` gives the learning rate's factor at a step."""
        raise NotImplementedError

    def rate(self, schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The learning rate at a step."""
        return lambda step: self.learning_rate * schedule(step)

    def mask(self, params: dict[str, Any]) -> dict[str, bool]:
        """Which arrays decay: kernels have two or more axes, biases and norms one. Those of other groups are none."""
        return {name: self.decay == "all" or getattr(value, "ndim", 0) >= 2 for name, value in params.items()}

    def l2(self) -> list[optax.GradientTransformation]:
        """Weight decay as a term of the gradient, to stand before the optimiser; empty without decay."""
        import optax

        return [optax.add_decayed_weights(self.weight_decay, self.mask)] if self.weight_decay else []

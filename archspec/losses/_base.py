"""The base class of losses."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log1p
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from archspec.kinds import Kind

if TYPE_CHECKING:
    import jax
    import numpy as np

Link = Literal["softmax", "sigmoid"]
Form = Literal["classes", "numbers"]


class Loss(Kind):
    """Base of all losses.

    A target comes in one of two forms. *Classes*: one whole number (…) for outputs (…, classes), below 0 where it does
    not count. *Numbers*: one floating-point number for each of the output's (…, numbers), NaN where it does not count;
    of classes, those are the shares or the truth (0 or 1) of each.
    """

    takes: ClassVar[tuple[Form, ...]] = ("classes",)
    """The forms of target that a loss of this kind understands."""
    takes_shares: ClassVar[bool] = False
    """Whether numbers, where it takes them, are shares or truths of classes, from 0 to 1."""

    by_position: ClassVar[bool] = False
    """Whether each position of a map has a loss of its own, so that parts of a map add up to the loss of the whole."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms of target that it understands."""
        return self.takes

    @property
    def shares(self) -> bool:
        """Whether numbers, where it takes them, are shares or truths of classes, from 0 to 1."""
        return self.takes_shares

    @property
    def link(self) -> Link | None:
        """What the loss applies itself to an output, which is therefore best left unbounded."""
        return None

    @property
    def threshold(self) -> float:
        """The number above which an output, as the network gives it, says yes of several labels."""
        return 0.0 if self.link == "sigmoid" else 0.5

    @property
    def terms(self) -> tuple[tuple[Loss, float], ...]:
        """The losses that it is the sum of, and what each is multiplied by."""
        return ((self, 1.0),)

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """A function of outputs and targets that gives two arrays of one shape: losses, and what they weigh.

        The loss of any set of samples is the sum of the first over the sum of the second. What does not count has 0
        in both. What a label weighs depends on targets alone, so that it is known before outputs are.
        """
        raise NotImplementedError

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        """The loss with what it takes from the training labels. Raises `DataError` where they do not fit it."""
        return self

    def least(self, low: float, high: float, width: int) -> float:
        """What it cannot fall below where all of `width` outputs lie between two numbers; 0 if nothing is known."""
        return 0.0

    @property
    def wants(self) -> str:
        """What it makes of outputs, for the message that their bounds are in its way."""
        return f"applies {self.link} itself" if self.link else "wants them unbounded"

    def linked(self, output: jax.Array) -> jax.Array:
        """The output with what the loss applies to it: probabilities, or the numbers as they are."""
        import jax

        if self.link == "softmax":
            return jax.nn.softmax(output)
        return jax.nn.sigmoid(output) if self.link == "sigmoid" else output


def softplus(x: float) -> float:
    """log(1 + exp(x)), −log of the sigmoid of −x, of any size."""
    return max(x, 0.0) + log1p(exp(-abs(x)))

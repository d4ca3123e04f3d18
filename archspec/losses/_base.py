"""The base class of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from archspec.kinds import Kind

if TYPE_CHECKING:
    import numpy as np


class Loss(Kind):
    """Base of all losses."""

    takes_logits: ClassVar[bool] = True
    """It applies softmax itself, so that what it is given is best left unbounded."""

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """A function of logits (…, classes) and labels (…) that gives two arrays (…): losses, and what they weigh.

        The loss of a batch is the sum of the first over the sum of the second. A label below 0 counts for nothing: both
        are 0 there.
        """
        raise NotImplementedError

    def fitted(self, labels: np.ndarray, classes: int) -> Self:
        """The loss with what it takes from the training labels. Raises `DataError` where they do not fit it."""
        return self

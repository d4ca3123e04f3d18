"""A constant factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Number
from archspec.layers._activation import Activation
from archspec.layers._base import Example, Family


class Scale(Activation):
    """Multiplies by a number that is not trained.

    Before a residual branch is added a factor of 0.1 to 0.3 keeps training stable (Szegedy et al. 2016, section 3.3).
    `layer_scale` has factors that are trained, one for each channel.
    """

    main: ClassVar[str] = "factor"
    family: ClassVar[Family] = "other"
    linear: ClassVar[bool] = True

    factor: Annotated[Number, Field(description="what every value is multiplied by")]

    examples: ClassVar[tuple[Example, ...]] = (Example(0.1), Example(-2, ((9, 4),)), Example({"factor": 0.5}, ((7,),)))

    @property
    def passes_bounds(self) -> bool:
        return True

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        ends = [self.factor * end if self.factor else 0.0 for pair in inputs for end in pair]
        return min(ends), max(ends)

    def function(self) -> Callable[[Any], Any]:
        factor = self.factor
        return lambda x: x * factor

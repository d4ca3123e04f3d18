"""Peak signal-to-noise ratio."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from archspec.diagnostics import DataError, count
from archspec.fields import PositiveNumber
from archspec.metrics._base import Totals, Values, share
from archspec.metrics._error import ErrorMetric

if TYPE_CHECKING:
    import jax

    from archspec.types import TensorType


class Psnr(ErrorMetric):
    """10·log10(peak²/MSE) in dB, of the mean squared error over all numbers of the split, and not image by image."""

    main = "peak"
    better: ClassVar[Literal["higher", "lower"]] = "higher"

    peak: Annotated[
        PositiveNumber | None,
        Field(description="high − low of the numbers; of a reconstruction, that of the input's `range`"),
    ] = None
    std: Annotated[
        tuple[PositiveNumber, ...] | None,
        Field(description="what errors are multiplied by first, channel by channel: the input's `std`"),
    ] = None

    def check(self, output: TensorType) -> None:
        if self.peak is None:
            raise DataError(
                "E501", "`psnr` needs the peak of its numbers", help=["psnr: 1.0, where they run from 0 to 1"]
            )
        if self.std is not None and len(self.std) not in (1, output.channels):
            raise DataError(
                "E501", f"`std` of psnr has {count(len(self.std), 'number')} for {count(output.channels, 'channel')}"
            )

    def of_input(self, range: tuple[float, float], std: tuple[float, ...] | None) -> Self:
        return self if self.peak is not None else self.model_copy(update={"peak": range[1] - range[0], "std": std})

    def of(self, error: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        return (error if self.std is None else error * jnp.asarray(self.std, error.dtype)) ** 2

    def result(self, totals: Totals) -> Values:
        mean = share(totals["error"], totals["count"])
        if mean is None or self.peak is None:
            return {"psnr": None}
        # JSON has no infinity: an exact copy has 200 dB.
        return {"psnr": 10 * log10(self.peak**2 / max(mean, TINY * self.peak**2))}

    def number(self, value: float | None) -> str:
        return "–" if value is None else f"{value:.2f} dB"


TINY = 1e-20
"""The least mean squared error, as a share of the peak's square: 200 dB."""

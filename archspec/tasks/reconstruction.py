"""Reconstruction: the input is the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.fields import Text
from archspec.tasks._base import Inputs, Task

if TYPE_CHECKING:
    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType


class Reconstruction(Task):
    """The input is the target, as in an autoencoder: an output has the input's shape, and is to be what went in.

    The numbers are those that the network is given: pixels in the input's `range`, less `mean` and over `std`, and with
    what augmentation made of them. The peak of PSNR is that of `range`.
    """

    form = "numbers"
    answer = "image"
    main = "of"

    of: Annotated[Text | None, Field(description="the input that is made again; the only one if left out")] = None

    def loss(self) -> Loss:
        from archspec.losses.mse import Mse

        return Mse.plain_default()

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        from archspec.metrics.mae import Mae
        from archspec.metrics.psnr import Psnr
        from archspec.metrics.rmse import Rmse

        # Only images have a range, and so a peak.
        return (Psnr.plain_default() if output.is_map else Rmse.plain_default(), Mae.plain_default())

    def running(self, output: TensorType) -> Metric:
        return self.metrics(output)[0]

    def given_by(self, inputs: Inputs) -> str:
        if self.of is None and len(inputs) == 1:
            return next(iter(inputs))
        if self.of in inputs:
            return str(self.of)
        if self.of is None:
            raise DataError(
                "E501", f"reconstruction of which of the inputs {listed(inputs)}?", help=["`of: NAME` says it"]
            )
        hint = did_you_mean(self.of, inputs) or f"inputs: {listed(inputs)}"
        raise DataError("E501", f"reconstruction of `{self.of[:60]}`, which is no input", help=[hint])

    def check_output(self, name: str, output: TensorType, inputs: Inputs) -> None:
        source = self.given_by(inputs)
        if output.shape != inputs[source].type.shape:
            raise DataError(
                "E501",
                f"output `{name}` is {output}, but reconstruction needs the shape of `{source}`, {inputs[source].type}",
                help=["a `transposed_conv`, `resize: {like: input}` or `crop: {like: input}` brings it back"],
            )

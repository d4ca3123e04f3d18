"""Convolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import PositiveInt
from archspec.layers._base import Cost, Example, Kept, Weight
from archspec.layers._convolution import Convolution
from archspec.layers._window import on_axes
from archspec.terms import Unit
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx

MAX_TRIED = 4096
"""Numbers of groups that are tried for a way out."""


class Conv(Convolution):
    """Convolution over height × width × channels, or over length × channels. W2 = (W1 − F + 2P)/S + 1.

    Input (H, W, C), output (H2, W2, filters), kernel (F, F, C/groups, filters). On a signal, one axis less: input
    (L, C), output (L2, filters), kernel (F, C/groups, filters); with `pad: causal` no output sees what comes later.
    """

    main: ClassVar[str] = "filters"
    uses_lowerings: ClassVar[bool] = True

    filters: Annotated[PositiveInt, Field(description="output channels")]
    groups: Annotated[
        PositiveInt, Field(description="groups that input channels and filters are split into; each sees only its own")
    ] = 1

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"filters": 6, "kernel": 5, "pad": "same"}),
        Example({"filters": 8, "kernel": [3, 1], "stride": [2, 1], "pad": [[1, 0], [0, 2]], "bias": False}),
        Example({"filters": 6, "kernel": 3, "dilation": 2, "groups": 2, "rounding": "ceil"}),
        Example({"filters": 6, "kernel": 5, "stride": 2, "groups": 2, "pad": "same"}, ((12, 4),)),
        Example({"filters": 3, "kernel": 3, "dilation": 2, "pad": "causal", "bias": False}, ((9, 2),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        positions = self.positions(x)
        for number, what in ((x.channels, "input channel"), (self.filters, "filter")):
            if number % self.groups:
                common = gcd(x.channels, self.filters)
                near = [n for n in range(1, min(common, MAX_TRIED) + 1) if common % n == 0]
                groups = min(near, key=lambda n: abs(n - self.groups))
                raise ShapeError(
                    f"{count(number, what)} cannot be divided into {self.groups} groups",
                    code="E305",
                    help=[Setting(f"groups: {groups} divides both", (("groups", groups),))],
                    field="groups",
                )
        return TensorType((*positions, self.filters), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        (x,) = inputs
        return self._arrays(x, x.channels // self.groups, self.filters)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        per_output = prod(on_axes(self.kernel, inputs[0], "kernel")) * inputs[0].channels // self.groups
        return Cost(macs=output.size * per_output, other=output.size if self.bias else 0)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def of_filter(self, unit: Unit) -> tuple[Sequence[int], np.ndarray]:
        inner, group = unit.types[0].channels // self.groups, unit.channel // (self.filters // self.groups)
        return range(group * inner, (group + 1) * inner), unit.arrays["kernel"][..., unit.channel]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return self._module(inputs[0], self.filters, self.groups, rngs)

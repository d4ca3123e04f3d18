"""Convolution whose filters see some of the input's channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator

from archspec.diagnostics import ShapeError
from archspec.fields import NonNegativeInt
from archspec.layers._base import Cost, Example, Kept, Weight
from archspec.layers._convolution import Convolution
from archspec.layers._window import on_axes
from archspec.terms import Unit
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class PartialConv(Convolution):
    """Convolution by a connection table: each filter sees only the channels listed for it (LeCun et al. 1998, Table I).

    Input (H, W, C), output (H2, W2, number of lists). Only connected kernels are weights: (F, F, connections). On a
    signal (L, C) there is one axis less.
    """

    connections: Annotated[
        tuple[tuple[NonNegativeInt, ...], ...],
        Field(description="for each filter the input channels that it sees, counted from 0", min_length=1),
    ]

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"kernel": 3, "connections": [[0], [0, 1], [3, 1, 2]]}),
        Example({"kernel": [2, 3], "stride": 2, "pad": "valid", "bias": False, "connections": [[1, 2]]}),
        Example({"kernel": 3, "stride": 2, "pad": [[0, 1]], "connections": [[0], [3, 1]]}, ((9, 4),)),
    )

    @field_validator("connections")
    @classmethod
    def _check(cls, value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        for index, channels in enumerate(value):
            if not channels:
                raise ValueError(f"filter {index} sees no channel")
            if len(set(channels)) < len(channels):
                raise ValueError(f"filter {index} lists a channel twice")
        return value

    @property
    def count(self) -> int:
        """Connected pairs of input channel and filter."""
        return sum(map(len, self.connections))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        positions = self.positions(x)
        for index, channels in enumerate(self.connections):
            if max(channels) >= x.channels:
                raise ShapeError(
                    f"connects filter {index} to channel {max(channels)}, "
                    f"but its input has channels 0 to {x.channels - 1}",
                    code="E305",
                    field="connections",
                )
        return TensorType((*positions, len(self.connections)), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (*on_axes(self.kernel, inputs[0], "kernel"), self.count))
        return (kernel, Weight("bias", (len(self.connections),))) if self.bias else (kernel,)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        per_position = prod(on_axes(self.kernel, inputs[0], "kernel")) * self.count
        return Cost(macs=prod(output.spatial) * per_position, other=output.size if self.bias else 0)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def of_filter(self, unit: Unit) -> tuple[Sequence[int], np.ndarray]:
        first = sum(map(len, self.connections[: unit.channel]))
        seen = self.connections[unit.channel]
        return seen, unit.arrays["kernel"][..., first : first + len(seen)]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.partial_conv import PartialConv as Module

        (x,) = inputs
        return Module(x.channels, self.connections, **self._fields(x, rngs))

"""Fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import Flag, PositiveInt
from archspec.initialisers import BiasInit, KernelInit, for_axes
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Cost, Example, Family, Kept, Layer, Weight
from archspec.terms import Terms, Unit, summed
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


def require_vector(x: TensorType, kind: str) -> None:
    """Raises `ShapeError` unless the input is a vector of features."""
    if not x.is_vector:
        help: list[str | Setting] = [
            Setting(f"put `flatten` before it: {x} becomes {count(x.size, 'feature')}", before="flatten"),
            Setting("or `global_avg_pool`", before="global_avg_pool"),
        ]
        if x.is_signal:
            help.append(f"or, for the same layer at each of its {count(x.shape[0], 'position')}, `conv: {{kernel: 1}}`")
        raise ShapeError(
            f"{kind} takes a vector of features, but its input is {x}, a {'map' if x.is_map else 'signal'}",
            code="E302",
            help=help,
        )


class Dense(Layer):
    """Fully connected layer: y = x·W + b.

    Input (features,), output (units,); kernel (features, units).
    """

    family: ClassVar[Family] = "dense"

    main: ClassVar[str] = "units"

    units: Annotated[PositiveInt, Field(description="output features")]
    bias: Annotated[Flag, Field(description="adds one trainable number per unit")] = True
    init: Annotated[KernelInit, for_axes(2)] = LecunNormal.plain_default()
    bias_init: BiasInit = Zeros.plain_default()

    examples: ClassVar[tuple[Example, ...]] = (
        Example(84, ((120,),)),
        Example({"units": 5, "bias": False, "init": "he_normal"}, ((7,),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        require_vector(inputs[0], self.kind)
        return TensorType((self.units,), inputs[0].dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (inputs[0].channels, self.units), axes="CO")
        return (kernel, Weight("bias", (self.units,), axes="O")) if self.bias else (kernel,)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(macs=inputs[0].size * self.units, other=self.units if self.bias else 0)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def terms(self, unit: Unit) -> Terms:
        import numpy as np

        x = unit.inputs[0]
        places = np.zeros((0,), np.int64)
        return summed(
            x, unit.arrays["kernel"][:, unit.channel], unit.own("bias"), np.array(True), places, range(len(x))
        )

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from flax import nnx

        return nnx.Linear(
            inputs[0].channels,
            self.units,
            use_bias=self.bias,
            kernel_init=self.init.build(),
            bias_init=self.bias_init.build(),
            rngs=rngs,
        )

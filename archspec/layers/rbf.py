"""Euclidean radial basis functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError
from archspec.fields import PositiveInt
from archspec.layers._base import Cost, Example, Family, Layer, Weight
from archspec.layers.dense import require_vector
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx

DIGIT_HEIGHT, DIGIT_WIDTH = 12, 7


class Rbf(Layer):
    """Radial basis functions with fixed centres: y_i = −Σ_j (x_j − w_ij)² (LeCun et al. 1998, eq. 7, sign turned).

    The paper's output is a penalty, smallest for the right class; with its sign turned the largest wins, and a softmax
    over it is the paper's posterior (eq. 9 without the rubbish class). Input (features,), output (units,).
    """

    full_precision: ClassVar[bool] = True
    family: ClassVar[Family] = "dense"

    main: ClassVar[str] = "units"

    units: Annotated[PositiveInt, Field(description="classes")]
    centres: Annotated[
        Literal["digits", "random"],
        Field(description="digits: ten 7×12 bitmaps of ±1, as in the paper's Fig. 3; random: ±1 at random"),
    ] = "digits"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(10, ((84,),)),
        Example({"units": 4, "centres": "random"}, ((7,),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_vector(x, self.kind)
        size = DIGIT_HEIGHT * DIGIT_WIDTH
        if self.centres == "digits" and (x.size, self.units) != (size, 10):
            raise ShapeError(
                f"has 10 centres of {size} features, but {self.units} units on {x.size} features",
                code="E305",
                help=[
                    f"10 units on {size} features",
                    Setting("`centres: random` fits any number", (("centres", "random"),)),
                ],
                field="units",
            )
        return TensorType((self.units,), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return (Weight("centres", (self.units, inputs[0].size), "frozen"),)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=3 * self.units * inputs[0].size)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.rbf import Rbf as Module
        from archspec.nn.rbf import digit_centres, random_centres

        shape = (self.units, inputs[0].size)
        return Module(digit_centres() if self.centres == "digits" else random_centres(rngs.params(), shape))

"""Local response normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.fields import NonNegativeNumber, PositiveInt, PositiveNumber
from archspec.layers._base import Cost, Example, Family, Kept, Layer
from archspec.layers._window import require_places
from archspec.terms import Terms, Unit, formula, said
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class Lrn(Layer):
    """Local response normalisation across channels: x_c / (k + alpha/size · Σ x²)^beta (Krizhevsky et al. 2012).

    The sum runs over `size` neighbouring channels. The paper does not divide alpha by the size; Caffe and PyTorch do,
    and so does this.
    """

    full_precision: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    family: ClassVar[Family] = "normalisation"

    main: ClassVar[str] = "size"

    size: Annotated[PositiveInt, Field(description="channels that are summed over")] = 5
    alpha: Annotated[NonNegativeNumber, Field(description="factor of the sum, before division by the size")] = 1e-4
    beta: Annotated[NonNegativeNumber, Field(description="exponent")] = 0.75
    k: Annotated[PositiveNumber, Field(description="summand in the base")] = 1.0

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}),
        Example({"size": 3, "alpha": 0.5, "beta": 0.5, "k": 2.0}, ((4, 5, 7),)),
        Example(4, ((3, 3, 6),)),
        Example(3, ((7, 6),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        require_places(inputs[0], self.kind)
        return inputs[0]

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=(self.size + 5) * output.size)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        # The sum over the neighbouring channels stays too.
        return Kept(inputs=(0,), elements=output.size)

    def terms(self, unit: Unit) -> Terms:
        x = unit.inputs[0]
        first, last = max(unit.channel - self.size // 2, 0), min(unit.channel + (self.size - 1) // 2, x.shape[-1] - 1)
        own, near = unit.value, x[unit.at][first : last + 1]
        total = float((near**2).sum())
        result = own / (self.k + self.alpha / self.size * total) ** self.beta
        squares = " + ".join(f"{said(float(value))}²" for value in near)
        return formula(
            result,
            abs(result),
            f"x / (k + alpha/size·Σ x²)^beta, Σ over channels {first} to {last}",
            f"{said(own)} / ({said(self.k)} + {said(self.alpha)}/{self.size}·({squares}))^{said(self.beta)}",
        )

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.lrn import lrn

        return Apply(partial(lrn, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k))

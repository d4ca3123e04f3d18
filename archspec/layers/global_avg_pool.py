"""Global average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import count
from archspec.fields import Flag
from archspec.layers._base import Cost, Example, Family, Layer, OnRows
from archspec.layers._window import require_places
from archspec.terms import Terms, Unit, averaged, whole_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class GlobalAvgPool(Layer):
    """The mean of each channel over the whole map or signal: (H, W, C) or (L, C) becomes (C,) (Lin et al. 2013)."""

    full_precision: ClassVar[bool] = True
    family: ClassVar[Family] = "pooling"

    keep_dims: Annotated[Flag, Field(description="gives 1×1×C, or 1×C of a signal, instead of a vector")] = False

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    uses_shards: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({}), Example({"keep_dims": True}), Example({}, ((9, 3),)))

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        return TensorType((*(1 for _ in x.spatial), x.channels) if self.keep_dims else (x.channels,), x.dtype)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        return Cost(other=inputs[0].size)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows:
        return OnRows(sums=(output.size,), divides=False)

    def terms(self, unit: Unit) -> Terms:
        values, inside, places = whole_map(unit.inputs[0], unit.channel)
        return averaged(values, inside, places, unit.channel, values.size)

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        places = "·".join(map(str, inputs[0].spatial))
        of = count(inputs[0].size // inputs[0].channels, "position")
        return [f"a number a channel of its {places} = {of}"]

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from functools import partial

        from archspec.nn.apply import Apply
        from archspec.nn.pooling import global_avg_pool

        return Apply(partial(global_avg_pool, keep_dims=self.keep_dims))

"""Self-attention over the positions of a map or signal."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import Flag, PositiveInt
from archspec.initialisers import BiasInit, KernelInit, for_axes
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Cost, Example, Kept, Layer, Weight
from archspec.layers._window import require_places
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class SelfAttention(Layer):
    """Each position takes values from all positions, weighed by softmax(q·kᵀ/√d) (Vaswani et al. 2017).

    Queries and keys have `width` channels, values `values`, split into heads of d = width/heads and values/heads
    channels; a projection makes `filters` channels of the heads side by side. Input (H, W, C) or (L, C), P positions;
    kernels (C, width), (C, width), (C, values), (values, filters). MACs: P·C·(2·width + values) + P²·(width + values) +
    P·values·filters, and with relative positions P·width·(H + W) or P·width·L more.

    The non-local block (Wang et al. 2018, embedded Gaussian) is `residual: {layers: [self_attention: {width: C/2,
    scale: false}]}`. BoTNet's layer (Srinivas et al. 2021) is `{heads: 4, positions: relative, project: false, bias:
    false}`: to q·k it adds q·(r_h + r_w), where r are trainable for each distance in rows and in columns.
    """

    main: ClassVar[str] = "heads"

    heads: Annotated[
        PositiveInt, Field(description="parts that attend by themselves; they divide width and values")
    ] = 1
    width: Annotated[
        PositiveInt | None,
        Field(description="channels of the queries, and of the keys, all heads together; the input's if left out"),
    ] = None
    values: Annotated[
        PositiveInt | None, Field(description="channels of the values, all heads together; `width` if left out")
    ] = None
    project: Annotated[
        Flag, Field(description="a linear layer over the heads side by side; without, they are the output")
    ] = True
    filters: Annotated[
        PositiveInt | None, Field(description="output channels of the projection; the input's if left out")
    ] = None
    scale: Annotated[Flag, Field(description="divides q·k by the root of a head's width")] = True
    positions: Annotated[
        Literal["none", "relative"],
        Field(description="relative: adds q·r to q·k, r trainable for each distance on each axis, all heads alike"),
    ] = "none"
    bias: Annotated[Flag, Field(description="trainable summands of queries, keys, values and projection")] = True
    init: Annotated[KernelInit, for_axes(2)] = LecunNormal.plain_default()
    bias_init: BiasInit = Zeros.plain_default()

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 4, 6),)),
        Example({"width": 3, "scale": False, "bias": False}, ((3, 4, 6),)),
        Example({"heads": 2, "positions": "relative", "project": False, "bias": False}, ((3, 4, 6),)),
        Example({"heads": 3, "width": 6, "values": 9, "filters": 5, "positions": "relative"}, ((7, 4),)),
    )

    def _widths(self, x: TensorType) -> tuple[int, int, int]:
        """Channels of queries and keys, of values, and of the output."""
        width = self.width or x.channels
        values = self.values or width
        return width, values, (self.filters or x.channels) if self.project else values

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        width, values, filters = self._widths(x)
        for number, what in ((width, "width"), (values, "values")):
            if number % self.heads:
                more = -(-number // self.heads) * self.heads
                raise ShapeError(
                    f"{self.heads} heads do not divide the {count(number, 'channel')} of `{what}`",
                    code="E305",
                    help=[Setting(f"`{what}: {more}` would do", ((what, more),))],
                    field="heads",
                )
        if self.filters is not None and not self.project:
            raise ShapeError(
                "has `filters`, which are the projection's, but `project: false`",
                help=[f"without a projection the output has the {count(values, 'channel')} of `values`"],
                field="filters",
            )
        return TensorType((*x.spatial, filters), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        (x,) = inputs
        width, values, filters = self._widths(x)
        parts = [("query", x.channels, width), ("key", x.channels, width), ("value", x.channels, values)]
        if self.project:
            parts.append(("output", values, filters))
        arrays = []
        for name, inner, outer in parts:
            arrays.append(Weight(f"{name}.kernel", (inner, outer), axes="IO"))
            if self.bias:
                arrays.append(Weight(f"{name}.bias", (outer,), axes="O"))
        if self.positions == "relative":
            names = ("height", "width") if x.is_map else ("length",)
            for name, size in zip(names, x.spatial, strict=True):
                arrays.append(Weight(f"relative_{name}", (2 * size - 1, width // self.heads)))
        return tuple(arrays)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        (x,) = inputs
        width, values, filters = self._widths(x)
        places = prod(x.spatial)
        macs = places * x.channels * (2 * width + values) + places**2 * (width + values)
        # Each head's softmax, as the kind `softmax` counts it.
        other = 5 * self.heads * places**2 + (places * width if self.scale else 0)
        if self.project:
            macs += places * values * filters
        if self.bias:
            other += places * (2 * width + values + (filters if self.project else 0))
        if self.positions == "relative":
            macs += places * width * sum(x.spatial)
            other += len(x.spatial) * self.heads * places**2
        return Cost(macs, other)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        (x,) = inputs
        width, values, _ = self._widths(x)
        places = prod(x.spatial)
        # Queries, keys, values, the weights after softmax, and what the projection takes.
        elements = places * (2 * width + values) + self.heads * places**2 + (places * values if self.project else 0)
        return Kept(weight_inputs=(0,), elements=elements)

    def scratch(self, inputs: tuple[TensorType, ...], output: TensorType) -> tuple[int, int]:
        # Forward one weight for each pair of positions and head; backward its gradients before and after softmax.
        pairs = self.heads * prod(inputs[0].spatial) ** 2
        return pairs, 2 * pairs

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.self_attention import SelfAttention as Module

        (x,) = inputs
        width, values, filters = self._widths(x)
        return Module(
            x.shape,
            heads=self.heads,
            width=width,
            values=values,
            filters=filters if self.project else None,
            scale=self.scale,
            relative=self.positions == "relative",
            use_bias=self.bias,
            kernel_init=self.init.build(),
            bias_init=self.bias_init.build(),
            rngs=rngs,
        )

"""Transposed convolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import ShapeError, count
from archspec.fields import Border, Flag, Offset, Pair, PositiveInt
from archspec.initialisers import BiasInit, KernelInit
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Cost, Example, Family, Halo, Kept, Layer, OnRows, Weight, Window
from archspec.layers._window import axes_of, on_axes, require_places, window
from archspec.terms import Terms, Unit, seen_at, summed, windows_over
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class TransposedConv(Layer):
    """Transposed convolution: W2 = (W1 − 1)·S − 2P + F + output_pad, the input size of the convolution it undoes.

    Input (H, W, C), output (H2, W2, filters); kernel (F, F, C, filters/groups); on a signal one axis less. With
    `init: bilinear` it begins as bilinear upsampling (Long et al. 2015).
    """

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "filters"
    transposes: ClassVar[bool] = True
    uses_lowerings: ClassVar[bool] = True

    filters: Annotated[PositiveInt, Field(description="output channels")]
    kernel: Annotated[Pair, Field(description="kernel size in pixels")]
    stride: Annotated[Pair, Field(description="output pixels per input pixel")] = (1, 1)
    pad: Annotated[
        Border, Field(description="output pixels taken away on the sides; [[before, after]] on a signal")
    ] = ((0, 0), (0, 0))
    output_pad: Annotated[
        Offset, Field(description="output pixels added at the bottom and right, less than the stride or the dilation")
    ] = (0, 0)
    dilation: Annotated[Pair, Field(description="distance between the kernel's taps in output pixels")] = (1, 1)
    groups: Annotated[
        PositiveInt, Field(description="groups that input channels and filters are split into; each sees only its own")
    ] = 1
    bias: Annotated[Flag, Field(description="adds one trainable number per filter")] = True
    init: KernelInit = LecunNormal.plain_default()
    bias_init: BiasInit = Zeros.plain_default()

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"filters": 4, "kernel": 4, "stride": 2, "init": "bilinear", "bias": False}),
        Example({"filters": 6, "kernel": [3, 2], "stride": [2, 3], "pad": [[1, 0], [0, 1]], "output_pad": [1, 2]}),
        Example({"filters": 6, "kernel": 3, "stride": 2, "dilation": 2, "groups": 2}),
        Example({"filters": 4, "kernel": 2, "stride": 3}),
        Example({"filters": 6, "kernel": 4, "stride": 3, "pad": [[0, 1]], "output_pad": 1, "groups": 2}, ((5, 4),)),
        Example({"filters": 2, "kernel": 3, "stride": 2, "dilation": 2}, ((5, 3),)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_places(x, self.kind)
        for number, what in ((x.channels, "input channel"), (self.filters, "filter")):
            if number % self.groups:
                raise ShapeError(
                    f"{count(number, what)} cannot be divided into {self.groups} groups", code="E305", field="groups"
                )
        sizes = []
        for have, (kernel, step, spread, (before, after), more) in zip(x.spatial, self._along(x), strict=True):
            if more and more >= max(step, spread):
                raise ShapeError(
                    f"output_pad {more} is not less than the stride {step} or the dilation {spread}",
                    field="output_pad",
                )
            extent = (kernel - 1) * spread + 1
            size = (have - 1) * step - before - after + extent + more
            if size < 1:
                raise ShapeError(
                    f"does not fit: ({have} − 1)·{step} − {before} − {after} + {extent} + {more} = {size}".replace(
                        "-", "−"
                    ),
                    help=["a smaller `pad` fits"],
                    field="pad",
                )
            sizes.append(size)
        return TensorType((*sizes, self.filters), x.dtype)

    def _along(self, x: TensorType) -> Iterator[tuple[int, int, int, tuple[int, int], int]]:
        """Kernel, stride, dilation, padding and output padding on each axis."""
        return zip(
            on_axes(self.kernel, x, "kernel"),
            on_axes(self.stride, x, "stride"),
            on_axes(self.dilation, x, "dilation"),
            on_axes(self.pad, x, "pad"),
            on_axes(self.output_pad, x, "output_pad"),
            strict=True,
        )

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        (x,) = inputs
        shape = (*on_axes(self.kernel, x, "kernel"), x.channels, self.filters // self.groups)
        kernel = Weight("kernel", shape, axes="HWio" if x.is_map else "Lio")
        return (kernel, Weight("bias", (self.filters,), axes="O")) if self.bias else (kernel,)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        per_input = prod(on_axes(self.kernel, inputs[0], "kernel")) * self.filters // self.groups
        return Cost(macs=inputs[0].size * per_input, other=output.size if self.bias else 0)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        kernels, strides, pads = [], [], []
        for kernel, step, spread, (before, _), _ in self._along(inputs[0]):
            extent = (kernel - 1) * spread + 1
            seen = -(-extent // step)
            kernels.append(seen)
            strides.append(1 / step)
            pads.append((seen - 1) / 2 - (before - (extent - 1) / 2) / step)
        return window(kernels, strides, pads)

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        """Row j takes rows i where j = i·S + D·t − P for one of the taps t: own ones, and what reaches into them."""
        x = inputs[0]
        (kernel, step, spread, (before, _), _), (*_, across, more) = self._along(x)
        if output.shape[0] != step * x.shape[0]:
            return None
        last = (kernel - 1) * spread
        top, bottom = max(0, (last - before) // step), -(-before // step)
        taken = before + top * step
        size = (x.shape[0] // parts + top + bottom - 1) * step + last + 1
        after = size - taken - output.shape[0] // parts
        update = {"pad": ((taken, max(0, after)), across), "output_pad": (max(0, -after), more)}
        return OnRows(self.model_copy(update=update), Halo(top, bottom))

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        x, lines = inputs[0], []
        for name, have, size, axis in zip(axes_of(x), x.spatial, output.spatial, self._along(x), strict=True):
            kernel, step, spread, (before, after), more = axis
            extent = str(kernel) if spread == 1 else f"[({kernel} − 1)·{spread} + 1]"
            sides = f"2·{before}" if before == after else f"{before} − {after}"
            lines.append(f"{name}: ({have} − 1)·{step} − {sides} + {extent} + {more} = {size}")
        return lines

    def terms(self, unit: Unit) -> Terms:
        """Output j takes tap t of input i where j + P = i·S + t·D: of a window's taps one in S, about."""
        x, kind = unit.inputs[0], unit.types[0]
        taps, step, spread, pad, _ = zip(*self._along(kind), strict=True)
        inside, places = windows_over(unit.at, kind.spatial, taps, step, [before for before, _ in pad], spread)
        size = self.filters // self.groups
        inner, group = kind.channels // self.groups, unit.channel // size
        channels = range(group * inner, (group + 1) * inner)
        weights = unit.arrays["kernel"][..., channels.start : channels.stop, unit.channel % size]
        return summed(seen_at(x, places, inside, channels), weights, unit.own("bias"), inside, places, channels)

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.upsampling import TransposedConv as Module

        (x,) = inputs
        return Module(
            x.channels,
            self.filters,
            kernel=on_axes(self.kernel, x, "kernel"),
            stride=on_axes(self.stride, x, "stride"),
            padding=on_axes(self.pad, x, "pad"),
            output=self.infer(x).spatial,
            dilation=on_axes(self.dilation, x, "dilation"),
            groups=self.groups,
            use_bias=self.bias,
            kernel_init=self.init.build(),
            bias_init=self.bias_init.build(),
            rngs=rngs,
        )

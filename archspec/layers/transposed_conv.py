"""Transposed convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Border, Flag, Offset, Pair, PositiveInt
from archspec.initialisers import BiasInit, KernelInit
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Cost, Example, Family, Kept, Layer, Weight, Window
from archspec.layers._window import require_map
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


class TransposedConv(Layer):
    """Transposed 2-D convolution: W2 = (W1 − 1)·S − 2P + F + output_pad, the input size of the convolution it undoes.

    Input (H, W, C), output (H2, W2, filters); kernel (F, F, C, filters/groups). With `init: bilinear` it begins as
    bilinear upsampling (Long et al. 2015).
    """

    family: ClassVar[Family] = "resize"

    main: ClassVar[str] = "filters"
    transposes: ClassVar[bool] = True

    filters: Annotated[PositiveInt, Field(description="output channels")]
    kernel: Annotated[Pair, Field(description="kernel size in pixels")]
    stride: Annotated[Pair, Field(description="output pixels per input pixel")] = (1, 1)
    pad: Annotated[Border, Field(description="output pixels taken away on the sides")] = ((0, 0), (0, 0))
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
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        require_map(x, self.kind)
        for count, what in ((x.channels, "input channels"), (self.filters, "filters")):
            if count % self.groups:
                raise ShapeError(f"{count} {what} do not divide into {self.groups} groups", code="E305", field="groups")
        sizes = []
        for axis in (0, 1):
            step, spread = self.stride[axis], self.dilation[axis]
            if self.output_pad[axis] and self.output_pad[axis] >= max(step, spread):
                raise ShapeError(
                    f"output_pad {self.output_pad[axis]} is not less than the stride {step} or the dilation {spread}",
                    field="output_pad",
                )
            before, after = self.pad[axis]
            extent = (self.kernel[axis] - 1) * spread + 1
            size = (x.shape[axis] - 1) * step - before - after + extent + self.output_pad[axis]
            if size < 1:
                raise ShapeError(
                    f"does not fit: ({x.shape[axis]} − 1)·{step} − {before} − {after} + {extent} + "
                    f"{self.output_pad[axis]} = {size}".replace("-", "−"),
                    help=["a smaller `pad` fits"],
                    field="pad",
                )
            sizes.append(size)
        return TensorType((sizes[0], sizes[1], self.filters), x.dtype)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (*self.kernel, inputs[0].channels, self.filters // self.groups)
        kernel = Weight("kernel", shape, axes="HWio")
        return (kernel, Weight("bias", (self.filters,), axes="O")) if self.bias else (kernel,)

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        per_input = self.kernel[0] * self.kernel[1] * self.filters // self.groups
        return Cost(macs=inputs[0].size * per_input, other=output.size if self.bias else 0)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        kernels, pads = [], []
        for axis in (0, 1):
            step = self.stride[axis]
            extent = (self.kernel[axis] - 1) * self.dilation[axis] + 1
            seen = -(-extent // step)
            kernels.append(seen)
            pads.append((seen - 1) / 2 - (self.pad[axis][0] - (extent - 1) / 2) / step)
        return Window((kernels[0], kernels[1]), (1 / self.stride[0], 1 / self.stride[1]), (pads[0], pads[1]))

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        return Kept(weight_inputs=(0,))

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        from archspec.nn.upsampling import TransposedConv as Module

        height, width, _ = self.infer(*inputs).shape
        return Module(
            inputs[0].channels,
            self.filters,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.pad,
            output=(height, width),
            dilation=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            kernel_init=self.init.build(),
            bias_init=self.bias_init.build(),
            rngs=rngs,
        )

"""What convolutions share: kernel, stride, dilation, bias, initialisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Flag, Pair
from archspec.initialisers import BiasInit, KernelInit
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Family, Weight
from archspec.layers._window import Windowed, on_axes
from archspec.terms import Terms, Unit, summed
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np
    from flax import nnx


class Convolution(Windowed):
    """A window with trainable weights."""

    transposes: ClassVar[bool] = True

    family: ClassVar[Family] = "convolution"

    kernel: Annotated[Pair, Field(description="kernel size in pixels")]
    stride: Annotated[Pair, Field(description="step between windows in pixels")] = (1, 1)
    dilation: Annotated[Pair, Field(description="distance between the kernel's taps in pixels")] = (1, 1)
    bias: Annotated[Flag, Field(description="adds one trainable number per filter")] = True
    init: KernelInit = LecunNormal.plain_default()
    bias_init: BiasInit = Zeros.plain_default()

    @property
    def taps(self) -> tuple[int, int]:
        return self.kernel

    @property
    def steps(self) -> tuple[int, int]:
        return self.stride

    @property
    def spread(self) -> tuple[int, int]:
        return self.dilation

    def _arrays(self, x: TensorType, inner: int, filters: int) -> tuple[Weight, ...]:
        """Kernel and bias of so many filters, each of which sees `inner` channels of the input."""
        shape = (*on_axes(self.kernel, x, "kernel"), inner, filters)
        kernel = Weight("kernel", shape, axes="HWIO" if x.is_map else "LIO")
        return (kernel, Weight("bias", (filters,), axes="O")) if self.bias else (kernel,)

    def of_filter(self, unit: Unit) -> tuple[Sequence[int], np.ndarray]:
        """Of a filter at a position the input's channels that it sees, and its kernel, (*taps, channels)."""
        raise NotImplementedError

    def terms(self, unit: Unit) -> Terms:
        channels, kernel = self.of_filter(unit)
        values, inside, places = self.window_on(unit.at, unit.inputs[0], channels)
        return summed(values, kernel, unit.own("bias"), inside, places, channels)

    def _fields(self, x: TensorType, rngs: nnx.Rngs) -> dict[str, Any]:
        """What a module of nn/ is made of, by the names of its arguments."""
        return {
            "kernel": on_axes(self.kernel, x, "kernel"),
            "stride": on_axes(self.stride, x, "stride"),
            "padding": self.padding(x),
            "dilation": on_axes(self.dilation, x, "dilation"),
            "use_bias": self.bias,
            "kernel_init": self.init.build(),
            "bias_init": self.bias_init.build(),
            "rngs": rngs,
        }

    def _module(self, x: TensorType, filters: int, groups: int, rngs: nnx.Rngs) -> nnx.Module:
        """The convolution of so many filters in groups."""
        from archspec.nn.conv import Conv

        return Conv(
            x.channels,
            filters,
            on_axes(self.kernel, x, "kernel"),
            on_axes(self.stride, x, "stride"),
            padding=self.padding(x),
            kernel_dilation=on_axes(self.dilation, x, "dilation"),
            feature_group_count=groups,
            use_bias=self.bias,
            kernel_init=self.init.build(),
            bias_init=self.bias_init.build(),
            rngs=rngs,
        )

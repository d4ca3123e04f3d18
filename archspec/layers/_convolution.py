"""What convolutions share: kernel, stride, dilation, bias, initialisers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from archspec.fields import Flag, Pair
from archspec.initialisers import BiasInit, KernelInit
from archspec.initialisers.lecun_normal import LecunNormal
from archspec.initialisers.zeros import Zeros
from archspec.layers._base import Family
from archspec.layers._window import Windowed


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

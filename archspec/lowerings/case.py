"""What of an operation decides how it is computed fastest."""

from __future__ import annotations

from math import prod
from typing import Literal, NamedTuple

Direction = Literal["forward", "input", "kernel"]
"""The operation itself, its gradient by its input, and that by its kernel."""

DIRECTIONS: tuple[Direction, ...] = ("forward", "input", "kernel")

Sides = tuple[tuple[int, int], ...]


class Case(NamedTuple):
    """An operation as it stands in a program: shapes and settings, known while it is traced.

    `size` is (H, W) of the input, of a signal (L,), as are `kernel`, `stride` and `dilation`; `padding` has (before,
    after) of each axis, of a transposed convolution what is taken away of its output, with output padding subtracted.
    `operation` is the folder of candidates, `dtype` the name of the input's type. A pooling, which looks at each
    channel by itself, has as many filters and groups as channels, and its window for a kernel.
    """

    operation: str
    batch: int
    size: tuple[int, ...]
    channels: int
    filters: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Sides
    dilation: tuple[int, ...]
    groups: int
    dtype: str

    @property
    def output(self) -> tuple[int, ...]:
        """The output's size: W2 = (W1 − D·(F − 1) − 1 + before + after)/S + 1, rounded down; of a transposed
        convolution W2 = (W1 − 1)·S + D·(F − 1) + 1 − before − after."""
        if self.is_transposed:
            return tuple(
                (size - 1) * step + spread * (taps - 1) + 1 - before - after
                for size, (before, after), spread, taps, step in zip(
                    self.size, self.padding, self.dilation, self.kernel, self.stride, strict=True
                )
            )
        return tuple(
            (size + before + after - spread * (taps - 1) - 1) // step + 1
            for size, (before, after), spread, taps, step in zip(
                self.size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )

    @property
    def macs(self) -> int:
        """Multiply–adds of the batch, in each direction."""
        windows = self.size if self.is_transposed else self.output
        return self.batch * prod(windows) * self.filters * prod(self.kernel) * self.channels // self.groups

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The kernel's: of a transposed convolution groups divide the filters, of others the channels."""
        if self.is_transposed:
            return (*self.kernel, self.channels, self.filters // self.groups)
        return (*self.kernel, self.channels // self.groups, self.filters)

    @property
    def is_transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return self.operation == "transposed_conv"

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is convolved by itself."""
        return 1 < self.groups == self.channels

    @property
    def is_pointwise(self) -> bool:
        """Whether it looks at one pixel at a time, of those it looks at."""
        return set(self.kernel) == {1} and not any(map(any, self.padding))

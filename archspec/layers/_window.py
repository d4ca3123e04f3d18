"""Geometry of sliding windows: W2 = (W1 − F + 2P)/S + 1 with padding, dilation and rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from archspec.diagnostics import ShapeError
from archspec.fields import Padding, Rounding, Sides
from archspec.layers._base import Layer, Window
from archspec.types import TensorType

_AXES = ("height", "width")


class Fit(NamedTuple):
    """How windows lie on one axis."""

    output: int
    before: int
    after: int
    """Padding asked for; with ceil rounding `overhang` comes on top of it."""
    overhang: int
    unread: int
    """Input pixels at the far end that no window reads, although neighbouring windows leave no gaps."""


class Laid(NamedTuple):
    """Windows as they are computed: taps, distance, and padding with the overhang of ceil rounding."""

    window: tuple[int, int]
    stride: tuple[int, int]
    padding: Sides


def fit_axis(
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    pad: tuple[int, int] | str,
    rounding: Rounding,
    *,
    axis: str,
    field: str,
) -> Fit:
    """Places windows on one axis. Raises `ShapeError` with the arithmetic and ways out when none fits."""
    extent = (kernel - 1) * dilation + 1
    if pad == "same_upper":
        output = -(-size // stride)
        total = max(0, (output - 1) * stride + extent - size)
        return Fit(output, total // 2, total - total // 2, 0, 0)
    if pad == "same":
        if extent % 2 == 0:
            raise ShapeError(
                f"pad: same needs an odd {field}, but its {axis} is {_extent_text(kernel, dilation)}",
                code="E304",
                help=[
                    f"make the {field} odd, for example {kernel + 1}",
                    f"pad: [[top, bottom], [left, right]] by hand, which add up to {extent - 1}",
                    "pad: same_upper puts the odd pixel at the bottom and right, as TensorFlow does",
                ],
                field="pad",
            )
        before = after = (extent - 1) // 2
    elif isinstance(pad, str):
        before = after = 0
    else:
        before, after = pad
    room = size - extent + before + after
    # Rounding up, one window lies over a map that it does not fill, unless a whole stride is missing.
    if room < 0 and (rounding != "ceil" or room <= -stride):
        arithmetic = _arithmetic(size, kernel, dilation, before, after, stride)
        raise ShapeError(
            f"does not fit: {arithmetic} = {_signed(room // stride + 1)}",
            help=_ways_to_fit(size, kernel, dilation, before, after, field),
            field=field,
        )
    output, rest = divmod(room, stride)
    output += 1
    overhang = 0
    if rest and rounding == "exact":
        fraction = f"{room / stride + 1:.4g}"
        raise ShapeError(
            f"{axis} is not a whole number: {_arithmetic(size, kernel, dilation, before, after, stride)} = {fraction}",
            code="E303",
            help=[
                f"an input {axis} of {size - rest} or {size + stride - rest} fits",
                *([f"{field} {kernel + rest} fits"] if dilation == 1 else []),
                "rounding: floor or ceil accepts it",
            ],
            field="rounding",
        )
    # A window that would begin in the padding beyond the input is dropped, as Caffe and PyTorch do.
    if rest and rounding == "ceil" and output * stride < size + before:
        output += 1
        overhang = stride - rest
        rest = 0
    unread = max(0, rest - after) if stride <= extent else 0
    return Fit(output, before, after, overhang, unread)


def _signed(value: int) -> str:
    return str(value).replace("-", "−")


def _extent_text(kernel: int, dilation: int) -> str:
    return str(kernel) if dilation == 1 else f"({kernel} − 1)·{dilation} + 1 = {(kernel - 1) * dilation + 1}"


def _arithmetic(size: int, kernel: int, dilation: int, before: int, after: int, stride: int) -> str:
    extent = str(kernel) if dilation == 1 else f"[({kernel} − 1)·{dilation} + 1]"
    padding = f"2·{before}" if before == after else f"{before} + {after}"
    return f"({size} − {extent} + {padding})/{stride} + 1"


def _ways_to_fit(size: int, kernel: int, dilation: int, before: int, after: int, field: str) -> list[str]:
    ways = []
    largest = (size + before + after - 1) // dilation + 1
    if largest >= 1:
        ways.append(f"a {field} of {largest} or less fits")
    missing = (kernel - 1) * dilation + 1 - size - before - after
    ways.append(f"pad {max(before, after) + -(-missing // 2)} gives an output of 1 or more on this axis")
    if dilation > 1 and kernel <= size + before + after:
        ways.append(f"dilation {(size + before + after - 1) // (kernel - 1)} or less fits")
    return ways


class Windowed(Layer):
    """A layer whose window slides over height and width. Subclasses say how large it is and how it moves."""

    extent_field: ClassVar[str] = "kernel"
    """The field with the window's size, for messages."""

    pad: Annotated[Padding, Field(description="padding in pixels, or same, same_upper, valid")] = ((0, 0), (0, 0))
    rounding: Annotated[
        Rounding, Field(description="what becomes of an output size that is not a whole number: floor, ceil, exact")
    ] = "floor"

    @property
    def taps(self) -> tuple[int, int]:
        """The window's size in taps, dilation left out."""
        raise NotImplementedError

    @property
    def steps(self) -> tuple[int, int]:
        """The distance between windows in pixels."""
        raise NotImplementedError

    @property
    def spread(self) -> tuple[int, int]:
        """The distance between a window's taps in pixels."""
        return (1, 1)

    def fit(self, x: TensorType) -> tuple[Fit, Fit]:
        """How the windows lie on height and width. Raises `ShapeError`."""
        require_map(x, self.kind)
        height, width = (
            fit_axis(
                x.shape[i],
                self.taps[i],
                self.steps[i],
                self.spread[i],
                self.pad if isinstance(self.pad, str) else self.pad[i],
                self.rounding,
                axis=_AXES[i],
                field=self.extent_field,
            )
            for i in (0, 1)
        )
        return height, width

    def padding(self, x: TensorType) -> Sides:
        """Padding on the four sides, the overhang of ceil rounding included: what lowering passes on."""
        height, width = self.fit(x)
        return (height.before, height.after + height.overhang), (width.before, width.after + width.overhang)

    def laid(self, x: TensorType) -> Laid:
        """The windows as a pooling computes them: where one window lies on an axis, only its taps within the map.

        It gives the same numbers, and no window or stride that is far larger than the map makes arrays of its size.
        """
        taps, steps, padding = [], [], []
        for axis, fit in enumerate(self.fit(x)):
            count, step, spread = self.taps[axis], self.steps[axis], self.spread[axis]
            overhang = fit.overhang
            if fit.output == 1:
                padded = x.shape[axis] + fit.before + fit.after
                count, step = min(count, (padded - 1) // spread + 1), min(max(step, spread), padded)
                overhang = 0
            taps.append(count)
            steps.append(step)
            padding.append((fit.before, fit.after + overhang))
        return Laid((taps[0], taps[1]), (steps[0], steps[1]), (padding[0], padding[1]))

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window:
        height, width = self.fit(inputs[0])
        extent = tuple((taps - 1) * step + 1 for taps, step in zip(self.taps, self.spread, strict=True))
        return Window((extent[0], extent[1]), self.steps, (height.before, width.before))

    def warnings(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        height, width = self.fit(inputs[0])
        lost = [
            f"the last {row if fit.unread == 1 else f'{fit.unread} {row}s'} of {size}"
            for fit, size, row in zip((height, width), inputs[0].shape, ("row", "column"), strict=False)
            if fit.unread
        ]
        return (
            [f"{' and '.join(lost)} {'are' if len(lost) > 1 or 's of' in lost[0] else 'is'} never read"] if lost else ()
        )


def require_map(x: TensorType, kind: str) -> None:
    """Raises `ShapeError` unless the input has height, width and channels."""
    if not x.is_map:
        raise ShapeError(
            f"{kind} works on maps (height × width × channels), but its input is a vector of {x} features",
            code="E302",
            help=["put it before the layer that flattens"],
        )

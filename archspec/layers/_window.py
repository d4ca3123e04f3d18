"""Geometry of sliding windows: W2 = (W1 − F + 2P)/S + 1 with padding, dilation and rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import Field

from archspec.diagnostics import Setting, ShapeError, count
from archspec.fields import Padding, Rounding, Sides
from archspec.layers._base import Halo, Layer, OnRows, Window
from archspec.terms import window_at
from archspec.types import TensorType

if TYPE_CHECKING:
    import numpy as np

_T = TypeVar("_T")

AXES = ("height", "width")
LENGTH = ("length",)
UNREAD = "never read"


class Fit(NamedTuple):
    """How windows lie on one axis."""

    output: int
    before: int
    after: int
    """Padding asked for; with ceil rounding `overhang` comes on top of it."""
    overhang: int
    unread: int
    """Input pixels at the far end that no window reads, although neighbouring windows leave no gaps."""


class Axis(NamedTuple):
    """What a window has on one axis of its input."""

    name: str
    taps: int
    """Its size, dilation left out."""
    step: int
    """The distance between windows."""
    spread: int
    """The distance between its taps."""
    pad: tuple[int, int] | str


class Laid(NamedTuple):
    """Windows as they are computed: taps, distance, and padding with the overhang of ceil rounding."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
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
    if pad == "causal":
        before, after = extent - 1, 0
    elif pad == "same":
        if extent % 2 == 0:
            by_hand = "[[before, after]]" if axis in LENGTH else "[[top, bottom], [left, right]]"
            end = "end" if axis in LENGTH else "bottom and right"
            raise ShapeError(
                f"pad: same needs an odd {field}, but its {axis} is {_extent_text(kernel, dilation)}",
                code="E304",
                help=[
                    Setting(f"make the {field} odd, for example {kernel + 1}", ((field, kernel + 1),)),
                    f"pad: {by_hand} by hand, which add up to {extent - 1}",
                    Setting(
                        f"pad: same_upper puts the odd pixel at the {end}, as TensorFlow does", (("pad", "same_upper"),)
                    ),
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
                *([Setting(f"{field} {kernel + rest} fits", ((field, kernel + rest),))] if dilation == 1 else []),
                "rounding: floor or ceil accepts it",
                *(Setting(f"rounding: {way}", (("rounding", way),), said=False) for way in ("floor", "ceil")),
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


def _signed(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def _extent_text(kernel: int, dilation: int) -> str:
    return str(kernel) if dilation == 1 else f"({kernel} − 1)·{dilation} + 1 = {(kernel - 1) * dilation + 1}"


def _arithmetic(size: int, kernel: int, dilation: int, before: int, after: int, stride: int) -> str:
    extent = str(kernel) if dilation == 1 else f"[({kernel} − 1)·{dilation} + 1]"
    padding = f"2·{before}" if before == after else f"{before} + {after}"
    return f"({size} − {extent} + {padding})/{stride} + 1"


def _ways_to_fit(size: int, kernel: int, dilation: int, before: int, after: int, field: str) -> list[Setting]:
    ways = []
    largest = (size + before + after - 1) // dilation + 1
    if largest >= 1:
        ways.append(Setting(f"a {field} of {largest} or less fits", ((field, largest),)))
    missing = (kernel - 1) * dilation + 1 - size - before - after
    pad = max(before, after) + -(-missing // 2)
    ways.append(Setting(f"pad {pad} gives an output of 1 or more on this axis", (("pad", pad),)))
    if dilation > 1 and kernel <= size + before + after:
        spread = (size + before + after - 1) // (kernel - 1)
        ways.append(Setting(f"dilation {spread} or less fits", (("dilation", spread),)))
    return ways


_last: tuple[object, TensorType | None, tuple[tuple[Axis, ...], tuple[Fit, ...]]] = (None, None, ((), ()))
"""A layer, an input, and how the layer's windows lie on it."""


class Windowed(Layer):
    """A layer whose window slides over height and width, or over length. Subclasses say how large it is and how it
    moves.
    """

    extent_field: ClassVar[str] = "kernel"
    """The field with the window's size, for messages."""
    beyond: ClassVar[Literal["zeros", "least"]] = "zeros"
    """What windows see in the padding."""

    pad: Annotated[
        Padding,
        Field(
            description="padding in pixels, or same, same_upper, valid; on a signal also [[before, after]] and causal, "
            "which is all before"
        ),
    ] = ((0, 0), (0, 0))
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

    def along(self, x: TensorType) -> tuple[Axis, ...]:
        """The window on each axis of an input. Raises `ShapeError` where the fields or the input have another number
        of axes.
        """
        return self._placed(x)[0]

    def fit(self, x: TensorType) -> tuple[Fit, ...]:
        """How the windows lie on each axis of an input. Raises `ShapeError`."""
        return self._placed(x)[1]

    def _placed(self, x: TensorType) -> tuple[tuple[Axis, ...], tuple[Fit, ...]]:
        """The window on each axis, and how it lies there. A layer is asked several times in a row: the last is kept."""
        global _last
        layer, kind, placed = _last
        if layer is not self or kind != x:
            axes = self._axes(x)
            placed = (axes, self._fitting(x, axes))
            _last = (self, x, placed)
        return placed

    def _axes(self, x: TensorType) -> tuple[Axis, ...]:
        require_places(x, self.kind)
        names = axes_of(x)
        if self.pad == "causal" and x.is_map:
            raise ShapeError(
                f"`pad: causal` is for signals, where no output sees what comes later, but its input {x} is a map",
                code="E302",
                help=["`pad: [[top, bottom], [left, right]]`"],
                field="pad",
            )
        pads = (self.pad,) * len(names) if isinstance(self.pad, str) else on_axes(self.pad, x, "pad")
        taps, steps, spread = (
            on_axes(self.taps, x, self.extent_field),
            on_axes(self.steps, x, "stride"),
            on_axes(self.spread, x, "dilation"),
        )
        return tuple([Axis(name, taps[i], steps[i], spread[i], pads[i]) for i, name in enumerate(names)])

    def _fitting(self, x: TensorType, axes: tuple[Axis, ...]) -> tuple[Fit, ...]:
        return tuple(
            [
                fit_axis(
                    x.shape[i],
                    axis.taps,
                    axis.step,
                    axis.spread,
                    axis.pad,
                    self.rounding,
                    axis=axis.name,
                    field=self.extent_field,
                )
                for i, axis in enumerate(axes)
            ]
        )

    def positions(self, x: TensorType) -> tuple[int, ...]:
        """The output's height and width, or its length. Raises `ShapeError`."""
        return tuple(fit.output for fit in self.fit(x))

    def padding(self, x: TensorType) -> Sides:
        """Padding on the sides, the overhang of ceil rounding included: what lowering passes on."""
        return tuple((fit.before, fit.after + fit.overhang) for fit in self.fit(x))

    def laid(self, x: TensorType) -> Laid:
        """The windows as a pooling computes them: where one window lies on an axis, only its taps within the map.

        It gives the same numbers, and no window or stride that is far larger than the map makes arrays of its size.
        """
        taps, steps, padding = [], [], []
        for size, axis, fit in zip(x.spatial, self.along(x), self.fit(x), strict=True):
            count, step, spread = axis.taps, axis.step, axis.spread
            overhang = fit.overhang
            if fit.output == 1:
                padded = size + fit.before + fit.after
                count, step = min(count, (padded - 1) // spread + 1), min(max(step, spread), padded)
                overhang = 0
            taps.append(count)
            steps.append(step)
            padding.append((fit.before, fit.after + overhang))
        return Laid(tuple(taps), tuple(steps), tuple(padding))

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window | None:
        axes = self.along(inputs[0])
        return window(
            [(axis.taps - 1) * axis.spread + 1 for axis in axes],
            [axis.step for axis in axes],
            [fit.before for fit in self.fit(inputs[0])],
        )

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        """The windows whose first tap, on the padded map, lies at own rows, where these are stride·own outputs."""
        x = inputs[0]
        rows, columns = self.fit(x)
        axis = self.along(x)[0]
        extent = (axis.taps - 1) * axis.spread + 1
        if x.shape[0] != axis.step * rows.output:
            return None
        if not rows.before + rows.after + rows.overhang:
            # Each window lies within a part, and its module pads no rows.
            return OnRows()
        sides = (columns.before, columns.after + columns.overhang)
        layer = self.model_copy(update={"pad": ((0, 0), sides), "rounding": "floor"})
        return OnRows(layer, Halo(rows.before, max(0, extent - axis.step - rows.before), self.beyond))

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        x = inputs[0]
        lines = []
        for size, axis, fit in zip(x.spatial, self.along(x), self.fit(x), strict=True):
            if axis.pad == "same_upper":
                lines.append(f"{axis.name}: {size}/{axis.step}, rounded up = {fit.output}")
                continue
            sides = (fit.before, fit.after)
            whole = _arithmetic(size, axis.taps, axis.spread, *sides, axis.step)
            room = size - ((axis.taps - 1) * axis.spread + 1) + sum(sides)
            exact = room / axis.step + 1
            if exact == fit.output:
                lines.append(f"{axis.name}: {whole} = {fit.output}")
                continue
            way = "up" if fit.output > exact else "down"
            lines.append(f"{axis.name}: {whole} = {_signed(exact)}, rounded {way} = {fit.output}")
        return lines

    def window_on(
        self, at: Sequence[int], x: np.ndarray, channels: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the window of an output position sees of x, (*spatial, channels), as `window_at` says it."""
        kind = TensorType(x.shape)
        axes, fits = self.along(kind), self.fit(kind)
        start = [place * axis.step - fit.before for place, axis, fit in zip(at, axes, fits, strict=True)]
        return window_at(x, start, [axis.taps for axis in axes], [axis.spread for axis in axes], channels)

    def warnings(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        x = inputs[0]
        fits = self.fit(x)
        # Who writes `rounding: floor` has said so.
        if "rounding" in self.model_fields_set or not any(fit.unread for fit in fits):
            return ()
        lost = [
            f"the last {row if fit.unread == 1 else f'{fit.unread} {row}s'} of {size}"
            for fit, size, row in zip(fits, x.spatial, rows_of(x), strict=True)
            if fit.unread
        ]
        return [f"{' and '.join(lost)} {'are' if len(lost) > 1 or 's of' in lost[0] else 'is'} {UNREAD}"]

    def warning_help(self, text: str) -> Sequence[str | Setting]:
        if not text.endswith(UNREAD):
            return ()
        return [
            "`rounding: floor` says that it is meant; `rounding: ceil`, `pad` or another input size reads them",
            *(Setting(f"`rounding: {way}`", (("rounding", way),), said=False) for way in ("floor", "ceil")),
        ]


def axes_of(x: TensorType) -> tuple[str, ...]:
    """What the axes of a map or signal are called, channels left out."""
    return AXES if x.is_map else LENGTH


def rows_of(x: TensorType) -> tuple[str, ...]:
    """What one place on each axis is called."""
    return ("row", "column") if x.is_map else ("position",)


def on_axes(values: tuple[_T, ...], x: TensorType, field: str) -> tuple[_T, ...]:
    """A field's values for the axes of a map or signal, of a pair of equal ones the one that a signal takes.

    Raises `ShapeError` where the field is made for another number of axes.
    """
    axes = len(x.spatial)
    if len(values) == axes:
        return values
    if axes == 1:
        if len(set(values)) == 1:
            return values[:1]
        way = Setting(f"one number: `{field}: {values[0]}`", ((field, values[0]),))
        if isinstance(values[0], tuple):
            # Who gives two numbers for a signal mostly means its ends.
            ends = [side[0] for side in values if isinstance(side, tuple) and len(set(side)) == 1]
            sides = (tuple(ends or values[0]),)
            said = f"`{field}: [[before, after]]`, such as `{field}: {_listed(sides)}`"
            way = Setting(said, ((field, sides),))
        raise ShapeError(
            f"`{field}` has two axes, {_listed(values)}, but its input {x} is a signal, which has one",
            code="E302",
            help=[way],
            field=field,
        )
    raise ShapeError(
        f"`{field}: {_listed(values)}` is for signals, which have one axis, but its input {x} is a map",
        code="E302",
        help=[f"`{field}: [[top, bottom], [left, right]]`"],
        field=field,
    )


def _listed(values: object) -> str:
    """As the language writes it: lists for tuples."""
    return f"[{', '.join(map(_listed, values))}]" if isinstance(values, tuple) else str(values)


def window(kernel: Sequence[int], stride: Sequence[float], pad: Sequence[float]) -> Window:
    """The window with these numbers for each axis; a signal's second axis says nothing."""
    kernels, strides, pads = (*kernel, 1), (*stride, 1), (*pad, 0)
    return Window((kernels[0], kernels[1]), (strides[0], strides[1]), (pads[0], pads[1]))


def require_places(x: TensorType, kind: str) -> None:
    """Raises `ShapeError` unless the input is a map or a signal."""
    if x.is_vector:
        raise ShapeError(
            f"{kind} works on maps (height × width × channels) and signals (length × channels), "
            f"but its input is a vector of {count(x.size, 'feature')}",
            code="E302",
            help=["put it before the layer that flattens"],
        )


def require_alike(inputs: Sequence[TensorType], kind: str) -> None:
    """Raises `ShapeError` unless all inputs are maps, or all are signals."""
    for x in inputs:
        require_places(x, kind)
    if len({len(x.shape) for x in inputs}) > 1:
        raise ShapeError(
            f"{kind} takes maps or signals, but its inputs are {' and '.join(map(str, inputs))}", code="E302"
        )

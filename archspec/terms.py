"""Of one number of a layer's output, the numbers that make it. NumPy is imported where arrays are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from archspec.types import TensorType


class Terms(NamedTuple):
    """What makes one number of an output.

    `sum` is Σ x·w + b, `mean` Σ x / divisor, `max` the largest x, `value` an x that is passed on, or 0; `formula` is
    lines with the numbers put in. `values` are of the first input, (*taps, channels), in 64 bits, and `weights` what
    each is multiplied by; of what lies outside of the input or takes no part, `inside`, (*taps,), is false and the
    value 0. `places`, (*taps, axes), are the positions there, `channels` the input's channels by number.
    `magnitude` is the sum of the terms' absolute values, against which rounding is to be seen.
    """

    how: Literal["sum", "mean", "max", "value", "formula"]
    result: float
    magnitude: float
    values: np.ndarray | None = None
    weights: np.ndarray | None = None
    inside: np.ndarray | None = None
    places: np.ndarray | None = None
    channels: tuple[int, ...] = ()
    bias: float | None = None
    divisor: int = 1
    formula: tuple[str, ...] = ()

    @property
    def products(self) -> np.ndarray:
        """x·w of every tap and channel; the values themselves where there are no weights."""
        import numpy as np

        assert self.values is not None
        return np.asarray(self.values if self.weights is None else self.values * self.weights)

    @property
    def sums(self) -> np.ndarray:
        """Σ x·w over the taps, of each channel."""
        import numpy as np

        products = self.products
        return np.asarray(products.reshape(-1, products.shape[-1]).sum(0))

    @property
    def winner(self) -> tuple[int, ...]:
        """The tap of the largest value, the first of equals, counted along the axes of a window."""
        import numpy as np

        assert self.values is not None and self.inside is not None
        seen = np.where(self.inside, self.values[..., 0], -np.inf)
        return tuple(int(at) for at in np.unravel_index(int(seen.argmax()), seen.shape))


class Unit(NamedTuple):
    """A channel of a layer's output at a position, and what the layer takes for it, in 64 bits.

    `inputs` are of one sample, without a batch, and of `types`; of a port of indices the input has the numbers of the
    taps that won. `arrays` are those that `Layer.weights` declares, by name.
    """

    at: tuple[int, ...]
    channel: int
    inputs: Sequence[np.ndarray]
    types: Sequence[TensorType]
    arrays: Mapping[str, np.ndarray]

    @property
    def value(self) -> float:
        """What the first input has there."""
        return self.values[0]

    @property
    def values(self) -> list[float]:
        """What each input has there."""
        return [float(x[(*self.at, self.channel)]) for x in self.inputs]

    def own(self, name: str) -> float | None:
        """The number of an array of the layer's for this channel, and position where it has one for each; None where
        the layer has no such array."""
        if name not in self.arrays:
            return None
        array = self.arrays[name]
        return float(array[self.channel] if array.ndim == 1 else array[(*self.at, self.channel)])


def said(value: float) -> str:
    """A number in six digits at most, whole ones as they are."""
    return f"{value:.6g}".replace("-", "−")


def signed(value: float) -> str:
    """A number as a summand that follows others: `+ 3`, `− 0.5`."""
    return f"− {said(-value)}" if value < 0 else f"+ {said(value)}"


def said_sum(values: Sequence[float]) -> str:
    """Numbers as a sum: `3 + 1 − 0.5`."""
    return " ".join([said(values[0]), *map(signed, values[1:])])


def summed(
    values: np.ndarray,
    weights: np.ndarray,
    bias: float | None,
    inside: np.ndarray,
    places: np.ndarray,
    channels: Sequence[int],
) -> Terms:
    """Σ x·w + b."""
    products = values * weights
    result = float(products.sum()) + (bias or 0.0)
    magnitude = float(abs(products).sum()) + abs(bias or 0.0)
    return Terms("sum", result, magnitude, values, weights, inside, places, tuple(channels), bias)


def largest(values: np.ndarray, inside: np.ndarray, places: np.ndarray, channel: int) -> Terms:
    """The largest value of a window, in which padding never wins."""
    import numpy as np

    seen = np.where(inside[..., None], values, -np.inf)
    return Terms("max", float(seen.max()), float(abs(values).max()), values, None, inside, places, (channel,))


def averaged(values: np.ndarray, inside: np.ndarray, places: np.ndarray, channel: int, divisor: int) -> Terms:
    """Σ x / divisor."""
    return Terms(
        "mean",
        float(values.sum()) / divisor,
        float(abs(values).sum()) / divisor,
        values,
        None,
        inside,
        places,
        (channel,),
        divisor=divisor,
    )


def formula(result: float, magnitude: float, *lines: str) -> Terms:
    return Terms("formula", result, magnitude, formula=lines)


def normalised(x: float, mean: float, var: float, epsilon: float, scale: float | None, bias: float | None) -> Terms:
    """scale·(x − μ)/√(σ² + ε) + bias, of which a factor and a summand may be missing."""
    factor = (1.0 if scale is None else scale) / (var + epsilon) ** 0.5
    words = "(x − μ)/√(σ² + ε)"
    numbers = f"({said(x)} {signed(-mean)})/√({said(var)} + {said(epsilon)})"
    if scale is not None:
        words, numbers = f"scale·{words}", f"{said(scale)}·{numbers}"
    if bias is not None:
        words, numbers = f"{words} + bias", f"{numbers} {signed(bias)}"
    result = factor * (x - mean) + (bias or 0.0)
    magnitude = abs(factor) * (abs(x) + abs(mean)) + abs(bias or 0.0)
    return formula(result, magnitude, words, numbers)


def window_at(
    x: np.ndarray, start: Sequence[int], taps: Sequence[int], spread: Sequence[int], channels: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a window sees of x, (*spatial, channels): values, (*taps, channels), which taps lie inside, and where."""
    import numpy as np

    axes = [first + step * np.arange(count) for first, count, step in zip(start, taps, spread, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    inside = ((places >= 0) & (places < x.shape[:-1])).all(-1)
    return seen_at(x, places, inside, channels), inside, places


def windows_over(
    at: Sequence[int],
    sizes: Sequence[int],
    taps: Sequence[int],
    step: Sequence[int],
    before: Sequence[int],
    spread: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """The windows that have a place as one of their taps: tap t of window i where place + before = i·step + t·spread.

    Gives which taps are some window's, (*taps,), and which one's, (*taps, axes), of `sizes` windows.
    """
    import numpy as np

    sources, hits = [], []
    for place, size, count, own, first, apart in zip(at, sizes, taps, step, before, spread, strict=True):
        reached = place + first - apart * np.arange(count)
        source = reached // own
        sources.append(source)
        hits.append((reached % own == 0) & (source >= 0) & (source < size))
    inside = np.logical_and.reduce(np.meshgrid(*hits, indexing="ij"))
    return inside, np.stack(np.meshgrid(*sources, indexing="ij"), -1)


def seen_at(x: np.ndarray, places: np.ndarray, inside: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Values of x, (*spatial, channels), at places, and 0 where these are not inside."""
    import numpy as np

    near = np.clip(places, 0, np.array(x.shape[:-1]) - 1)
    return np.where(inside[..., None], x[tuple(np.moveaxis(near, -1, 0))][..., list(channels)], 0.0)


def whole_map(x: np.ndarray, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A channel of all of x, (*spatial, channels), as `window_at` gives a window."""
    axes = x.ndim - 1
    return window_at(x, [0] * axes, x.shape[:-1], [1] * axes, (channel,))

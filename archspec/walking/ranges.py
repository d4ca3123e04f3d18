"""The steps of a sweep: by how much an image is shifted, turned or scaled, as it is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, floor, isfinite
from typing import Any, Literal, NamedTuple

import numpy as np

from archspec.diagnostics import DataError

Kind = Literal["shift", "rotate", "scale"]
Direction = Literal["horizontal", "vertical", "diagonal"]

KINDS: tuple[Kind, ...] = ("shift", "rotate", "scale")
UNITS: dict[Kind, str] = {"shift": "px", "rotate": "°", "scale": "×"}
STILL: dict[Kind, float] = {"shift": 0.0, "rotate": 0.0, "scale": 1.0}
"""The step at which the image is as it was."""

SHIFTS = 33
"""Steps of a shift, at most, unless another number is asked for; every pixel where that many are enough."""
TURNS = 37
SCALES = 17
MOST_STEPS = 1000
SMALLEST, LARGEST = 1 / 16, 16.0
"""Bounds of scales: beyond them hardly anything of an image is left."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(?:(?P<way>[a-z]+)(?::|$))?(?:(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})|(?P<both>{_NUMBER}))?")


class Range(NamedTuple):
    """The steps that are asked for: from `low` to `high`, both None for the usual ones."""

    low: float | None = None
    high: float | None = None
    direction: Direction = "horizontal"


Given = bool | str | float | Sequence[float]


def range_of(kind: Kind, given: Given) -> Range:
    """A range as it is given: nothing, `LOW..HIGH`, one number for both ways, of shifts behind a direction.

    Raises `DataError`.
    """
    if given is True or given == "":
        return Range()
    if isinstance(given, str):
        return _parsed(kind, given.strip().replace("−", "-"))
    if isinstance(given, (int, float)):
        return _checked(kind, Range(*_both(kind, float(given))), given)
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        raise _no_range(kind, given) from None
    return _checked(kind, Range(low, high), given)


def _parsed(kind: Kind, text: str) -> Range:
    match = _RANGE.fullmatch(text)
    way = match and match["way"]
    if match is None or (way is not None and (kind != "shift" or way not in ("horizontal", "vertical", "diagonal"))):
        raise _no_range(kind, text)
    direction: Any = way or "horizontal"
    if match["both"] is not None:
        return _checked(kind, Range(*_both(kind, float(match["both"])), direction), text)
    if match["high"] is None:
        return Range(direction=direction)
    return _checked(kind, Range(float(match["low"]), float(match["high"]), direction), text)


def _both(kind: Kind, number: float) -> tuple[float, float]:
    if kind == "scale":
        return (1 / number, number) if number else (0.0, 0.0)
    return -number, number


def _checked(kind: Kind, asked: Range, given: Any) -> Range:
    """The range, its ends in order. Raises `DataError`."""
    assert asked.low is not None and asked.high is not None
    if not (isfinite(asked.low) and isfinite(asked.high)) or asked.low == asked.high:
        raise _no_range(kind, given)
    low, high = sorted((asked.low, asked.high))
    if kind == "shift" and (low % 1 or high % 1):
        raise DataError(
            "E113",
            f"shifts are whole pixels, which {_said(given)} are not",
            help=[f"--shift {floor(low)}..{ceil(high)}"],
        )
    if kind == "rotate" and (low < -360 or high > 360):
        raise DataError("E113", f"angles are from -360 to 360 degrees, not {_said(given)}", help=["--rotate -180..180"])
    if kind == "scale" and not SMALLEST <= low < high <= LARGEST:
        raise DataError(
            "E113", f"scales are factors from {SMALLEST:g} to {LARGEST:g}, not {_said(given)}", help=["--scale 0.5..2"]
        )
    return Range(low, high, asked.direction)


def _said(given: Any) -> str:
    return repr(given)[:60]


def _no_range(kind: Kind, given: Any) -> DataError:
    usual = {
        "shift": ["--shift -8..8, pixels to the right", "--shift vertical:-8..8, or diagonal:-8..8"],
        "rotate": ["--rotate -180..180, degrees counterclockwise"],
        "scale": ["--scale 0.5..2, factors"],
    }
    help = [*usual[kind], f"--{kind} alone takes the usual range; the run's folder stands before it"]
    return DataError("E113", f"{_said(given)} is no range to {kind} by", help=help)


def steps_of(kind: Kind, asked: Range, size: tuple[int, int], count: int | None, notes: list[str]) -> np.ndarray:
    """The steps of a sweep over an image of (height, width) pixels: so many, or the usual ones; what was made of the
    number is added to `notes`. Raises `DataError`."""
    low, high = asked.low, asked.high
    if kind == "shift":
        side = _side(size, asked.direction)
        if low is None or high is None:
            low, high = -max(side // 4, 1), max(side // 4, 1)
        if max(-low, high) >= side:
            raise DataError(
                "E113",
                f"the network sees images of {size[0]}×{size[1]}: shifted by {max(-low, high):g} pixels "
                "nothing is left of one",
                help=[f"--shift {-side // 4}..{side // 4}"],
            )
        if count is not None:
            values = np.unique(np.rint(np.linspace(low, high, count)))
            if len(values) < count:
                notes.append(f"shifts are whole pixels: {len(values)} steps, and not {count}")
            return values
        step = ceil((high - low + 1) / SHIFTS)
        inner = np.arange(ceil(low / step), floor(high / step) + 1) * step
        return np.unique(np.concatenate([inner, [low, high]])).astype(np.float64)
    if kind == "rotate":
        low, high = (-180.0, 180.0) if low is None or high is None else (low, high)
        return np.linspace(low, high, count or TURNS)
    low, high = (0.5, 2.0) if low is None or high is None else (low, high)
    values = np.geomspace(low, high, count or SCALES)
    return np.where(np.abs(values - 1) < 1e-9, 1.0, values)


def _side(size: tuple[int, int], direction: Direction) -> int:
    height, width = size
    return {"horizontal": width, "vertical": height, "diagonal": min(height, width)}[direction]

"""Figures as people read and write them: SI prefixes for operations, MiB for memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.graph import GraphInput
    from archspec.types import TensorType

import re
from decimal import ROUND_HALF_EVEN, Context

_BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}


def significant(value: float, digits: int) -> str:
    """A number to so many significant digits, without an exponent or zeros at its end; half-way, the even one.

    The page's script rounds in the same way, so that a figure reads the same everywhere.
    """
    return f"{Context(prec=digits, rounding=ROUND_HALF_EVEN).create_decimal(value).normalize():f}"


def si(value: float) -> str:
    """Operations with an SI prefix: 416.5 k, 4.089 G."""
    *smaller, largest = ("", " k", " M", " G", " T", " P", " E")
    for power, prefix in enumerate(smaller):
        if value >= 1000 ** (power + 1):  # a larger prefix, however it is rounded
            continue
        text = significant(value / 1000**power, 4)
        if abs(float(text)) < 1000:
            return text + prefix
    return significant(value / 1000 ** len(smaller), 4) + largest


def mebibytes(value: int) -> str:
    """Bytes in MiB; less than a tenth of one in KiB or bytes, whole gibibytes in GiB."""
    if value >= 2**30 and value % 2**30 == 0:
        return f"{value // 2**30:,} GiB"
    if value >= 999.5 * 2**20:
        return f"{round(value / 2**20):,} MiB"
    if value >= 2**20 / 10:
        return f"{significant(value / 2**20, 3)} MiB"
    return f"{significant(value / 2**10, 3)} KiB" if value >= 1000 else f"{value} B"


def read_bytes(text: str) -> int:
    """Bytes of a size with its unit: 16GiB, 512 MiB, 80GB. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{1,3})", text.strip())
    units = {name.lower(): factor for name, factor in _BYTES.items()}
    if match is None or match[2].lower() not in units:
        raise ValueError(f"{text!r} is not a size with its unit, such as 16GiB, 512MiB or 80GB")
    return int(float(match[1]) * units[match[2].lower()])


def read_rate(text: str) -> float:
    """Bytes a second of a rate with its unit: 400Gb/s (bits), 50 GB/s. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([KMGT])(b|B)/s", text.strip())
    rate = 0.0 if match is None else float(match[1]) * _BYTES[f"{match[2]}B"] / (8 if match[3] == "b" else 1)
    if not rate:
        raise ValueError(f"{text!r} is not a rate with its unit, such as 400Gb/s (bits) or 50GB/s (bytes)")
    return rate


def size_text(kind: TensorType) -> str:
    """A type with what its axes are: `32×32×1 (H×W×C)`, `800×1 (L×C)`, `10 (features)`."""
    axes = "H×W×C" if kind.is_map else "L×C" if kind.is_signal else "features"
    return f"{kind} ({axes})"


def inputs_text(inputs: Sequence[GraphInput]) -> str:
    """What a network takes, in words: `input 32×32×1 (H×W×C)`, `inputs left 28×28×1 (H×W×C), number 10 (features)`."""
    if len(inputs) == 1:
        return f"input {size_text(inputs[0].type)}"
    return "inputs " + ", ".join(f"{item.name} {size_text(item.type)}" for item in inputs)

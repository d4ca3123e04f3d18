"""Figures as people read and write them: SI prefixes for operations, MiB for memory."""

from __future__ import annotations

import re

_BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}


def si(value: float) -> str:
    """Operations with an SI prefix: 416.5 k, 4.089 G."""
    for factor, prefix in ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}"
    return f"{value:.4g}"


def mebibytes(value: int) -> str:
    """Bytes in MiB; less than a tenth of one in KiB or bytes, whole gibibytes in GiB."""
    if value >= 2**30 and value % 2**30 == 0:
        return f"{value // 2**30:,} GiB"
    if value >= 1000 * 2**20:
        return f"{value / 2**20:,.0f} MiB"
    if value >= 2**20 / 10:
        return f"{value / 2**20:.3g} MiB"
    return f"{value / 2**10:.3g} KiB" if value >= 1000 else f"{value} B"


def read_bytes(text: str) -> int:
    """Bytes of a size with its unit: 16GiB, 512 MiB, 80GB. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{1,3})", text.strip())
    units = {name.lower(): factor for name, factor in _BYTES.items()}
    if match is None or match[2].lower() not in units:
        raise ValueError(f"{text!r} is not a size with its unit, such as 16GiB, 512MiB or 80GB")
    return int(float(match[1]) * units[match[2].lower()])

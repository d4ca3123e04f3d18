"""How large files may become when they are unpacked: a stated limit each, which an environment variable raises.

And how much memory and how many cores there are.
"""

from __future__ import annotations

import os

from archspec.diagnostics import DataError, count

MEGAPIXELS = "ARCHSPEC_MAX_MEGAPIXELS"
"""Names the pixels of an image file, in millions; 128 where it is not set."""
GIGABYTES = "ARCHSPEC_MAX_DATA_GB"
"""Names the bytes that one file of arrays may unpack to, in thousands of millions; 4 where it is not set."""

_DEFAULTS = {MEGAPIXELS: 128.0, GIGABYTES: 4.0}
_UNITS = {MEGAPIXELS: 10**6, GIGABYTES: 10**9}


def limit(name: str) -> int:
    """The pixels or bytes that are allowed. Raises `DataError` where the variable holds no number above 0."""
    given = os.environ.get(name, "").strip()
    if not given:
        return round(_DEFAULTS[name] * _UNITS[name])
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise DataError("E506", f"the environment variable {name} is {given[:40]!r}, not a number above 0")
    return round(value * _UNITS[name])


def check_pixels(what: str, height: int, width: int, code: str) -> None:
    """Raises `DataError` where an image has more pixels than are allowed."""
    allowed = limit(MEGAPIXELS)
    if height * width > allowed:
        raise DataError(
            code,
            f"{what} has {height:,}×{width:,} pixels, {height * width / 1e6:,.4g} million; the limit is "
            f"{allowed / 1e6:,.4g} million",
            help=[f"if it is not a mistake, {MEGAPIXELS}={-(-height * width // 10**6)} raises the limit"],
        )


def check_bytes(what: str, size: int, stored: int, code: str = "E506") -> None:
    """Raises `DataError` where so many stored bytes unpack to more than are allowed; what is not packed always may."""
    allowed = limit(GIGABYTES)
    if size > max(allowed, stored):
        raise DataError(
            code,
            f"{what} unpacks to {size / 1e9:,.3g} GB from {_small(stored)}; the limit is {allowed / 1e9:,.3g} GB",
            help=[f"if it is not a mistake, {GIGABYTES}={-(-size // 10**9)} raises the limit"],
        )


def machine_memory() -> int | None:
    """The bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def check_memory(what: str, size: int) -> None:
    """Raises `DataError` where data of so many bytes cannot be held in this machine's memory."""
    memory = machine_memory()
    if memory is not None and size > memory:
        raise DataError(
            "E507",
            f"{what} would take {size / 1e9:,.3g} GB as bytes; this machine has {memory / 1e9:,.3g} GB of memory",
            help=["a smaller `size`, or fewer images"],
        )


def _small(size: int) -> str:
    return f"{size / 1e6:,.3g} MB" if size >= 10**6 else count(size, "byte")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

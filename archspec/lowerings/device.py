"""The device that programs are compiled for, as far as it decides how operations are computed."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
from jaxlib import version


class Device(NamedTuple):
    """`backend` is "cpu", "gpu" or "tpu", `jaxlib` its version, `onednn` whether programs call oneDNN on a CPU."""

    backend: str
    kind: str
    jaxlib: tuple[int, ...]
    onednn: bool


def version_of(text: str) -> tuple[int, ...]:
    """`0.10.2` as (0, 10, 2)."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


@cache
def this_device() -> Device:
    """That of the default backend."""
    from archspec.lowerings.compiling import options

    first = jax.devices()[0]
    return Device(jax.default_backend(), first.device_kind, version_of(version.__version__), bool(options()))

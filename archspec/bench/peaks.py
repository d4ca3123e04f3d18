"""The device that programs run on, with its peaks: a vendor's where `devices.yaml` has them, else measured."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp

from archspec.bench.clock import block
from archspec.figures.devices import Device, devices
from archspec.lowerings.choosing import default
from archspec.lowerings.compiling import jit

SIDE = 2048
"""Rows and columns of the matrices whose product is timed."""
NUMBERS = 2**25
"""Those of an array that is read and written: more than caches hold."""


def this_device(precision: str = "float32") -> Device:
    """The first device of the default backend, with a peak for a precision."""
    kind = jax.devices()[0].device_kind
    known = known_device(kind)
    return known if known is not None and precision in known.flops else measured(kind, precision)


def known_device(kind: str) -> Device | None:
    """The device of `devices.yaml` that a driver calls by this name, which has all words of its own, and the most."""
    words = set(re.findall(r"[a-z0-9]+", kind.lower()))
    found = [(len(parts), device) for name, device in devices().items() if (parts := set(name.split("-"))) <= words]
    return max(found, key=lambda item: item[0])[1] if found else None


def measured(kind: str, precision: str) -> Device:
    """The peaks of a device as they are found now: of a large matrix product, and of a sum that goes through memory."""
    x: Any = jnp.ones((SIDE, SIDE), precision)
    long: Any = jnp.ones(NUMBERS, jnp.float32)
    product = jit(lambda x: x @ x, default())
    moving = jax.jit(lambda x: x + 1)
    best = []
    for step in (lambda: product(x), lambda: moving(long)):
        block(step, 1)
        best.append(min(block(step, 2)[0] for _ in range(5)))
    return Device(
        "cpu" if jax.default_backend() == "cpu" else kind,
        f"this {jax.default_backend()} ({kind})",
        {precision: 2 * SIDE**3 / best[0]},
        8 * NUMBERS / best[1],
        f"measured just now: a product of {SIDE:,}×{SIDE:,} matrices, a sum over {8 * NUMBERS >> 20} MiB moved",
    )

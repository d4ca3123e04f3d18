"""`jit` with the options of XLA under which a device's operations are fastest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from archspec.lowerings.choosing import Lowerings, default


def jit(function: Callable[..., Any], lowerings: Lowerings | None = None, **settings: Any) -> Any:
    """`jax.jit` of a program of a whole network, with the compiler options of its lowerings; by default this device's.

    It asks for the device: at the top of a module it would do so when that is imported.
    """
    return jax.jit(function, compiler_options=(lowerings or default()).options or None, **settings)

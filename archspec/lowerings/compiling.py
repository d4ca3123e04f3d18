"""`jit` with the options of XLA under which a device's operations are fastest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from archspec.lowerings.choosing import Lowerings, default
from archspec.lowerings.device import options_in


def jit(
    function: Callable[..., Any],
    lowerings: Lowerings | None = None,
    options: Mapping[str, Any] | None = None,
    precision: Any = None,
    **settings: Any,
) -> Any:
    """`jax.jit` of a program of a whole network, with the compiler options of its lowerings; by default this device's.

    Those that a 16-bit `precision` needs to be right go before them, and `options`, which are the program's own, before
    all. It asks for the device: at the top of a module it would do so when that is imported.
    """
    own = {**(lowerings or default()).options, **options_in(precision), **(options or {})}
    return jax.jit(function, compiler_options=own or None, **settings)

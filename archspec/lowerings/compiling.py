"""`jit` with the options of XLA under which a device's operations are fastest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from archspec.lowerings.choosing import Lowerings, default


def jit(
    function: Callable[..., Any],
    lowerings: Lowerings | None = None,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """`jax.jit` of a program of a whole network, with the compiler options of its lowerings; by default this device's.

    Further `options` are the program's own. It asks for the device: at the top of a module it would do so when that is
    imported.
    """
    own = {**(lowerings or default()).options, **(options or {})}
    return jax.jit(function, compiler_options=own or None, **settings)

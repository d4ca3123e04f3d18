"""`jit` with the options of XLA under which a device's operations are fastest."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
from jaxlib import version

ONEDNN: dict[str, Any] = {
    "xla_cpu_experimental_onednn_custom_call": True,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}
"""Convolutions and matrix products by oneDNN, which jaxlib has for x86 processors, reductions by YNNPACK still."""

FIRST_WITH_ONEDNN = (0, 11, 2)


@cache
def options() -> dict[str, Any]:
    """The compiler options for the default backend."""
    from archspec.lowerings.device import version_of

    here = jax.default_backend() == "cpu" and platform.machine() in {"x86_64", "AMD64"}
    return ONEDNN if here and version_of(version.__version__) >= FIRST_WITH_ONEDNN else {}


def jit(function: Callable[..., Any], **settings: Any) -> Any:
    """`jax.jit` of a program of a whole network."""
    return jax.jit(function, compiler_options=options() or None, **settings)

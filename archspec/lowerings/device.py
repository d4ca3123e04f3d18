"""The device that programs are compiled for, as far as it decides how operations are computed."""

from __future__ import annotations

import platform
from functools import cache
from typing import Any, NamedTuple

import jax
from jaxlib import version

ONEDNN: dict[str, Any] = {
    "xla_cpu_experimental_onednn_custom_call": True,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
}
"""Convolutions and matrix products by oneDNN, which jaxlib has for x86 processors, reductions by YNNPACK still.

YNNPACK must be named what is its: with its products alone (INDIVIDUAL_DOT) sums over (8, 56, 56, 64) take 2.9 in
place of 0.3 ms, and with its products beside the sums those go before oneDNN's, (8, 9216) by (9216, 4096) 32 in place
of 23 ms.
"""

NO_YNNPACK: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Without YNNPACK's reductions: of jaxlib 0.12 they give NaN for a mean over what two layers in bfloat16 made, on
processors that do not multiply bfloat16, and with oneDNN too."""

FIRST_WITH_ONEDNN, FIRST_UNTRIED = (0, 11, 2), (0, 13)
"""Versions of jaxlib: before the first the options do nothing, and from the second on they may be gone."""


class Device(NamedTuple):
    """`backend` is "cpu", "gpu" or "tpu", `jaxlib` its version, `onednn` whether programs call oneDNN on a CPU."""

    backend: str
    kind: str
    jaxlib: tuple[int, ...]
    onednn: bool

    @property
    def options(self) -> dict[str, Any]:
        """The compiler options under which its operations are fastest."""
        return dict(ONEDNN) if self.onednn else {}

    @property
    def said(self) -> str:
        """`cpu (jaxlib 0.12.0, with oneDNN)`."""
        name = self.kind if self.kind.lower() == self.backend else f"{self.backend} {self.kind}"
        jaxlib = ".".join(map(str, self.jaxlib))
        return f"{name} (jaxlib {jaxlib}{', with oneDNN' if self.onednn else ''})"


def options_in(precision: Any) -> dict[str, Any]:
    """The compiler options that programs in a 16-bit type need to be right, whatever computes their operations; none
    without one."""
    return dict(NO_YNNPACK) if precision is not None and has_ynnpack(jax.default_backend()) else {}


def version_of(text: str) -> tuple[int, ...]:
    """`0.10.2` as (0, 10, 2)."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


@cache
def this_device() -> Device:
    """That of the default backend."""
    backend, first = jax.default_backend(), jax.devices()[0]
    return Device(backend, first.device_kind, version_of(version.__version__), has_onednn(backend))


def has_onednn(backend: str) -> bool:
    """Whether programs for a backend can call oneDNN."""
    return backend == "cpu" and platform.machine() in {"x86_64", "AMD64"} and _knows(ONEDNN)


@cache
def has_ynnpack(backend: str) -> bool:
    """Whether programs for a backend call YNNPACK where it is not told to keep out."""
    return backend == "cpu" and _knows(NO_YNNPACK)


def _knows(options: dict[str, Any]) -> bool:
    """Whether the compiler knows the options: it refuses what it does not know."""
    own = version_of(version.__version__)
    if own < FIRST_UNTRIED:
        return own >= FIRST_WITH_ONEDNN
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except Exception:  # of whichever type a later version raises: without the options all works too
        return False
    return True

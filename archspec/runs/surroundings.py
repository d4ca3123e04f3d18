"""Where a run took place: versions, devices, processor cores."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

from archspec import __version__
from archspec.diagnostics import count, listed
from archspec.images.limits import cores


def surroundings() -> dict[str, Any]:
    """Versions, devices and the number of processor cores: what bits may depend on besides the spec and the data."""
    import jax

    return {
        "archspec": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")},
        "platform": platform.platform(),
        "devices": [f"{device.platform} {device.device_kind}" for device in jax.devices()],
        "cores": cores(),
    }


def made_of(seed: int, command: str | None) -> dict[str, Any]:
    """What run.json begins with."""
    return {**surroundings(), "seed": seed, "command": command or " ".join(sys.argv)}


def other_surroundings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs from where a run began, in words: `3 cores instead of 2`."""
    return [f"{other.said(other.now)} instead of {other.before}" for other in compared(before, now) if other.known]


class Other(NamedTuple):
    """One thing in which two surroundings differ; "" where one of them does not say it."""

    name: str
    before: str
    now: str

    @property
    def known(self) -> bool:
        return bool(self.before and self.now)

    def said(self, value: str) -> str:
        """A value with what it is of: `jax 0.10.2`, `2 cores`."""
        return count(int(value), "core") if self.name == "cores" else f"{self.name} {value}"


def compared(before: dict[str, Any], now: dict[str, Any]) -> list[Other]:
    """What differs between two surroundings: versions, devices, processor cores."""
    return [Other(name, *pair) for name, pair in _pairs(before, now) if pair[0] != pair[1]]


def _pairs(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for key, word in (("archspec", "archspec"), ("python", "Python")):
        yield word, (_text(before.get(key)), _text(now.get(key)))
    packages = [about if isinstance(about, dict) else {} for about in (before.get("packages"), now.get("packages"))]
    for name in dict.fromkeys([*packages[1], *packages[0]]):
        yield str(name), (_text(packages[0].get(name)), _text(packages[1].get(name)))
    yield "devices", (_devices(before), _devices(now))
    yield "cores", (_text(before.get("cores")), _text(now.get("cores")))


def _text(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if isinstance(value, str) else str(value) if whole else ""


def _devices(about: dict[str, Any]) -> str:
    devices = about.get("devices")
    return listed(map(str, devices), 4) if isinstance(devices, list) else ""

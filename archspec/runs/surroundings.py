"""Where a run took place: versions, devices, processor cores."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Any

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
    differences = []
    for name, word in (("archspec", "archspec"), ("python", "Python")):
        if isinstance(before.get(name), str) and before[name] != now[name]:
            differences.append(f"{word} {now[name]} instead of {before[name]}")
    packages = before.get("packages")
    for name, own in now["packages"].items():
        if isinstance(packages, dict) and isinstance(packages.get(name), str) and packages[name] != own:
            differences.append(f"{name} {own} instead of {packages[name]}")
    if isinstance(before.get("devices"), list) and before["devices"] != now["devices"]:
        differences.append(f"devices {listed(now['devices'], 4)} instead of {listed(map(str, before['devices']), 4)}")
    if isinstance(before.get("cores"), int) and before["cores"] != now["cores"]:
        differences.append(f"{count(now['cores'], 'core')} instead of {before['cores']}")
    return differences

"""What is installed, what devices JAX sees, and what is missing."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from archspec import __version__

NEEDED = {
    "pydantic": "pydantic",
    "PyYAML": "yaml",
    "jax": "jax",
    "jaxlib": "jaxlib",
    "flax": "flax",
    "optax": "optax",
    "orbax-checkpoint": "orbax.checkpoint",
    "grain": "grain",
    "numpy": "numpy",
    "pillow": "PIL",
    "matplotlib": "matplotlib",
    "pygraphviz": "pygraphviz",
    "rich": "rich",
    "safetensors": "safetensors",
    "tensorboardX": "tensorboardX",
}
"""Distributions that archspec uses, with the module that each provides."""


def examine() -> dict[str, Any]:
    """Versions, devices and problems, as plain data."""
    packages: dict[str, str | None] = {}
    problems: list[str] = []
    for name, module in NEEDED.items():
        try:
            packages[name] = version(name)
            import_module(module)
        except PackageNotFoundError:
            packages[name] = None
            problems.append(f"{name} is not installed: pip install archspec-jax")
        except Exception as error:  # a broken installation may raise anything; its words are the finding
            problems.append(f"{name} does not import: {error}")
    devices: list[str] = []
    if packages.get("jax"):
        try:
            import jax

            devices = [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]
        except Exception as error:  # drivers fail in many ways
            problems.append(f"JAX finds no device: {error}")
    import yaml

    if not yaml.__with_libyaml__:
        problems.append("PyYAML lacks libyaml: reading works, some five times slower")
    missing = [name for name, here in packages.items() if here is None]
    return {
        "ok": not missing and bool(devices),
        "archspec": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "packages": packages,
        "devices": devices,
        "problems": problems,
    }


def render(facts: dict[str, Any]) -> str:
    """The facts as text."""
    lines = [f"archspec {facts['archspec']}, Python {facts['python']}, {facts['platform']}", ""]
    width = max(map(len, facts["packages"]))
    lines += [f"{name.ljust(width)}  {version or 'missing'}" for name, version in facts["packages"].items()]
    lines += ["", *(f"device {device}" for device in facts["devices"])]
    lines += ["", *(facts["problems"] or ["nothing is missing"])]
    return "\n".join(lines)

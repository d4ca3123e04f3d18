"""What `archspec tune` found on this machine, kept in the user's cache folder.

There is a file for each device and jaxlib; what candidates of other sources did counts for nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from archspec.cache import cache_folder
from archspec.lowerings.case import DIRECTIONS, Case, Direction
from archspec.lowerings.device import Device
from archspec.lowerings.plain import case_of, case_to_plain
from archspec.programs import machine
from archspec.writing import write


class Timed(NamedTuple):
    """The candidate that was fastest in a case and direction, and milliseconds of it and of the library."""

    candidate: str
    ms: float
    library_ms: float

    @property
    def said(self) -> str:
        """In words."""
        if self.candidate == "library":
            return f"{self.ms:.3g} ms, and no other is faster"
        return f"{self.ms:.3g} ms, the library {self.library_ms:.3g}"


Found = dict[Case, dict[Direction, Timed]]


def file_for(device: Device) -> Path:
    """Where choices for a device are kept. CPUs are told apart by what they can do."""
    own = machine() if device.backend == "cpu" else ""
    name = re.sub(r"[^a-z0-9]+", "-", f"{device.backend} {device.kind}".lower()).strip("-")
    jaxlib = ".".join(map(str, device.jaxlib)) + ("-onednn" if device.onednn else "")
    digest = sha256(f"{device.kind} {own}".encode()).hexdigest()[:12]
    return cache_folder("lowerings") / f"{name}-{digest}-jaxlib-{jaxlib}.json"


def sources() -> list[Path]:
    """What candidates are made of: all files of this package but the rules, which only choose."""
    here = Path(__file__).parent
    return [path for path in sorted(here.rglob("*.py")) if path.parent.name != "rules"]


@cache
def version() -> str:
    """A digest of the candidates' sources: what was timed of others says nothing of these."""
    digest, here = sha256(), Path(__file__).parent
    for path in sources():
        digest.update(f"{path.relative_to(here).as_posix()} ".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def read(device: Device) -> Found:
    """What was found on a device; nothing where the file is not there, is damaged, or is of other candidates."""
    try:
        plain = json.loads(file_for(device).read_text("utf-8"))
        if plain["candidates"] != version():
            return {}
        found: Found = {}
        for item in plain["choices"]:
            own = {name: Timed(str(item[name][0]), *map(float, item[name][1:])) for name in DIRECTIONS if name in item}
            found[case_of(item["case"])] = own
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}
    return found


def keep(device: Device, more: Mapping[Case, Mapping[Direction, Timed]]) -> Path:
    """Adds what was found to what is kept, as a whole or not at all. Raises `OSError` where there can be
    no folder for it, and `DataError` (E534) where it cannot be written.
    """
    found = read(device)
    for case, own in more.items():
        found[case] = {**found.get(case, {}), **own}
    choices: list[dict[str, Any]] = [
        {"case": case_to_plain(case), **{name: list(timed) for name, timed in own.items()}}
        for case, own in found.items()
    ]
    path = file_for(device)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps({"candidates": version(), "device": device.said, "choices": choices}))
    return path

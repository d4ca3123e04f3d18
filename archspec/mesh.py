"""A mesh: how many devices divide samples, parameters and rows among them."""

from __future__ import annotations

import re
from math import prod
from typing import NamedTuple

AXES = ("data", "fsdp", "spatial")
"""The axes of every mesh, from the outermost, whose neighbours may be on other hosts, to the innermost."""
SAMPLES = ("data", "fsdp")
"""Axes over which the samples of a batch are divided."""
FORM = "data=8, data=4,fsdp=2 or data=4,spatial=2; data=auto takes the devices that are left"


class Mesh(NamedTuple):
    """Devices along each axis.

    Over `data` samples are divided. Over `fsdp` samples are, and parameters with their optimiser state too (fully
    sharded, Rajbhandari et al. 2020). Over `spatial` the rows of maps are. With `per_device` batch normalisation takes
    what a device has for the batch.
    """

    data: int = 1
    fsdp: int = 1
    spatial: int = 1
    per_device: bool = False

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Devices along each of `AXES`."""
        return self.data, self.fsdp, self.spatial

    @property
    def devices(self) -> int:
        return prod(self.sizes)

    @property
    def batches(self) -> int:
        """Parts that a batch is divided into."""
        return self.data * self.fsdp

    def size(self, axis: str) -> int:
        return self.sizes[AXES.index(axis)]

    @property
    def said(self) -> str:
        """`data=4,fsdp=2`; `data=1` of one device."""
        own = [f"{axis}={size}" for axis, size in zip(AXES, self.sizes, strict=True) if size > 1]
        return ",".join(own) or "data=1"


def read_mesh(text: str) -> dict[str, int | str]:
    """The devices along axes that a text names, `data=4,fsdp=2`. Raises ValueError with the reason."""
    found: dict[str, int | str] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s*=\s*([1-9][0-9]{0,5}|auto)\s*", part, re.ASCII)
        if match is None or match[1] not in AXES:
            raise ValueError(f"{part.strip()[:40]!r} is no axis with its devices; the form is {FORM}")
        if match[1] in found:
            raise ValueError(f"{match[1]} is there twice")
        if match[2] == "auto" and match[1] != "data":
            raise ValueError(f"{match[1]}=auto: only data can be what is left")
        found[match[1]] = "auto" if match[2] == "auto" else int(match[2])
    return found

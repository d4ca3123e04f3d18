"""Mirroring, left to right."""

from __future__ import annotations

from typing import ClassVar

from archspec.augmentations._flip import Flip


class HorizontalFlip(Flip):
    """Mirrors images, left to right."""

    axis: ClassVar[int] = 1
    caption: ClassVar[str] = "mirrored"

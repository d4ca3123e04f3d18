"""Mirroring, top to bottom."""

from __future__ import annotations

from typing import ClassVar

from archspec.augmentations._flip import Flip


class VerticalFlip(Flip):
    """Mirrors images, top to bottom."""

    axis: ClassVar[int] = 0
    caption: ClassVar[str] = "upside down"

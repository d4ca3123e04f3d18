"""Random changes of training images, one kind a file; the base classes are in `_base.py`."""

from archspec.augmentations._base import (
    Augmentation,
    Mixing,
    Way,
)

__all__ = ["Augmentation", "Mixing", "Way"]

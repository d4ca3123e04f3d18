"""Initialisers of weights, one kind a file; the base class is in `_base.py`."""

from archspec.initialisers._base import (
    BiasInit,
    Initialiser,
    KernelInit,
    for_axes,
)

__all__ = ["BiasInit", "Initialiser", "KernelInit", "for_axes"]

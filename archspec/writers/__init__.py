"""Writers of a run's figures for other tools, one kind a file; the base class is in `_base.py`."""

from archspec.writers._base import Begun, Log, Writer

__all__ = ["Begun", "Log", "Writer"]

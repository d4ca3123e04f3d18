"""Learning-rate schedules, one kind a file; the base class is in `_base.py`."""

from archspec.schedules._base import (
    Schedule,
)

__all__ = ["Schedule"]

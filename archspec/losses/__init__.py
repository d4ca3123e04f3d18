"""Losses, one kind a file; the base class is in `_base.py`."""

from archspec.losses._base import (
    Form,
    Link,
    Loss,
)

__all__ = ["Form", "Link", "Loss"]

"""The base class of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.kinds import Kind


class Loss(Kind):
    """Base of all losses."""

    def build(self) -> Callable[[Any, Any], Any]:
        """A function of logits (batch, classes) and labels (batch,) that gives one loss per sample."""
        raise NotImplementedError

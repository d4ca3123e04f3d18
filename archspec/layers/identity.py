"""Nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from archspec.layer import Family
from archspec.layers._activation import Activation


class Identity(Activation):
    """Gives its input unchanged; a place for a name."""

    family: ClassVar[Family] = "other"

    operations: ClassVar[int] = 0
    is_view: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def function(self) -> Callable[[Any], Any]:
        return lambda x: x

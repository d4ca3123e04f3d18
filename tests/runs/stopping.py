"""Training that is stopped after so many steps, as by a signal or by a kill."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from archspec.training import loop as module
from archspec.training.interrupt import Stopped


@contextmanager
def stopped_after(steps: int, *, killed: bool = False, within: str = "train") -> Iterator[None]:
    """Training inside stops before the step after so many of its own, which raises KeyboardInterrupt here.

    As by a signal the state is saved then; as by a kill it is not. Within `__call__` batches of evaluations are counted
    instead of steps.
    """

    @contextmanager
    def stopping(*_: object, **__: object) -> Iterator[Callable[[], None]]:
        left = steps

        def check() -> None:
            nonlocal left
            if sys._getframe(1).f_code.co_name != within:
                return
            if left == 0:
                raise KeyboardInterrupt if killed else Stopped()
            left -= 1

        yield check

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "held_back", stopping)
        yield

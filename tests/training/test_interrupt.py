"""Interrupts that fall where nobody would hear them."""

from __future__ import annotations

import time

import pytest

from archspec.training.interrupt import lose_nothing


class Dropped:
    """Raises where Python can only print it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


def test_an_interrupt_in_a_finaliser_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", heard.append)
    lose_nothing()
    with pytest.raises(KeyboardInterrupt):
        Dropped(KeyboardInterrupt())
        time.sleep(5)
    assert not heard


def test_what_is_not_ours_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr("sys.unraisablehook", lambda error: heard.append(str(error.exc_value)))
    lose_nothing()
    lose_nothing()
    Dropped(RuntimeError("Event loop is closed"))
    Dropped(ValueError("wrong"))
    assert heard == ["wrong"]

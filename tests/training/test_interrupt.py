"""Interrupts that fall where nobody would hear them."""

from __future__ import annotations

import time

import pytest

from archspec.training.interrupt import nothing_lost


class Dropped:
    """Raises where Python can only print it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


def test_an_interrupt_in_a_finaliser_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    with nothing_lost(), pytest.raises(KeyboardInterrupt):
        Dropped(KeyboardInterrupt())
        time.sleep(5)
    assert not capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_not_ours_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda error: heard.append(error.exc_value))
    with nothing_lost():
        Dropped(RuntimeError("Event loop is closed"))
        Dropped(ValueError("wrong"))
    Dropped(RuntimeError("Event loop is closed"))
    assert [str(error) for error in heard] == ["wrong", "Event loop is closed"]

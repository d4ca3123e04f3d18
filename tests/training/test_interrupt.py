"""Interrupts that fall where nobody would hear them."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.training.interrupt import Stopped, held_back, interrupts, loading, lose_nothing


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


def test_an_interrupt_waits_until_jax_is_loaded() -> None:
    before, loaded = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        loaded.append("all")
    assert loaded == ["all"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_waits_for_its_moment_and_a_second_one_does_not(number: signal.Signals) -> None:
    def at_once(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(number, at_once)
    try:
        with pytest.raises(Stopped) as stopped, held_back(signal.SIGINT, signal.SIGTERM) as check:
            check()
            signal.raise_signal(number)
            with pytest.raises(InterruptedError):
                signal.raise_signal(number)
            check()
        assert stopped.value.status == 128 + number  # as shells have it: 130, 143
        assert signal.getsignal(number) is at_once
    finally:
        signal.signal(number, before)


def test_what_is_not_ours_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr("sys.unraisablehook", lambda error: heard.append(str(error.exc_value)))
    lose_nothing()
    lose_nothing()
    Dropped(RuntimeError("Event loop is closed"))
    Dropped(ValueError("wrong"))
    assert heard == ["wrong"]


def test_an_import_that_an_interrupt_broke_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Extension modules answer a Ctrl-C while they load with an ImportError."""

    def broken(*args: object, **options: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("while initializing") from None

    monkeypatch.setattr("archspec.inference.evaluating.measured", broken)
    (tmp_path / "spec.yaml").touch()  # looks like a run, so that evaluation is reached
    before = signal.getsignal(signal.SIGINT)
    try:
        assert main(["eval", str(tmp_path)]) == 130
        assert capsys.readouterr().err == "interrupted\n"
        interrupts.clear()
        monkeypatch.setattr("archspec.inference.evaluating.measured", _missing)
        assert main(["eval", str(tmp_path)]) != 0
        assert "cannot be imported: no such module" in capsys.readouterr().err
    finally:
        interrupts.clear()
        signal.signal(signal.SIGINT, before)


def _missing(*args: object, **options: object) -> None:
    raise ImportError("no such module")

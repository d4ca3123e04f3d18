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


def test_a_signal_that_comes_while_all_save_for_anothers_is_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch systems send SIGTERM to all processes of a run, and to some a moment later than to others."""
    from archspec.loading import load
    from archspec.training import loop
    from archspec.training.lookout import Turn
    from archspec.training.run import train
    from tests.digits import some_digits

    class Elsewhere(Turn):
        """Another process stops the run at the third step."""

        def __init__(self, name: str) -> None:
            super().__init__(None, name)
            if name == "stop":
                self.star, self.said, self.number = True, "process 1 got SIGTERM", signal.SIGTERM  # type: ignore[assignment]

        def due(self, wanted: bool, number: int = 0, why: str = "") -> bool:
            self.calls += 1
            return self.name == "stop" and self.calls == 3

    killed: list[object] = []
    save = loop.Loop.save

    def saved(self: loop.Loop) -> None:
        signal.raise_signal(signal.SIGTERM)
        save(self)

    monkeypatch.setattr(loop, "turn", Elsewhere)
    monkeypatch.setattr(loop.Loop, "save", saved)
    before = signal.signal(signal.SIGTERM, lambda *_: killed.append("at once"))
    try:
        some_digits(tmp_path, 100)
        (tmp_path / "net.yaml").write_text(
            "archspec: 1\nname: net\ninput: {height: 28, width: 28, channels: 1}\n"
            "layers: [flatten, {dense: {name: out, units: 10}}]\n"
            "train: {dataset: {npz: digits.npz}, epochs: 2, batch_size: 4}\n"
        )
        with pytest.raises(Stopped, match="goes on after step 2"):
            train(load(str(tmp_path / "net.yaml")), tmp_path / "run", progress=False)
        assert not killed
        assert signal.getsignal(signal.SIGTERM) is not before
    finally:
        signal.signal(signal.SIGTERM, before)

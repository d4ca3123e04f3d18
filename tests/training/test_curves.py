"""The picture of a run's curves."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import load
from archspec.training import curves
from archspec.watching import figures_of


@pytest.mark.parametrize("title", [r"net on a$\foo$b", "net on $x_{$", "net on \x1b[31m\U0001f99c"])
def test_a_title_is_text_whatever_is_in_it(tmp_path: Path, title: str) -> None:
    """It has the name of the folder of the data, in which dollars and letters of no font may stand."""
    (head,) = load("lenet5").heads()
    record = {"epoch": 1, "train": {"loss": 1.0, "accuracy": 0.5}, "validation": {"loss": 1.0, "top1": 0.5}}
    import_module("matplotlib.backends.backend_agg")  # which warns, of pyparsing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curves.draw([record], title, tmp_path / "curves.png", head)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_one_epoch_is_marked_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not as 0.945 to 1.05, which are no epochs."""
    from matplotlib.figure import Figure

    (head,) = load("lenet5").heads()
    marks: list[list[float]] = []
    saved = Figure.savefig

    def savefig(figure: Figure, *given: Any, **named: Any) -> None:
        saved(figure, *given, **named)
        marks.extend(axes.get_xticks().tolist() for axes in figure.axes)

    monkeypatch.setattr(Figure, "savefig", savefig)
    record = {"epoch": 3, "train": {"loss": 1.0, "accuracy": 0.5}, "validation": {"loss": 1.0, "top1": 0.5}}
    curves.draw([record], "net", tmp_path / "curves.png", head)
    assert marks == [[3], [3], [3]]


def test_the_best_epoch_is_marked_among_parts_of_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the network is judged by, which need not be the loss; the learning rate has a panel."""
    from matplotlib.figure import Figure

    (head,) = load("lenet5").heads()
    (number,) = load("specs/examples/digit_angle.yaml").heads()
    lines: list[list[list[list[float]]]] = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *given, **named: lines.append([_lines(axes) for axes in figure.axes])
    )

    def record(epoch: float, loss: float, top1: float) -> dict[str, Any]:
        after = {"loss": loss, "top1": top1, "mae": top1}
        return {
            "epoch": epoch,
            "learning_rate": 1 / epoch,
            "train": {"loss": 1, "accuracy": 0, "mae": 1},
            "validation": after,
        }

    records = [record(0.5, 1.0, 0.5), record(1, 0.5, 0.875), record(1.5, 0.25, 0.75), record(2, 0.5, 0.875)]
    curves.draw(records, "net", tmp_path / "curves.png", head)
    assert curves.best_epoch(records, head) == 1 and curves.best_epoch(records, number) == 0.5
    # A run whose state another figure chooses is marked by that one.
    steps = [{**own, "step": place} for place, own in enumerate(records)]
    loss = figures_of([head], head.name)["loss"]
    assert curves.best_epoch(steps, head, loss) == 1.5
    curves.draw(steps, "net", tmp_path / "curves.png", head, chosen_by=loss)
    assert [panel[-1] for panel in lines[1]] == [[1.5, 1.5]] * 3
    losses, tops, rates = lines[0]
    assert losses == [[1, 1, 1, 1], [1.0, 0.5, 0.25, 0.5], [1, 1]]
    assert tops == [[0, 0, 0, 0], [50, 87.5, 75, 87.5], [1, 1]]
    assert rates == [[2, 1, pytest.approx(2 / 3), 0.5], [1, 1]]


def _lines(axes: Any) -> list[list[float]]:
    """What curves hold, and where vertical lines stand."""
    return [list(line.get_ydata() if len(line.get_ydata()) > 2 else line.get_xdata()) for line in axes.get_lines()]

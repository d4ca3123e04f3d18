"""The picture of a run's curves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import load
from archspec.training import curves


@pytest.mark.parametrize("title", [r"net on a$\foo$b", "net on $x_{$", "net on \x1b[31m\U0001f99c"])
def test_a_title_is_text_whatever_is_in_it(tmp_path: Path, title: str) -> None:
    """It has the name of the folder of the data, in which dollars and letters of no font may stand."""
    (head,) = load("lenet5").heads()
    record = {"epoch": 1, "train": {"loss": 1.0, "accuracy": 0.5}, "validation": {"loss": 1.0, "top1": 0.5}}
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
    assert marks == [[3], [3]]

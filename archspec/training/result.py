"""What came of a training run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import count
from archspec.lower import Arrays
from archspec.runs.folder import CURVES, EXPORTED, METRICS, PAGE
from archspec.tasks import Head

if TYPE_CHECKING:
    from archspec.inference.run import Run


CHOSE = "(chosen by these figures; `train.validation: 0.1` chooses by others, and measures what is held out once)"
"""Follows figures of the only part held out where it chose what they are of."""


@dataclass(frozen=True)
class Result:
    """What came of a run.

    `head` is the main output's, `metrics` the records of the epochs, and `classes` the names of the target's classes,
    none where it has none.
    """

    folder: Path
    head: Head = field(repr=False)
    metrics: list[dict[str, Any]]
    classes: tuple[str, ...] = field(repr=False)
    params: Arrays = field(repr=False)
    statistics: Arrays = field(repr=False)
    others: tuple[Head, ...] = field(default=(), repr=False)
    """The heads of other outputs that evaluation has."""
    record: dict[str, Any] = field(default_factory=dict, repr=False)
    """The record of the state that the run ends with: the last one, or the best."""

    test: dict[str, Any] | None = field(default=None, repr=False)
    """The metrics of the test part, measured once, by the network that the run ends with; None without such a part."""
    chose: bool = field(default=False, repr=False)
    """Whether the validation part chose the state or when to stop, so that its figures are better than on new data."""

    @property
    def step(self) -> int:
        """The step after which the state was as it is."""
        return int(self.record["step"])

    @property
    def task(self) -> str:
        """The name of the main output's task."""
        return self.head.task.kind

    @property
    def validation(self) -> dict[str, Any]:
        """The metrics of the part that is measured in evaluations, of the state that the run ends with."""
        metrics: dict[str, Any] = self.record["validation"]
        return metrics

    @property
    def part(self) -> str:
        """The part that the run is judged by: test, or validation where there is no other."""
        return "validation" if self.test is None else "test"

    @property
    def figures(self) -> dict[str, Any]:
        """The metrics of that part."""
        return self.validation if self.test is None else self.test

    @property
    def accuracy(self) -> float:
        """The share of labels, of samples or of pixels, that the network gets right, in the part it is judged by.

        Raises `AttributeError` where the task has none.
        """
        named = self.head.running is not None and self.head.running.kind == "accuracy"
        value = self.figures.get(self.head.task.counterpart(self.head.type)) if named else None
        if value is None:
            raise AttributeError(f"{self.task} has no accuracy: `figures` has {', '.join(self.figures)}")
        return float(value)

    @property
    def mean_iou(self) -> float | None:
        return self.figures.get("mean_iou")

    def open(self) -> Run:
        """The trained network, as `archspec.open` of its folder gives it."""
        from archspec.inference.run import Run

        return Run(self.folder)

    def _repr_html_(self) -> str:
        """What a notebook shows: the result in words, and the curves."""
        from base64 import b64encode
        from html import escape

        curves = self.folder / CURVES
        picture = (
            "<img style='max-width:100%' alt='curves of loss, figures and learning rate' "
            f"src='data:image/png;base64,{b64encode(curves.read_bytes()).decode()}'>"
            if curves.is_file()
            else ""
        )
        words = f"<pre style='font-family:monospace;line-height:1.3'>{escape(self.summary())}</pre>"
        return f"<div class=archspec-result>{words}{picture}</div>"

    @property
    def headlines(self) -> dict[str, float | None]:
        """The accuracy where there is one, and the figure that the network is judged by."""
        first = self.head.figures[0]
        with suppress(AttributeError):
            return {"accuracy": self.accuracy, first: self.figures[first]}
        return {first: self.figures[first]}

    def _of_other(self, head: Head) -> str:
        figures = self.figures.get("outputs", {}).get(head.name)
        if figures is not None:
            return ", ".join(metric.summary(figures, ()) for metric in head.metrics)
        loss = self.figures["heads"][head.name]
        return "loss –" if loss is None else f"loss {loss:.4g}"

    def _said(self, figures: dict[str, Any]) -> str:
        return ", ".join(metric.summary(figures, self.classes) for metric in self.head.metrics)

    def summary(self) -> str:
        """The result in words."""
        all_of, own = self.metrics[-1]["epoch"], self.record["epoch"]
        epochs = f"{own:g} of " * (own != all_of) + count(all_of, "epoch")
        said = self._said(self.figures)
        tables = [line for metric in self.head.metrics for line in metric.table(self.figures, self.classes)]
        held = "held-out" if self.test is None else "test"
        of = f", of output `{self.head.name}`" if self.others else ""
        return "\n".join(
            [
                f"{held} {said} after {epochs}{of}",
                *([CHOSE] if self.chose and self.test is None else []),
                *([] if self.test is None else [f"validation {self._said(self.validation)}{of}"]),
                *tables,
                *(f"output `{head.name}`: {held} {self._of_other(head)}" for head in self.others),
                f"curves  {self.folder / CURVES}",
                f"metrics {self.folder / METRICS}",
                *([f"page    {self.folder / PAGE}"] if (self.folder / PAGE).is_file() else []),
                *(f"{name}  {self.folder / own}" for name, own in EXPORTED.items() if (self.folder / own).is_file()),
                f"folder  {self.folder}",
            ]
        )

"""What came of a training run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import count
from archspec.lower import Arrays
from archspec.runs.folder import CURVES, METRICS
from archspec.tasks import Head

if TYPE_CHECKING:
    from archspec.inference.run import Run


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

    @property
    def task(self) -> str:
        """The name of the main output's task."""
        return self.head.task.kind

    @property
    def test(self) -> dict[str, Any]:
        """The held-out metrics of the last epoch."""
        metrics: dict[str, Any] = self.metrics[-1]["test"]
        return metrics

    @property
    def accuracy(self) -> float:
        """The share of held-out labels, of samples or of pixels, that the last epoch's network gets right.

        Raises `AttributeError` where the task has none.
        """
        named = self.head.running is not None and self.head.running.kind == "accuracy"
        value = self.test.get(self.head.task.counterpart(self.head.type)) if named else None
        if value is None:
            raise AttributeError(f"{self.task} has no accuracy: `test` has {', '.join(self.test)}")
        return float(value)

    @property
    def mean_iou(self) -> float | None:
        return self.test.get("mean_iou")

    def open(self) -> Run:
        """The trained network, as `archspec.open` of its folder gives it."""
        from archspec.inference.run import Run

        return Run(self.folder)

    @property
    def headlines(self) -> dict[str, float | None]:
        """The accuracy where there is one, and the figure that the network is judged by."""
        first = self.head.figures[0]
        with suppress(AttributeError):
            return {"accuracy": self.accuracy, first: self.test[first]}
        return {first: self.test[first]}

    def _of_other(self, head: Head) -> str:
        figures = self.test.get("outputs", {}).get(head.name)
        if figures is not None:
            return ", ".join(metric.summary(figures, ()) for metric in head.metrics)
        loss = self.test["heads"][head.name]
        return "loss –" if loss is None else f"loss {loss:.4g}"

    def summary(self) -> str:
        """The result in words."""
        epochs = count(self.metrics[-1]["epoch"], "epoch")
        said = ", ".join(metric.summary(self.test, self.classes) for metric in self.head.metrics)
        tables = [line for metric in self.head.metrics for line in metric.table(self.test, self.classes)]
        return "\n".join(
            [
                f"held-out {said} after {epochs}" + (f", of output `{self.head.name}`" if self.others else ""),
                *tables,
                *(f"output `{head.name}`: held-out {self._of_other(head)}" for head in self.others),
                f"curves  {self.folder / CURVES}",
                f"metrics {self.folder / METRICS}",
                f"folder  {self.folder}",
            ]
        )

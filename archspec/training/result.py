"""What came of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import count
from archspec.lower import Arrays
from archspec.runs.folder import CURVES, METRICS
from archspec.spec.network import Task as TaskName
from archspec.training.tasks import TASKS, class_table

if TYPE_CHECKING:
    from archspec.inference.run import Run


@dataclass(frozen=True)
class Result:
    """What came of a run.

    `accuracy` is the share of held-out labels, of images or of pixels, that the last epoch's network gets right;
    `mean_iou` is there for segmentation.
    """

    folder: Path
    task: TaskName
    metrics: list[dict[str, Any]]
    classes: tuple[str, ...] = field(repr=False)
    params: Arrays = field(repr=False)
    statistics: Arrays = field(repr=False)

    @property
    def test(self) -> dict[str, Any]:
        """The held-out metrics of the last epoch."""
        metrics: dict[str, Any] = self.metrics[-1]["test"]
        return metrics

    @property
    def accuracy(self) -> float:
        return float(self.test[TASKS[self.task].accuracy])

    @property
    def mean_iou(self) -> float | None:
        return self.test.get("mean_iou")

    def open(self) -> Run:
        """The trained network, as `archspec.open` of its folder gives it."""
        from archspec.inference.run import Run

        return Run(self.folder)

    def summary(self) -> str:
        """The result in words."""
        epochs = count(self.metrics[-1]["epoch"], "epoch")
        if self.mean_iou is not None:
            known = sum(share is not None for share in self.test["iou"])
            over = f" over {known} of {len(self.classes)} classes" if known < len(self.classes) else ""
            said = f"held-out mean IoU {100 * self.mean_iou:.2f} %{over}, pixel accuracy {100 * self.accuracy:.2f} %"
            table = [class_table(self.classes, self.test["iou"])]
        else:
            top5 = f", top-5 {100 * self.test['top5']:.2f} %" if "top5" in self.test else ""
            said, table = f"held-out accuracy {100 * self.accuracy:.2f} %{top5}", []
        return "\n".join(
            [
                f"{said} after {epochs}",
                *table,
                f"curves  {self.folder / CURVES}",
                f"metrics {self.folder / METRICS}",
                f"folder  {self.folder}",
            ]
        )

"""Loss and accuracy over the epochs, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.training.tasks import Task
from archspec.writing import write_by


def draw(records: list[dict[str, Any]], title: str, path: Path, task: Task) -> None:
    """Writes a PNG with two panels: loss in training and held out; accuracy so too, and mean IoU for segmentation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    losses, accuracies = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in records]
    extra = [] if task.headline == task.accuracy else [("test", task.headline, "mean IoU, held out", "C2")]
    panels = (
        (losses, [("train", "loss", "training", "C0"), ("test", "loss", "held out", "C1")], 1.0, "loss"),
        (
            accuracies,
            [("train", "accuracy", "training", "C0"), ("test", task.accuracy, "held out", "C1"), *extra],
            100.0,
            "share of right pixels, mean IoU, in %" if extra else "accuracy in %",
        ),
    )
    for axes, lines, factor, label in panels:
        for part, name, words, colour in lines:
            values = [factor * record[part][name] for record in records]
            axes.plot(
                epochs, values, label=f"{words}, at last {values[-1]:.4g}", color=colour, marker="o", markersize=3
            )
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    write_by(path, lambda file: figure.savefig(file, format="png", dpi=120))

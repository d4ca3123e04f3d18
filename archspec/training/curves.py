"""Loss and accuracy over the epochs, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(records: list[dict[str, Any]], title: str, path: Path) -> None:
    """Writes a PNG with two panels: loss in training and held out, accuracy held out and in training."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    losses, accuracies = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in records]
    panels = ((losses, "loss", "loss", 1.0, "loss"), (accuracies, "accuracy", "top1", 100.0, "accuracy in %"))
    for axes, trained, held, factor, label in panels:
        axes.plot(epochs, [factor * record["train"][trained] for record in records], label="training", color="C0")
        values = [factor * record["test"][held] for record in records]
        axes.plot(epochs, values, label="held out", color="C1", marker="o", markersize=3)
        axes.annotate(
            f"{values[-1]:.4g}",
            (epochs[-1], values[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color="C1",
        )
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(x=0.1)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)

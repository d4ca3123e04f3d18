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
        for part, name, colour in (("train", trained, "C0"), ("test", held, "C1")):
            values = [factor * record[part][name] for record in records]
            words = "training" if part == "train" else "held out"
            axes.plot(
                epochs, values, label=f"{words}, at last {values[-1]:.4g}", color=colour, marker="o", markersize=3
            )
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)

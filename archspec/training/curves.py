"""Loss and accuracy over the epochs, as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec import watching
from archspec.tasks import Head
from archspec.writing import write_by

DOTTED = 60
"""Points up to which each is marked."""


def draw(
    records: list[dict[str, Any]],
    title: str,
    path: Path,
    head: Head,
    held: str = "held out",
    chosen_by: watching.Figure | None = None,
) -> None:
    """Writes a PNG: loss in training and held out; what is measured in both, and the headline; the learning rate.

    `held` is what the part held out is called: validation where there is a test part too. A dashed line marks the epoch
    that is best there, by the figure `chosen_by` that the recipe's `best` names, else by the headline. All figures are
    the main output's. Training's figures are means over an epoch, while the network still changes and with dropout and
    augmentation; the held-out ones are of the network at that moment. Epochs need not be whole numbers.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(14, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    losses, accuracies, rates = figure.subplots(1, 3)
    epochs = [record["epoch"] for record in records]
    during, after = "training, over the epoch", f"{held}, after it"
    running, first, alike = head.running, head.metrics[0], head.task.counterpart(head.type)
    second: list[tuple[str, str, str, str]] = []
    if running is not None:
        second += [("train", running.headline, during, "C0"), ("validation", alike, after, "C1")]
    metrics = [running] if running is not None else []
    # One axis holds what has one unit.
    if first.headline != alike and (running is None or first.percent == running.percent):
        second.append(("validation", first.headline, f"{first.label}, {after}", "C2"))
        metrics.append(first)
    words = " and ".join(dict.fromkeys(metric.label for metric in metrics))
    percent = all(metric.percent for metric in metrics)
    of = " of the main output" if "heads" in records[-1]["train"] else ""
    panels = (
        (losses, [("train", "loss", during, "C0"), ("validation", "loss", after, "C1")], 1.0, f"loss{of}"),
        (accuracies, second, 100.0 if percent else 1.0, f"{words} in %" if percent else words),
        (rates, [(None, "learning_rate", "after the epoch", "C3")], 1.0, "learning rate"),
    )
    best = best_epoch(records, head, chosen_by)
    # Marks that touch each other are a thick line.
    mark = "o" if len(epochs) <= DOTTED else ""
    for axes, lines, factor, label in panels:
        for part, name, words, colour in lines:
            values = [_times(factor, (record if part is None else record[part]).get(name)) for record in records]
            axes.plot(
                epochs, values, label=f"{words}, at last {values[-1]:.4g}", color=colour, marker=mark, markersize=3
            )
        if best is not None and len(epochs) > 1:
            said = f"best {first.label if chosen_by is None else chosen_by.name}, epoch {best:g}"
            axes.axvline(best, color="0.4", linestyle="--", linewidth=1, label=said if axes is not rates else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=max(epochs) - min(epochs) >= 2 or len(epochs) == 1))
        if len(epochs) == 1:
            # Limits that matplotlib chooses about a single point hold no other whole number to mark.
            axes.set_xticks(epochs)
        axes.grid(alpha=0.3)
        axes.legend()
    with warnings.catch_warnings():
        # A box stands for a character that no font has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        write_by(path, lambda file: figure.savefig(file, format="png", dpi=120))


def best_epoch(
    records: Sequence[Mapping[str, Any]], head: Head, chosen_by: watching.Figure | None = None
) -> float | None:
    """The epoch whose validation figure is best, the first of equals: the figure that a run's state is chosen by, or
    where none is named the one that the main output is judged by.
    """
    if chosen_by is not None:
        step = watching.best_of(records, chosen_by)
        return next((float(record["epoch"]) for record in records if record["step"] == step), None)
    metric = head.metrics[0]
    known = [
        (record["validation"][metric.headline], record["epoch"])
        for record in records
        if record["validation"].get(metric.headline) is not None
    ]
    if not known:
        return None
    better = max if metric.better == "higher" else min
    return float(better(known, key=lambda item: item[0])[1])


def _times(factor: float, value: float | None) -> float:
    """A point of a curve; no number, which leaves a gap, where no label counted."""
    return float("nan") if value is None else factor * value

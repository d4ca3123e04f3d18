"""The figures of the epochs: charts and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.review.charts import Line, curves
from archspec.review.parts import Cell, Column, table

if TYPE_CHECKING:
    from archspec.tasks import Head

Records = Sequence[Mapping[str, Any]]

ROWS = 500
"""Epochs that the table lists."""
POINTS = 600
"""Records that a chart draws."""


def charts(records: Records, head: Head, held: str, best: float | None) -> Iterator[str]:
    """Loss; what is measured in training and after; the headline where it is another figure; the learning rate.

    `held` is what the part is called that is measured after every epoch; `best` is the epoch that is marked.
    """
    drawn = thinned(records)
    at = [float(record["epoch"]) for record in drawn]

    def line(part: str, name: str, words: str, style: str, factor: float = 1.0) -> Line:
        values = [record[part].get(name) for record in drawn]
        return Line(words, style, [None if value is None else factor * value for value in values])

    several = "heads" in records[-1]["train"]
    yield curves(
        f"Loss{f' of {head.name}' if several else ''}",
        at,
        [line("train", "loss", "training", "train"), line("validation", "loss", held, "validation")],
        "loss",
        best,
    )
    running, first, alike = head.running, head.metrics[0], head.task.counterpart(head.type)
    if running is not None:
        factor = 100.0 if running.percent else 1.0
        yield curves(
            _title(running.label),
            at,
            [
                line("train", running.headline, "training", "train", factor),
                line("validation", alike, held, "validation", factor),
            ],
            f"{running.label}{' in %' if running.percent else ''}",
            best,
        )
    if first.headline != alike or running is None:
        factor = 100.0 if first.percent else 1.0
        yield curves(
            _title(first.label),
            at,
            [line("validation", first.headline, held, "validation", factor)],
            f"{first.label}{' in %' if first.percent else ''}",
            best,
        )
    for name in records[-1]["train"].get("heads", {}):
        if name != head.name:
            values = [
                Line(words, style, [record[part].get("heads", {}).get(name) for record in drawn])
                for part, words, style in (("train", "training", "train"), ("validation", held, "validation"))
            ]
            yield curves(f"Loss of {name}", at, values, "loss", best)
    rates = [record.get("learning_rate") for record in drawn]
    yield curves("Learning rate", at, [Line("learning rate", "rate", rates)], "learning rate", best)


def _title(label: str) -> str:
    """A metric's name as a title; one that begins with letters that stand for words, as mAP, stays."""
    return label[:1].upper() + label[1:] if label.partition(" ")[0].islower() else label


def thinned(records: Records) -> Records:
    """So many records that a chart can show; the last is among them."""
    step = max(1, -(-len(records) // POINTS))
    return records[::-1][::step][::-1]


def epochs_table(records: Records, head: Head, held: str) -> str:
    """The figures that charts show, epoch by epoch, the last first."""
    running = head.running
    columns = [Column("epoch"), Column("training loss"), Column(f"{held} loss")]
    if running is not None:
        columns.append(Column(f"training {running.label}", percent=running.percent))
    columns += [Column(metric.label, percent=metric.percent) for metric in head.metrics]
    columns.append(Column("learning rate"))
    rows: list[list[Cell]] = []
    for record in records[::-1][:ROWS]:
        train, after = record["train"], record["validation"]
        rows.append(
            [
                f"{record['epoch']:g}",
                train.get("loss"),
                after.get("loss"),
                *([train.get(running.headline)] if running is not None else []),
                *(after.get(metric.headline) for metric in head.metrics),
                record.get("learning_rate"),
            ]
        )
    caption = "Figures of each epoch" if len(rows) == len(records) else f"Figures of the last {len(rows)} epochs"
    return table(columns, rows, caption=caption, sortable=True)

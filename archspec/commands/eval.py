"""Evaluates a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import check_run, overrides_of, set_option
from archspec.output import as_json, say
from archspec.training.interrupt import loading


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    set_option(command, "other data: train.dataset.image_folder.path=photos; input.fit=resize fits their images")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec eval runs/lenet5"


def run(options: argparse.Namespace) -> int:
    check_run(options.folder)
    overrides = overrides_of(options)
    with loading():
        from archspec.inference.evaluating import evaluate

    notes: list[str] = []
    metrics = evaluate(options.folder, overrides=overrides, notes=notes)
    for note in notes:
        say(f"note: {note}")
    if options.format == "json":
        print(as_json(metrics))
    else:
        from archspec.runs.reading import class_names_of
        from archspec.training.tasks import TASKS, class_table

        task = next(task for task in TASKS.values() if task.headline in metrics)
        print(f"held out: loss {metrics['loss']:.4f}  {task.said(metrics)}")
        if "iou" in metrics:
            print(class_table(class_names_of(options.folder, len(metrics["iou"])), metrics["iou"]))
    return 0

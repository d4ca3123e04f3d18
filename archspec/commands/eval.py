"""Evaluates a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import (
    check_run,
    lowerings_option,
    overrides_of,
    passes_option,
    precision_option,
    set_option,
    write_file,
)
from archspec.output import as_json, say
from archspec.training.interrupt import loading


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    set_option(command, "other data: train.dataset.image_folder.path=photos; input.fit=resize fits their images")
    command.add_argument(
        "--part",
        choices=("train", "validation", "test"),
        help="which samples; by default test, or what is held out where there is no such part",
    )
    lowerings_option(command)
    passes_option(command)
    precision_option(command, "what the network computes in: float32 unless told otherwise, whatever the recipe has")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write the run's page: curves, figures of each class, mistakes, settings",
    )
    command.epilog = "example: archspec eval runs/lenet5 --html lenet5.html"


def run(options: argparse.Namespace) -> int:
    check_run(options.folder)
    overrides = overrides_of(options)
    with loading():
        from archspec.inference.evaluating import measured

    notes: list[str] = []
    done = measured(
        options.folder,
        overrides=overrides,
        notes=notes,
        part=options.part,
        lowerings=options.lowerings,
        passes=options.passes,
        precision=options.precision or "float32",
    )
    metrics, whose = done.metrics, done.whose
    for note in notes:
        say(f"note: {note}")
    if options.html:
        from archspec.review.making import page_of

        write_file(options.html, page_of(done).encode())
        say(f"page {options.html}")
    if options.format == "json":
        print(as_json(metrics))
    else:
        from archspec.inference.shown import main_head
        from archspec.runs.reading import class_names_of, opened

        spec = opened(options.folder)[1]
        head = main_head(spec)
        loss = "–" if metrics["loss"] is None else f"{metrics['loss']:.4f}"
        heads = metrics.get("heads", {})
        where = "held out" if whose == "held-out" else whose
        print(f"{where}: {f'{head.name} ' if heads else ''}loss {loss}  {head.said(metrics)}")
        names = class_names_of(options.folder, head.type.channels)
        for line in (line for metric in head.metrics for line in metric.table(metrics, names)):
            print(line)
        for other in spec.heads():
            if other.name in metrics.get("outputs", {}):
                print(f"{other.name}: {other.said(metrics['outputs'][other.name])}")
            elif other.name in heads and other.name != head.name:
                own = heads[other.name]
                print(f"{other.name}: loss {'–' if own is None else f'{own:.4f}'}")
    return 0

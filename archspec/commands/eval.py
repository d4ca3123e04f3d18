"""Evaluates a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import (
    check_run,
    lowerings_option,
    overrides_of,
    passes_option,
    positive,
    precision_option,
    set_option,
    write_file,
)
from archspec.diagnostics import DataError
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
    command.add_argument(
        "--attack",
        choices=("fgsm", "pgd"),
        help="also measure images that were changed to raise the loss of their true targets",
    )
    command.add_argument(
        "--epsilon", type=float, metavar="E", help="by how much of the range of pixels, at most: 0.25 of black to white"
    )
    command.add_argument("--steps", type=positive, metavar="N", help="steps of PGD (default 40)")
    command.add_argument("--rate", type=float, metavar="R", help="size of each step of PGD (default 2.5·ε/steps)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of PGD's random start (default 0)")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write the run's page: curves, figures of each class, mistakes, settings",
    )
    command.epilog = "example: archspec eval runs/lenet5 --html lenet5.html"


def _check_attack(options: argparse.Namespace) -> None:
    """Refuses an attack without its size, and what belongs to one without it."""
    if options.attack and options.epsilon is None:
        raise DataError(
            "E113", "an attack needs its size, a share of the range of pixels", help=["--epsilon 0.25"]
        ).located(None)
    given = [name for name in ("epsilon", "steps", "rate") if getattr(options, name) is not None]
    if given and not options.attack:
        raise DataError("E113", f"--{given[0]} is of an attack", help=["--attack fgsm, or --attack pgd"]).located(None)


def run(options: argparse.Namespace) -> int:
    check_run(options.folder)
    overrides = overrides_of(options)
    _check_attack(options)
    with loading():
        from archspec.inference.evaluating import ATTACK, attacking, measured

    attack = None
    if options.attack:
        try:
            attack = attacking(options.attack, options.epsilon, options.steps, options.rate, options.seed)
        except ValueError as error:
            raise DataError("E113", str(error)).located(None) from None

    notes: list[str] = []
    done = measured(
        options.folder,
        overrides=overrides,
        notes=notes,
        part=options.part,
        lowerings=options.lowerings,
        passes=options.passes,
        precision=options.precision or "float32",
        attack=attack,
    )
    metrics, whose = done.metrics, done.whose
    for note in notes:
        say(f"note: {note}")
    if options.html:
        from archspec.review.making import page_of

        clean = {name: value for name, value in metrics.items() if name != ATTACK}
        write_file(options.html, page_of(done._replace(metrics=clean)).encode())
        say(f"page {options.html}" + (", of the images as they are" if attack else ""))
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
        if attack is not None:
            own = metrics[ATTACK]
            say(f"note: {attack.said} raises {own['raises']}, by the pixels of the images themselves")
            loss = "–" if own["loss"] is None else f"{own['loss']:.4f}"
            print(f"{where}, under {attack.said}: {f'{head.name} ' if heads else ''}loss {loss}  {head.said(own)}")
        for other in spec.heads():
            if other.name in metrics.get("outputs", {}):
                print(f"{other.name}: {other.said(metrics['outputs'][other.name])}")
            elif other.name in heads and other.name != head.name:
                own = heads[other.name]
                print(f"{other.name}: loss {'–' if own is None else f'{own:.4f}'}")
    return 0

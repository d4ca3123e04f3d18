"""Measures how fast a network is on this device."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.commands._common import (
    lowerings_option,
    open_checked,
    passes_option,
    positive,
    precision_option,
    spec_options,
    spec_or_run,
)
from archspec.diagnostics import DataError
from archspec.output import as_json, print_as, say
from archspec.profiling import check_folder, said
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.figures.devices import Device
    from archspec.loading import Spec
    from archspec.xla import Mode

MODES: tuple[Mode, ...] = ("train", "eval")


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC|RUN")
    command.add_argument(
        "--mode", choices=(*MODES, "both"), default="both", help="train is a step of the spec's recipe"
    )
    command.add_argument("--batch", type=positive, metavar="N", help="samples of a step (default 8)", default=8)
    precision_option(command, "by default the recipe's; float32 without one")
    command.add_argument("--steps", type=positive, metavar="N", help="steps of a block; by default a tenth of a second")
    command.add_argument("--layers", action="store_true", help="each layer by itself beside the roofline's least time")
    command.add_argument("--depth", type=positive, metavar="N", help="fold blocks of --layers below this depth")
    command.add_argument("--against", choices=("flax",), help="beside the network as it is written by hand, in turns")
    command.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="write a trace of some steps for TensorBoard and Perfetto"
    )
    lowerings_option(command)
    passes_option(command)
    spec_options(command, formats=("table", "json", "csv", "markdown"))
    command.epilog = "example: archspec bench resnet50 --batch 8 --input 112x112 --layers --depth 2"


def run(options: argparse.Namespace) -> int:
    target, _ = spec_or_run(options.spec)
    spec = open_checked(target, options)
    if options.depth is not None and not options.layers:
        raise DataError("E113", "--depth folds the layers of --layers", help=["give both"]).located(None)
    with loading():
        from archspec.bench.measuring import check_by_hand, measure
        from archspec.bench.peaks import this_device
        from archspec.bench.tables import layers, to_dict, whole
        from archspec.reports.tables import document
    from archspec.training.boundary import in_words

    recipe = spec.train
    precision: Any = options.precision or (recipe.precision if recipe is not None else "float32")
    try:
        if options.profile is not None:
            check_folder(options.profile)
        if options.against:
            check_by_hand(spec)
            if precision != "float32":
                raise DataError("E113", "what is written by hand computes in float32", help=["--precision float32"])
        device = this_device(precision)
        found, tables, beside = [], [], []
        with in_words(lambda: ["a smaller `--batch` or `--input` needs less"]):
            for mode in MODES if options.mode == "both" else (options.mode,):
                item = measure(
                    spec,
                    options.batch,
                    mode,
                    device,
                    precision=precision,
                    lowerings=options.lowerings,
                    passes=options.passes,
                    steps=options.steps,
                    against=options.against is not None,
                    profile=options.profile,
                )
                found.append(item)
                if options.layers:
                    times, prediction = _layers(spec, item, device)
                    tables.append(layers(item, times, prediction, options.depth))
                    beside.append(tables[-1])
    except DataError as error:
        raise error.located(None) from None
    if options.profile is not None:
        say(said(options.profile))
    if options.format == "json":
        made = [to_dict(item) for item in found]
        for own, rows in zip(made, beside, strict=False):
            own["layers"] = [
                {key: cell if isinstance(cell, str) else cell.raw for key, cell in zip(rows.keys, row, strict=True)}
                for row in rows.rows
            ]
        print(as_json(made))
    else:
        print_as(document([whole(spec.name, found), *tables], options.format, spec.name), options.format)
    return 0


def _layers(spec: Spec, item: Any, device: Device) -> tuple[Any, Any]:
    """The layers' times, and the roofline's prediction where nothing is fused."""
    from archspec.bench.layers import alone
    from archspec.figures.roofline import predict

    graph = spec.graph()
    optimiser = spec.train.optimiser if spec.train is not None else None
    prediction = predict(
        graph, device, dtype=item.precision, mode=item.mode, batch=item.batch, fusion=False, optimiser=optimiser
    )
    return alone(prediction.graph, item.batch, item.lowerings, item.precision, lambda path: None), prediction

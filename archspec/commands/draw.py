"""Draws networks, and sheets of augmented images."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import open_checked, positive, spec_options, write_file
from archspec.diagnostics import DataError, SpecError
from archspec.drawing import FORMATS, DrawingError, drawn
from archspec.output import print_as, printable

_TEXT = ("svg", "dot")
TIMES = 23
"""Epochs on a sheet, so that with the image as it is there are 24 pictures."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="file to write, NAME.svg by default; - is standard output"
    )
    spec_options(command, FORMATS)
    command.set_defaults(format=None)
    command.add_argument(
        "--look",
        choices=("graph", "paper"),
        default="graph",
        help="graph: boxes that name layers and open into their parts; paper: volumes of the maps' sizes",
    )
    command.add_argument(
        "--mode", choices=("eval", "train"), default="eval", help="train has heads that only training needs"
    )
    command.add_argument(
        "--depth", type=positive, metavar="N", help="levels of blocks to show; otherwise as many as are legible"
    )
    command.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="PATH",
        help="a block to open, and what it lies in; * is any name: layer*.0",
    )
    command.add_argument("--direction", choices=("down", "right"), help="which way the network goes; down by default")
    command.add_argument(
        "--augment",
        metavar="IMAGE|N",
        help="instead of the network, a sheet (PNG) of an image file, or of the training sample of a number, as it is "
        "trained on in the first epochs",
    )
    command.add_argument("--times", type=positive, metavar="N", help="epochs on the sheet of --augment; 23 by default")
    command.epilog = "example: archspec draw resnet50 -o resnet50.pdf"


def run(options: argparse.Namespace) -> int:
    if options.augment is not None:
        return _sheet(options)
    if options.times is not None:
        raise _cannot("--times goes with --augment")
    format = _format(options)
    graph = open_checked(options.spec, options).graph().pruned(options.mode)
    try:
        contents = drawn(
            graph,
            format,
            look=options.look,
            depth=options.depth,
            open=options.open,
            direction=options.direction or "down",
        )
    except DrawingError as error:
        raise _cannot(str(error)) from error
    if options.output == "-":
        print_as(contents.decode(), format)
        return 0
    file = Path(options.output or f"{graph.name}.{format}")
    write_file(file, contents)
    print(printable(str(file)))
    return 0


def _sheet(options: argparse.Namespace) -> int:
    """Writes a sheet of augmented images."""
    output = options.output or ""
    suffix = Path(output).suffix.lower().removeprefix(".")
    if output == "-" or "png" not in (options.format or suffix or "png"):
        raise _cannot("a sheet of augmented images is a PNG file", "-o NAME.png")
    if options.depth or options.open or options.direction or options.look != "graph":
        raise _cannot("--augment draws no network: it has no --look, --depth, --open or --direction")
    spec = open_checked(options.spec, options)
    from archspec.training.showing import augmented_sheet

    try:
        contents = augmented_sheet(spec, options.augment, options.times or TIMES)
    except DataError as error:
        raise error.located(None) from error
    file = Path(output or f"{spec.name}-augmented.png")
    write_file(file, contents)
    print(printable(str(file)))
    return 0


def _format(options: argparse.Namespace) -> str:
    """What to write: as --format says, or the file's suffix. Raises `SpecError` when neither can be followed."""
    suffix = Path(options.output or "").suffix.lower().removeprefix(".")
    format: str = options.format or suffix or "svg"
    if format not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS[:-1]) + f" or .{FORMATS[-1]}"
        raise _cannot(f"{options.output}: no drawing has the suffix .{suffix}", f"end it in {known}, or give --format")
    if options.output == "-" and format not in _TEXT:
        raise _cannot(f"{format.upper()} is not written to standard output", f"give a file: -o NAME.{format}")
    if options.look == "paper":
        given = (("--depth", options.depth), ("--open", options.open), ("--direction", options.direction))
        for name, value in given:
            if value:
                raise _cannot(f"the paper look has no {name}", "leave it out, or take --look graph")
        if format == "dot":
            raise _cannot("DOT has no volumes: the paper look cannot be written as it", "take --look graph, or svg")
    return format


def _cannot(message: str, *help: str) -> SpecError:
    return DataError("E561", message, help=help).located(None)

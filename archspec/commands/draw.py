"""Draws networks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import open_checked, positive, spec_options
from archspec.diagnostics import DataError

if TYPE_CHECKING:
    from archspec.drawing.scene import Scene
    from archspec.graph import Graph

FORMATS = ("svg", "png", "pdf", "dot")
_TEXT = ("svg", "dot")


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="file to write, NAME.svg by default; - is standard output"
    )
    spec_options(command, ("auto", *FORMATS))
    command.set_defaults(format=None)
    command.add_argument(
        "--look",
        choices=("graph", "paper"),
        default="graph",
        help="graph: boxes that name layers and open into their parts; paper: volumes of the maps' sizes",
    )
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train has heads that only training needs")
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
    command.epilog = "example: archspec draw resnet50 -o resnet50.pdf"


def run(options: argparse.Namespace) -> int:
    format = _format(options)
    spec = open_checked(options.spec, options)
    graph = spec.graph().pruned(options.mode)
    if options.output == "-":
        sys.stdout.write(_text(graph, format, options))
        return 0
    file = Path(options.output or f"{graph.name}.{format}")
    if not file.parent.is_dir():
        raise DataError("E541", f"{file.parent} is no folder", help=["make it first, or choose another --output"]).located(None)
    try:
        if format in _TEXT:
            file.write_text(_text(graph, format, options), encoding="utf-8")
        else:
            _save(graph, file, format, options)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError("E541", f"{file} cannot be written: {reason}").located(None) from error
    print(file)
    return 0

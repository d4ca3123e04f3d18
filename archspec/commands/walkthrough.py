"""The lecture's equations with the numbers of a network's own layers, and what a network says of moved images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import open_checked, spec_options, spec_or_run, write_file
from archspec.commands._sweeps import is_sweep, sweep, sweep_options
from archspec.diagnostics import DataError, listed
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.walking.numbers import Given

PICTURES = ("svg", "png", "pdf")


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC_OR_RUN", help="a spec has weights of --seed or of --arrays")
    command.add_argument("--layer", metavar="PATH", help="a layer by its path: conv1, layer1.0.conv2")
    command.add_argument("--filter", type=_number, metavar="K", help="a channel of its output, from 0 (the largest)")
    command.add_argument("--at", type=_place, metavar="R,C", help="a position of its output, from 0,0 (the largest)")
    command.add_argument(
        "--image", metavar="FILE", help="what the network is given; by default a sample of a run's data, or noise"
    )
    command.add_argument("--invert", action="store_true", help="dark ink on light paper, for nets trained on MNIST")
    command.add_argument(
        "--arrays",
        type=Path,
        metavar="FILE",
        help="of a spec, an .npz archive of its arrays by name, conv1.kernel, and perhaps its input",
    )
    command.add_argument("--seed", type=_number, default=0, metavar="N", help="of a spec's weights and noise (0)")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="a picture: .svg, .png or .pdf")
    spec_options(command, ("text", "json", "csv"))
    sweep_options(command)
    command.epilog = "example: archspec walkthrough runs/lenet5 --layer c1 --filter 2 --at 10,12 -o c1.png"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 up")
    return int(text)


def _place(text: str) -> tuple[int, ...]:
    return tuple(_number(part.strip()) for part in text.split(","))


def run(options: argparse.Namespace) -> int:
    if is_sweep(options):
        return _swept(options)
    if options.format == "csv":
        raise DataError("E113", "--format csv is of --shift, --rotate and --scale", help=["--format json"]).located(
            None
        )
    if options.layer is None:
        raise DataError("E113", "no layer is named", help=["--layer PATH; `archspec report` lists them"]).located(None)
    suffix = "" if options.output is None else options.output.suffix.lower().removeprefix(".")
    if options.output is not None and suffix not in PICTURES:
        raise DataError("E113", f"{options.output}: a picture ends in .svg, .png or .pdf").located(None)
    given = _given(options)
    from archspec.drawing import encoded
    from archspec.walking.numbers import walk
    from archspec.walking.picture import scene

    try:
        made = walk(given, options.layer, options.filter, options.at)
    except DataError as error:
        raise error.located(None) from None
    for note in made.notes:
        say(f"note: {note}")
    if options.format == "json":
        print(as_json(made.to_dict()))
    else:
        for line in str(made).splitlines():
            print(printable(line))
    if options.output is not None:
        write_file(options.output, encoded(scene(made), suffix))
        say(f"picture {options.output}")
    return 0


def _swept(options: argparse.Namespace) -> int:
    """The sweeps of a run, which take none of the options that are of one number or of a spec."""
    of_others = {
        "--filter": options.filter is not None,
        "--at": options.at is not None,
        "--arrays": options.arrays is not None,
        "--seed": options.seed != 0,
        "--set": bool(options.overrides),
        "--input": bool(options.input),
    }
    given = [name for name, there in of_others.items() if there]
    if given:
        raise DataError(
            "E113", f"{listed(given)} cannot be given with --shift, --rotate and --scale, which show a run as it is"
        ).located(None)
    text, folder = spec_or_run(options.spec)
    if folder is None and not Path(text).is_dir():
        raise DataError(
            "E113",
            f"{text} is no folder of a run: fresh weights say nothing of images, whether these move or not",
            help=[f"archspec train {text} makes one", "archspec weights import … gives a spec known weights"],
        ).located(None)
    image = None if options.image is None else Path(options.image)
    return sweep(options, folder or Path(text), image, options.layer)


def _given(options: argparse.Namespace) -> Given:
    text, folder = spec_or_run(options.spec)
    if folder is not None and options.arrays is not None:
        raise DataError(
            "E113", "--arrays is for a spec; a run has its own", help=[f"{text} is the run's spec"]
        ).located(None)
    spec = open_checked(text, options) if folder is None else None
    with loading():
        from archspec.inference.given import told
        from archspec.inference.run import Run
        from archspec.walking.numbers import of_run, of_spec
    with told():
        if spec is None:
            assert folder is not None
            return of_run(Run(folder), options.image, options.invert)
        return of_spec(spec, options.image, options.seed, options.arrays, options.invert)

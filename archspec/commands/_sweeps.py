"""`archspec walkthrough RUN --shift --rotate --scale`: one image moved step by step, and what a network says."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import check_run, positive, show
from archspec.diagnostics import DataError, Findings
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.walking.ranges import Kind, Range


def sweep_options(command: argparse.ArgumentParser) -> None:
    """The options of the sweeps."""
    # A range such as -8..8 is no option, though argparse knows single numbers alone.
    command._negative_number_matcher = re.compile(r"^[-−](?:\d|\.\d)")
    group = command.add_argument_group(
        "invariance", "one image moved step by step, and the logits as curves; several of these give a panel each"
    )
    group.add_argument(
        "--shift",
        nargs="?",
        const="",
        metavar="LOW..HIGH",
        help="pixels to the right (default a quarter of the side each way); vertical:LOW..HIGH, diagonal:LOW..HIGH",
    )
    group.add_argument(
        "--rotate",
        nargs="?",
        const="",
        metavar="LOW..HIGH",
        help="degrees counterclockwise (default -180..180)",
    )
    group.add_argument("--scale", nargs="?", const="", metavar="LOW..HIGH", help="factors (default 0.5..2)")
    group.add_argument(
        "--steps", type=positive, metavar="N", help="steps of each sweep (default 37 angles, 17 scales, every pixel)"
    )


def is_sweep(options: argparse.Namespace) -> bool:
    """Whether a sweep is asked for. Raises `SpecError` where only its other options are."""
    if any(getattr(options, kind) is not None for kind in ("shift", "rotate", "scale")):
        return True
    if options.steps is not None:
        raise DataError(
            "E113", "--steps are of a sweep, and none is asked for", help=["add --shift, --rotate or --scale"]
        ).located(None)
    return False


def sweep(options: argparse.Namespace, folder: Path, image: Path | None, layer: str | None) -> int:
    """Runs the sweeps: a table, JSON or CSV on standard output, and a picture where one is named."""
    check_run(folder)
    if options.output is not None:
        from archspec.reports.plotting import check_suffix

        try:
            check_suffix(options.output)
        except DataError as error:
            raise error.located(None) from None
    with loading():
        from archspec.inference.given import told
        from archspec.inference.predicting import samples_of_files
        from archspec.inference.run import Run
        from archspec.walking import tables
        from archspec.walking.invariance import swept
        from archspec.walking.ranges import KINDS, range_of
    findings = Findings()
    own = Run(folder)
    reading = own._reading(options.invert)
    with told():
        asked: dict[Kind, Range] = {
            kind: range_of(kind, getattr(options, kind)) for kind in KINDS if getattr(options, kind) is not None
        }
        samples = None if image is None else samples_of_files([image], own.spec.inputs, reading, findings)
        readable = image is None or samples is not None
        made = swept(own, samples, reading, asked, layer, options.steps, findings) if readable else None
    if made is not None:
        for note in made.notes:
            say(f"note: {note}")
        if options.output is not None:
            made.picture(options.output)
    if options.format == "json":
        numbers = {} if made is None else made.to_dict()
        print(as_json({**numbers, "diagnostics": [item.to_json() for item in findings.items]}))
    else:
        if made is not None:
            csv = options.format == "csv"
            for line in tables.csv(made).splitlines() if csv else tables.lines(made):
                print(line if csv else printable(line))
        sys.stdout.flush()
        show(findings.items, options)
    return 1 if findings.failed else 0

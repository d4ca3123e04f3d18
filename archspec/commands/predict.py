"""What a trained network says of files: classes, labels, numbers, masks, images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import check_run, lowerings_option, passes_option, positive, precision_option, show
from archspec.diagnostics import Findings
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.inference.answers import Answer


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    command.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="image files, or folders of them; signals and vectors as .npy, .npz, .csv, .json or .wav; tables where it "
        "was trained on one; of several inputs NAME=FILE for each, or .npz archives with an array for each",
    )
    command.add_argument("--top", type=positive, default=5, metavar="K", help="classes to print (default 5)")
    command.add_argument(
        "--threshold", type=share, metavar="P", help="of several labels, those with a larger probability (default 0.5)"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for what is written: segmentation's masks, reconstructions, maps of numbers (default masks, "
        "reconstructions or predictions)",
    )
    command.add_argument("--invert", action="store_true", help="dark ink on light paper, for nets trained on MNIST")
    lowerings_option(command)
    passes_option(command)
    precision_option(command, "what the network computes in: float32 unless told otherwise, whatever the recipe has")
    command.add_argument("--format", choices=("text", "json", "csv"), default="text")
    command.epilog = "example: archspec predict runs/lenet5 seven.png"


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number


def run(options: argparse.Namespace) -> int:
    check_run(options.folder)
    findings = Findings()
    notes: list[str] = []
    answers: list[Answer] = []
    if not _all_missing(options.images, findings):
        with loading():
            from archspec.inference.predicting import predict

        answers = predict(
            options.folder,
            options.images,
            top=options.top,
            threshold=options.threshold,
            invert=options.invert,
            output=options.output,
            findings=findings,
            notes=notes,
            lowerings=options.lowerings,
            passes=options.passes,
            precision=options.precision or "float32",
        )
    for note in notes:
        say(f"note: {note}")
    if options.format == "json":
        diagnostics = [item.to_json() for item in findings.items]
        print(as_json({"answers": [answer.to_dict() for answer in answers], "diagnostics": diagnostics}))
    else:
        csv = options.format == "csv"
        for line in _as_csv(answers) if csv else [answer.said() for answer in answers]:
            print(printable(line))
        sys.stdout.flush()
        show(findings.items, options)
    return 1 if findings.failed else 0


def _as_csv(answers: Sequence[Answer]) -> list[str]:
    """The lines of a table with a row for each answer, under the names of all their columns."""
    import csv
    import io

    rows = [answer.to_row() for answer in answers]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    if rows:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines()


def _all_missing(images: Sequence[Path], findings: Findings) -> bool:
    """Whether none of the files is there, so that JAX need not be loaded, which takes seconds; then says so."""
    missing = Findings()
    for path in images:
        name, equals, file = str(path).partition("=")
        for candidate in (path, Path(file)) if equals and name.isidentifier() else (path,):
            try:
                os.stat(candidate)
                return False
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
        missing.error("E521", f"{path} cannot be read: {reason}")
    findings.items.extend(missing.items)
    return True

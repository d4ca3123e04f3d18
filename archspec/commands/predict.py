"""Classes of image files, or of each of their pixels."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import check_run, positive, show
from archspec.diagnostics import Findings
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.inference.answers import Answer


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    command.add_argument("--top", type=positive, default=5, metavar="K", help="classes to print (default 5)")
    command.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder for segmentation's masks (default masks)"
    )
    command.add_argument("--invert", action="store_true", help="dark ink on light paper, for nets trained on MNIST")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec predict runs/lenet5 seven.png"


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
            invert=options.invert,
            output=options.output,
            findings=findings,
            notes=notes,
        )
    for note in notes:
        say(f"note: {note}")
    if options.format == "json":
        diagnostics = [item.to_json() for item in findings.items]
        print(as_json({"answers": [answer.to_dict() for answer in answers], "diagnostics": diagnostics}))
    else:
        for answer in answers:
            said = ", ".join(f"{name} {100 * value:.1f} %" for name, value in answer.classes)
            print(printable(f"{answer.image}: {said}" + (f" → {answer.mask}" if answer.mask else "")))
        sys.stdout.flush()
        show(findings.items, options)
    return 1 if findings.failed else 0


def _all_missing(images: Sequence[Path], findings: Findings) -> bool:
    """Whether none of the files is there, so that JAX need not be loaded, which takes seconds; then says so."""
    missing = Findings()
    for path in images:
        try:
            os.stat(path)
            return False
        except (OSError, ValueError) as error:
            missing.error("E521", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
    findings.items.extend(missing.items)
    return True

"""Prints what networks cost."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import as_json, open_checked, positive, spec_options, write_file
from archspec.diagnostics import DataError

if TYPE_CHECKING:
    from archspec.loading import Spec


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train counts train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    command.add_argument("--html", type=Path, metavar="FILE", help="also write the report as an interactive page")
    spec_options(command, formats=("table", "json"))
    command.epilog = "example: archspec report lenet5 --format json"


def run(options: argparse.Namespace) -> int:
    from archspec.reports import report
    from archspec.reports.json import to_dict
    from archspec.reports.table import render

    specs = [open_checked(target, options) for target in options.specs]
    made = [report(spec.graph(), mode=options.mode, batch=options.batch) for spec in specs]
    if options.html:
        _write_page(specs, options)
    if options.format == "json":
        plain = [to_dict(item) for item in made]
        print(as_json(plain[0] if len(plain) == 1 else plain))
    else:
        print("\n\n".join(render(item) for item in made))
    return 0


def _write_page(specs: Sequence[Spec], options: argparse.Namespace) -> None:
    from archspec.page.page import render
    from archspec.page.payload import payload

    if len(specs) > 1:
        raise DataError("E113", "--html takes one spec", help=["write a page for each"]).located(None)
    page = render(payload(specs[0], mode=options.mode, batch=options.batch))
    write_file(options.html, page.encode())

"""Sets runs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import TABLES, write_file
from archspec.diagnostics import DataError, count
from archspec.output import as_json, print_as, say

FORMATS = tuple(name for name in TABLES if name != "html")


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folders", nargs="*", type=Path, metavar="DIR", help="folders with runs below them (default runs)"
    )
    command.add_argument(
        "--sort",
        metavar="NAME[:asc|:desc]",
        help="by this column, figures best first: best, validation.loss, learning_rate, changed, …",
    )
    command.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="filters",
        help="these runs alone; also !=, <, <=, >, >=; may be given again: 'state=finished', 'learning_rate<0.1'",
    )
    command.add_argument(
        "--columns", metavar="NAME,…", help="these columns alone, a setting by its path or the end of it; or all"
    )
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw all learning curves: .svg, .png or .pdf")
    command.add_argument("--metric", metavar="NAME", help="what --plot and --html draw: validation.top1, train.loss, …")
    command.add_argument(
        "--colour", metavar="SETTING", help="the setting that curves' colours stand for (default: one with few values)"
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page: a table to sort, curves to switch")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.epilog = "example: archspec runs runs --sort best --filter state=finished --plot curves.png"


def run(options: argparse.Namespace) -> int:
    from archspec.reports.tables import document
    from archspec.runs.table import table_of_runs

    try:
        if options.plot is not None:
            from archspec.reports.plotting import check_suffix

            check_suffix(options.plot)
        for name in ("metric", "colour"):
            if getattr(options, name) is not None and options.plot is None and options.html is None:
                raise DataError("E113", f"--{name} says what --plot and --html draw", help=["give --plot FILE too"])
        if options.columns is not None and options.format == "json":
            raise DataError("E113", "JSON has every figure", help=["leave --columns out, or take another --format"])
        names = [name.strip() for name in (options.columns or "").split(",") if name.strip()]
        table = table_of_runs(*options.folders, sort=options.sort, filter=options.filters, columns=names or None)
        if not table.rows:
            where = " and ".join(map(str, options.folders or [Path("runs")]))
            if options.filters:
                raise DataError("E512", f"no run below {where} is as --filter says")
            raise DataError("E512", f"there is no run below {where}", help=["`archspec train` makes runs in runs/"])
        if options.plot is not None:
            said = table.plot(options.plot, options.metric, options.colour)
            say("; ".join([f"{options.plot}: {count(len(table), 'run')}", *said]))
        if options.html is not None:
            from archspec.review.runs_page import render

            write_file(options.html, render(table, options.metric, options.colour).encode("utf-8"))
            say(f"{options.html}: {count(len(table), 'run')}")
    except DataError as error:
        raise error.located(None) from None
    if options.format == "json":
        print(as_json(table.to_dict()))
    else:
        print_as(document([table.table()], options.format, "runs"), options.format)
    return 0

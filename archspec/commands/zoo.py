"""Lists, sorts, plots and draws the networks that come with archspec."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import DataError, count
from archspec.output import as_json, print_as, say

if TYPE_CHECKING:
    from archspec.reports.facts import Figures

FORMATS = ("text", "json", "csv", "markdown", "latex", "html")

SORTS = {
    "name": "name",
    "params": "params",
    "macs": "macs",
    "flops": "flops",
    "top1": "top1",
    "top5": "top5",
    "memory": "inference_bytes",
    "training": "training_bytes",
    "layers": "layers",
    "depth": "depth",
    "field": "receptive_field",
    "input": "input",
    "year": "year",
}
"""What networks can be sorted by, and the key of the figure."""

LISTED = ("input", "params", "macs", "year", "after")
"""Figures of the plain list; what it is sorted by is added."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "families",
        nargs="*",
        metavar="FAMILY",
        help="list these families only (default all); mobilenet stands for all of mobilenet_v1 …",
    )
    command.add_argument("--sort", choices=tuple(SORTS), metavar="FIGURE", help=f"from low to high: {', '.join(SORTS)}")
    command.add_argument("--reverse", action="store_true", help="from high to low")
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw accuracy over multiply–adds: .svg, .png or .pdf"
    )
    command.add_argument(
        "--tree", type=Path, metavar="FILE", help="draw who extends whose idea, by year: .svg, .png or .pdf"
    )
    command.add_argument("--accuracy", choices=("top1", "top5"), help="published accuracy in the plot (default top1)")
    command.add_argument("--format", choices=FORMATS, default="text", help="all but text have every figure")
    command.epilog = "example: archspec zoo --sort top1 --reverse --plot zoo.svg"


def run(options: argparse.Namespace) -> int:
    from archspec.catalogue.listing import listing, said_of, to_row
    from archspec.reports.facts import COLUMNS, PLACE, table, used
    from archspec.reports.tables import document

    try:
        if options.accuracy and options.plot is None:
            raise DataError("E113", "--accuracy says what --plot shows", help=["give --plot FILE too"])
        for file in (options.plot, options.tree):
            if file is not None:
                from archspec.reports.plotting import check_suffix

                check_suffix(file)
        networks, counted = listing(options.families)
        facts = in_order(networks, SORTS[options.sort] if options.sort else None, options.reverse)
        if options.plot is not None:
            _plot(facts, options)
        if options.tree is not None:
            _tree(networks, options.tree)
    except DataError as error:
        raise error.located(None) from None
    said = said_of(counted, networks)
    if said is not None:
        say(said)
    if options.format == "json":
        print(as_json([to_row(item) for item in facts]))
    elif options.format == "text":
        print(_text(facts, options.sort))
    else:
        made = table(facts, used(facts, [*PLACE, *COLUMNS]), titles=True)
        print_as(document([made], options.format, "the zoo"), options.format)
    return 0


def _text(facts: Sequence[Figures], sort: str | None) -> str:
    """The list: one family below the other, or in the order asked for."""
    from archspec.reports.cells import text
    from archspec.reports.facts import BY_KEY, table, used

    # Of several predecessors the list names the first.
    after = BY_KEY["after"]._replace(show=lambda names: re.sub(", .*", ", …", names or ""))
    keys = dict.fromkeys([*LISTED, *([SORTS[sort]] if sort and sort != "name" else [])])
    made = text(
        table(facts, used(facts, [after if key == "after" else BY_KEY[key] for key in keys]), titles=True).bare()
    )
    if sort is not None:
        return made
    head, rule, *rows = made.splitlines()
    lines = [head, rule]
    for (item, row), before in zip(zip(facts, rows, strict=True), [None, *facts], strict=False):
        if before is not None and before.family != item.family:
            lines.append("")
        lines.append(row)
    return "\n".join(lines)


def in_order(facts: Sequence[Figures], key: str | None, reverse: bool) -> list[Figures]:
    """The networks in order of a figure; those that lack it come last, and equals stay in the zoo's order."""
    if key is None:
        return [*facts[::-1]] if reverse else [*facts]
    if key == "name":
        return sorted(facts, key=lambda item: item.label, reverse=reverse)
    known = [item for item in facts if item.figure(key) is not None]
    return sorted(known, key=lambda item: _size(item.figure(key)), reverse=reverse) + [
        item for item in facts if item.figure(key) is None
    ]


def _size(value: Any) -> Any:
    """A figure as it is ordered: of several inputs the largest."""
    if not isinstance(value, dict):
        return value
    return max(value.values(), key=lambda own: prod(own) if isinstance(own, tuple) else own)


def _plot(facts: Sequence[Figures], options: argparse.Namespace) -> None:
    from archspec.reports.zoo_plot import draw

    accuracy = options.accuracy or "top1"
    left_out = draw(facts, accuracy, options.plot)
    said = f"; without published {accuracy}: {', '.join(left_out)}" if left_out else ""
    say(f"{options.plot}: {count(len(facts) - len(left_out), 'network')}{said}")


def _tree(networks: Sequence[Figures], file: Path) -> None:
    from archspec.catalogue.tree import drawn
    from archspec.writing import write

    write(file, drawn(networks, file.suffix.lower()[1:]))
    left_out = [item.label for item in networks if item.lineage is None or item.lineage.year is None]
    said = f"; without a year: {', '.join(left_out)}" if left_out else ""
    say(f"{file}: {count(len(networks) - len(left_out), 'network')}{said}")

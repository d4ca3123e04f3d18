"""Lists, sorts and plots the networks that come with archspec."""

from __future__ import annotations

import argparse
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import DataError, count
from archspec.output import as_json, print_as, say

if TYPE_CHECKING:
    from archspec.reports.facts import Facts

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
}
"""What networks can be sorted by, and the key of the figure."""

LISTED = ("input", "params", "macs")
"""Figures of the plain list; what it is sorted by is added."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--sort", choices=tuple(SORTS), metavar="FIGURE", help=f"from low to high: {', '.join(SORTS)}")
    command.add_argument("--reverse", action="store_true", help="from high to low")
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw accuracy over multiply–adds: .svg, .png or .pdf"
    )
    command.add_argument("--accuracy", choices=("top1", "top5"), help="published accuracy in the plot (default top1)")
    command.add_argument("--format", choices=FORMATS, default="text", help="all but text have every figure")
    command.epilog = "example: archspec zoo --sort top1 --reverse --plot zoo.svg"


def run(options: argparse.Namespace) -> int:
    from archspec.reports.cells import text
    from archspec.reports.facts import BY_KEY, table, to_dict
    from archspec.reports.tables import document

    try:
        if options.accuracy and options.plot is None:
            raise DataError("E113", "--accuracy says what --plot shows", help=["give --plot FILE too"])
        if options.plot is not None:
            from archspec.reports.plotting import check_suffix

            check_suffix(options.plot)
        facts = in_order(everything(), SORTS[options.sort] if options.sort else None, options.reverse)
        if options.plot is not None:
            _plot(facts, options)
    except DataError as error:
        raise error.located(None) from None
    if options.format == "json":
        print(as_json([to_dict(item) for item in facts]))
    elif options.format == "text":
        keys = dict.fromkeys([*LISTED, *([SORTS[options.sort]] if options.sort and options.sort != "name" else [])])
        made = table(facts, [BY_KEY[key] for key in keys], titles=True)
        print(text(made.bare()))
    else:
        print_as(document([table(facts, titles=True)], options.format, "the zoo"), options.format)
    return 0


def everything() -> list[Facts]:
    """The figures of every network in the zoo."""
    from archspec.loading import load
    from archspec.reports.facts import Facts
    from archspec.zoo import zoo_variants

    known = []
    for name, (path, variant) in zoo_variants().items():
        if variant is not None:
            spec = load(name)
            optimiser = spec.train.optimiser if spec.train is not None else None
            facts = Facts(
                name,
                spec.header.title,
                spec.graph(),
                family=path.stem,
                optimiser=optimiser,
                published=spec.published,
            )
            known.append(facts)
    return known


def in_order(facts: list[Facts], key: str | None, reverse: bool) -> list[Facts]:
    """The networks in order of a figure; those that lack it come last, and equals stay in the zoo's order."""
    from archspec.reports.facts import BY_KEY

    if key is None:
        return facts[::-1] if reverse else facts
    if key == "name":
        return sorted(facts, key=lambda item: item.label, reverse=reverse)
    value = BY_KEY[key].value
    known = [item for item in facts if value(item) is not None]
    return sorted(known, key=lambda item: _size(value(item)), reverse=reverse) + [
        item for item in facts if value(item) is None
    ]


def _size(value: Any) -> Any:
    """A figure as it is ordered: of several inputs the largest."""
    if not isinstance(value, dict):
        return value
    return max(value.values(), key=lambda own: prod(own) if isinstance(own, tuple) else own)


def _plot(facts: list[Facts], options: argparse.Namespace) -> None:
    from archspec.reports.zoo_plot import draw

    accuracy = options.accuracy or "top1"
    left_out = draw(facts, accuracy, options.plot)
    said = f"; without published {accuracy}: {', '.join(left_out)}" if left_out else ""
    say(f"{options.plot}: {count(len(facts) - len(left_out), 'network')}{said}")

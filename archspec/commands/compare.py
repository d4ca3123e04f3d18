"""Sets networks side by side."""

from __future__ import annotations

import argparse

from archspec.commands._common import (
    TABLES,
    check_columns,
    named_columns,
    open_checked,
    optimiser_of,
    optimiser_option,
    positive,
    spec_options,
)
from archspec.output import as_json, print_as


def options(command: argparse.ArgumentParser) -> None:
    from archspec.figures.conventions import CONVENTIONS
    from archspec.types import DTYPES

    command.add_argument("specs", nargs="+", metavar="SPEC", help="two are also compared layer by layer")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="batch that memory is for (default 1)")
    command.add_argument("--dtype", choices=DTYPES, default="float32", help="of weights and activations")
    command.add_argument(
        "--layers", action="store_true", help="two networks layer by layer even where they have little in common"
    )
    command.add_argument(
        "--columns",
        type=_columns,
        metavar="NAME,…",
        help="these figures alone, by the names that CSV has: params, macs, top1, …; counted with --convention",
    )
    command.add_argument("--convention", choices=tuple(CONVENTIONS), help="operations as another tool counts them too")
    optimiser_option(command)
    spec_options(command, formats=TABLES)
    command.epilog = "example: archspec compare resnet50 resnet50_v1"


def run(options: argparse.Namespace) -> int:
    from archspec.elaborate.resizing import has_size
    from archspec.figures.conventions import CONVENTIONS
    from archspec.reports.compare import render, to_dict
    from archspec.reports.facts import BY_KEY, Facts, labels

    check_columns(options)
    sought = not options.columns or "smallest_input" in options.columns
    specs = [open_checked(target, options) for target in options.specs]
    graphs = [spec.graph() for spec in specs]
    facts = [
        Facts(
            label,
            spec.header.title,
            graph,
            options.batch,
            options.dtype,
            optimiser_of(options, spec),
            spec.published if spec.is_usual else None,
            spec.smallest_input() if sought else None,
            searched=sought and has_size(graph.inputs),
            convention=CONVENTIONS[options.convention] if options.convention else None,
        )
        for label, spec, graph in zip(labels([spec.label for spec in specs], options.specs), specs, graphs, strict=True)
    ]
    if options.format == "json":
        print(as_json(to_dict(facts)))
    else:
        columns = [BY_KEY[name] for name in options.columns] if options.columns else None
        print_as(render(facts, options.format, every=options.layers, columns=columns), options.format)
    return 0


def _columns(text: str) -> list[str] | None:
    from archspec.reports.facts import COLUMNS, COUNTED

    return named_columns(text, [column.key for column in (*COLUMNS, COUNTED)])

"""Prints the elaborated spec or its graph."""

from __future__ import annotations

import argparse

from archspec.commands._common import open_checked, spec_options
from archspec.diagnostics import Findings
from archspec.output import as_json, takes_unicode


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument("--graph", action="store_true", help="print the graph's nodes with inputs and shapes instead")
    spec_options(command)
    command.epilog = "example: archspec show lenet5 --set classes=26"


def run(options: argparse.Namespace) -> int:
    spec = open_checked(options.spec, options)
    if not options.graph:
        text = spec.to_yaml(ascii=not takes_unicode())
        if options.format == "json":
            from archspec.source import read_text

            value = read_text(text, "elaborated", Findings())
            print(as_json(value.plain if value else None))
        else:
            print(text, end="")
        return 0
    from archspec.reports import report

    made = report(spec.graph(), mode="train")
    if options.format == "json":
        from archspec.reports.json import to_dict

        print(as_json(to_dict(made)))
        return 0
    from archspec.reports.cells import aligned

    rows = [(row.name, row.kind, ", ".join(row.inputs), "×".join(map(str, row.output))) for row in made.rows]
    print("\n".join(aligned([("layer", "kind", "from", "output"), *rows], [False, False, False, True])))
    return 0

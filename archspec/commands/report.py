"""Prints what networks cost."""

from __future__ import annotations

import argparse

from archspec.commands._common import as_json, open_checked, positive, spec_options


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train counts train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    spec_options(command, formats=("table", "json"))
    command.epilog = "example: archspec report lenet5 --format json"


def run(options: argparse.Namespace) -> int:
    from archspec.reports import report
    from archspec.reports.json import to_dict
    from archspec.reports.table import render

    made = [
        report(open_checked(target, options).graph(), mode=options.mode, batch=options.batch)
        for target in options.specs
    ]
    if options.format == "json":
        plain = [to_dict(item) for item in made]
        print(as_json(plain[0] if len(plain) == 1 else plain))
    else:
        print("\n\n".join(render(item) for item in made))
    return 0

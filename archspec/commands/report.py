"""Prints what networks cost."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archspec.commands._common import as_json, open_checked, positive, spec_options

if TYPE_CHECKING:
    from archspec.xla import CrossCheck


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train counts train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    command.add_argument(
        "--xla",
        action="store_true",
        help="beside: XLA's own figures of the compiled programs (loads JAX, takes seconds)",
    )
    spec_options(command, formats=("table", "json"))
    command.epilog = "example: archspec report lenet5 --format json"


def run(options: argparse.Namespace) -> int:
    from archspec.reports import report
    from archspec.reports.json import to_dict
    from archspec.reports.table import render

    specs = [open_checked(target, options) for target in options.specs]
    made = [report(spec.graph(), mode=options.mode, batch=options.batch) for spec in specs]
    checks: list[list[CrossCheck]] = [[] for _ in specs]
    if options.xla:
        from archspec.xla import cross_check

        checks = [[cross_check(spec, options.batch, mode) for mode in ("eval", "train")] for spec in specs]
    if options.format == "json":
        plain = [
            {**to_dict(item), "xla": [check.to_dict() for check in found]} if found else to_dict(item)
            for item, found in zip(made, checks, strict=True)
        ]
        print(as_json(plain[0] if len(plain) == 1 else plain))
        return 0
    texts = []
    for item, found in zip(made, checks, strict=True):
        texts.append(render(item))
        if found:
            from archspec.xla import render as render_xla

            texts.append(render_xla(found))
    print("\n\n".join(texts))
    return 0

"""Prints what networks cost."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import (
    TABLES,
    check_columns,
    named_columns,
    open_checked,
    optimiser_of,
    optimiser_option,
    positive,
    spec_options,
    write_file,
)
from archspec.diagnostics import DataError
from archspec.output import as_json, print_as, say

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.xla import CrossCheck


def options(command: argparse.ArgumentParser) -> None:
    from archspec.figures.conventions import CONVENTIONS
    from archspec.types import DTYPES

    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train counts train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    command.add_argument("--depth", type=positive, metavar="N", help="fold blocks below this depth; 1 is the outermost")
    command.add_argument(
        "--columns",
        type=_columns,
        metavar="NAME,…",
        help="path, kind, inputs, output, params, macs, flops, share, activations, moved, intensity, receptive_field; "
        "counted with --convention; or all",
    )
    command.add_argument("--dtype", choices=DTYPES, default="float32", help="precision of activations and weights")
    optimiser_option(command)
    command.add_argument("--memory", type=_size, metavar="SIZE", help="the largest batch that fits: 16GiB, 80GB")
    command.add_argument("--convention", choices=tuple(CONVENTIONS), help="the figures that another tool would print")
    command.add_argument(
        "--xla",
        action="store_true",
        help="beside: XLA's own figures of the compiled programs (loads JAX, takes seconds)",
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="also write the report as an interactive page")
    spec_options(command, formats=TABLES)
    command.epilog = "example: archspec report resnet50 --depth 2 --memory 16GiB"


def run(options: argparse.Namespace) -> int:
    from archspec.reports import report
    from archspec.reports.tables import render

    check_columns(options)
    if options.xla and options.format == "csv":
        raise DataError(
            "E113", "CSV has the layers alone, without XLA's figures", help=["take another --format, as json"]
        ).located(None)
    specs = [open_checked(target, options) for target in options.specs]
    reports = [
        report(
            spec,
            mode=options.mode,
            batch=options.batch,
            depth=options.depth,
            dtype=options.dtype,
            optimiser=optimiser_of(options, spec),
            convention=options.convention,
            memory=options.memory,
        )
        for spec in specs
    ]
    checks: list[list[CrossCheck]] = []
    if options.xla:
        from archspec.xla import table

        checks = [_cross_checks(spec, options) for spec in specs]
    if options.html:
        _write_page(specs, options)
    if options.format == "json":
        plain = [item.to_dict() for item in reports]
        for item, lowered in zip(plain, checks, strict=False):
            item["xla"] = [check.to_dict() for check in lowered]
        print(as_json(plain[0] if len(plain) == 1 else plain))
    else:
        print_as(
            render(reports, options.format, options.columns, [table(lowered) for lowered in checks]), options.format
        )
    return 0


def _write_page(specs: Sequence[Spec], options: argparse.Namespace) -> None:
    from archspec.page.page import render
    from archspec.page.payload import payload

    if len(specs) > 1:
        raise DataError("E113", "--html takes one spec", help=["write a page for each"]).located(None)
    spec = specs[0]
    page = render(
        payload(
            spec,
            mode=options.mode,
            batch=options.batch,
            dtype=options.dtype,
            optimiser=optimiser_of(options, spec),
            memory=options.memory,
        )
    )
    write_file(options.html, page.encode())
    say(f"page {options.html}")


def _cross_checks(spec: Spec, options: argparse.Namespace) -> list[CrossCheck]:
    from archspec.xla import cross_check

    try:
        return [cross_check(spec, options.batch, mode, optimiser_of(options, spec)) for mode in ("eval", "train")]
    except DataError as error:
        raise error.located(spec.place("task")) from None


def _columns(text: str) -> list[str] | None:
    from archspec.reports.columns import COLUMNS

    return ["all"] if text.replace(",", " ").split() == ["all"] else named_columns(text, COLUMNS)


def _size(text: str) -> int:
    from archspec.figures.units import read_bytes

    try:
        size = read_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not size:
        raise argparse.ArgumentTypeError("nothing fits into no memory")
    return size

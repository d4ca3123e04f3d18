"""Finds a learning rate by trying."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import open_checked, positive, spec_options, write_file
from archspec.diagnostics import DataError, count
from archspec.output import as_json, printable
from archspec.training.interrupt import loading

FEWEST = 10
"""Steps of a test."""


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-30 <= value <= 1e30:
        raise argparse.ArgumentTypeError(f"a learning rate is a number above 0, not {text[:40]}")
    return value


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument("--from", type=_rate, default=1e-7, metavar="RATE", dest="lowest", help="(default 1e-7)")
    command.add_argument("--to", type=_rate, default=10.0, metavar="RATE", dest="highest", help="(default 10)")
    command.add_argument("--steps", type=positive, default=100, metavar="N", help="rates that are tried (default 100)")
    command.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the losses over the rates")
    spec_options(command)
    command.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    command.epilog = "example: archspec lr-find lenet5 --plot rates.png"


def run(options: argparse.Namespace) -> int:
    if options.lowest >= options.highest or options.steps < FEWEST:
        options.parser.error(f"rates rise from --from to --to, in {FEWEST} steps or more")
    spec = open_checked(options.spec, options)
    if spec.train is not None:
        try:
            spec.train.dataset.check_path()
        except DataError as error:
            raise spec.data_error(error) from None
    with loading():
        from archspec.training.rate_test import plot, rate_test

    shown = options.format != "json"
    found = rate_test(spec, lowest=options.lowest, highest=options.highest, steps=options.steps, progress=shown)
    assert spec.train is not None
    optimiser = spec.train.optimiser
    if shown:
        print(f"{'rate':>9}  {'loss':>9}  smoothed")
        every = max(1, len(found.smoothed) // 12)
        for index in range(0, len(found.smoothed), every):
            print(f"{found.rates[index]:9.2e}  {found.losses[index]:9.4g}  {found.smoothed[index]:.4g}")
        print(f"{found.ended}, after {count(len(found.losses), 'step')}")
        if found.steepest is None or found.tenth is None:
            print("the loss falls nowhere, so that nothing is suggested: other rates (--from, --to), or more --steps")
        else:
            print(f"the loss falls fastest at {found.steepest:.2g}; it is least at {10 * found.tenth:.2g}")
            print(
                f"try a learning_rate from {min(found.steepest, found.tenth):.2g} to "
                f"{max(found.steepest, found.tenth):.2g}; the spec has {optimiser.learning_rate:g}:"
            )
            print(f"  train: {{optimiser: {{{optimiser.kind}: {{learning_rate: {found.steepest:.2g}, …}}}}}}")
    else:
        print(as_json({**found.to_plain(), "optimiser": optimiser.kind, "learning_rate": optimiser.learning_rate}))
    if options.plot is not None:
        write_file(options.plot, plot(found, f"{spec.run_name}: {optimiser.kind}"))
        if shown:
            print(printable(f"plot {options.plot}"))
    return 0

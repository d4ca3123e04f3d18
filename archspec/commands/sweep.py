"""Tries settings of a spec, a run each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.commands._common import TABLES, positive, write_file
from archspec.diagnostics import DataError, count
from archspec.output import as_json, print_as, say, say_soon

SEARCHES = ("grid", "random", "halving", "tpe")
FORMATS = tuple(name for name in TABLES if name != "html")


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUES",
        dest="settings",
        help="values with commas between them are tried, and so are numbers of a range, 1e-4..1e-1 by their logarithm, "
        "16..256 alike; one value is set in all trials; commas inside brackets belong to a value",
    )
    command.add_argument(
        "--search",
        choices=SEARCHES,
        default="grid",
        help="grid: all combinations (default); random; halving: all begin, the best third goes on, and so again; "
        "tpe: proposed by Optuna",
    )
    command.add_argument("--trials", type=positive, metavar="N", help="how many, of random, tpe, and halving's ranges")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default 0)")
    command.add_argument(
        "--factor", type=positive, default=3, metavar="N", help="of halving: one in N goes on (default 3)"
    )
    command.add_argument(
        "--workdir", type=Path, metavar="DIR", help="the sweep's folder (default runs/NAME-sweep); the same goes on"
    )
    command.add_argument("--jobs", type=positive, default=1, metavar="N", help="trials at a time (default 1)")
    command.add_argument("--skip-invalid", action="store_true", help="leave out combinations that are wrong")
    command.add_argument("--retry", action="store_true", help="try trials that failed once more")
    command.add_argument("--dry-run", action="store_true", help="check all combinations and list them; train nothing")
    command.add_argument("--pages", action="store_true", help="write the page of each trial's run too, run.html")
    command.add_argument("--verbose", action="store_true", help="show what trials print; else it is beside their runs")
    command.add_argument("--plot", type=Path, metavar="FILE", help="each setting's effect (default DIR/effects.png)")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page: effects, a table to sort, curves")
    command.add_argument("--format", choices=FORMATS, default="table")
    command.epilog = (
        "example: archspec sweep lenet5 --set train.optimiser.adamw.learning_rate=1e-4..1e-2 "
        "--set train.batch_size=32,64 --search random --trials 12"
    )


def run(options: argparse.Namespace) -> int:
    say_soon()
    from archspec.loading import open_spec
    from archspec.sweeping.space import parse_space
    from archspec.sweeping.trials import How
    from archspec.sweeping.working import prepared, worked

    if options.search != "halving" and options.factor != 3:
        raise DataError("E113", "--factor is of --search halving").located(None)
    if options.factor < 2:
        raise DataError("E113", "--factor 1 would have every trial go on", help=["--factor 3"]).located(None)
    try:
        for file in (options.plot,):
            if file is not None:
                from archspec.reports.plotting import check_suffix

                check_suffix(file)
    except DataError as error:
        raise error.located(None) from None
    if options.spec == "-" or options.spec.startswith("-#"):
        help = ["trials that go on later read it again: write it to a file"]
        raise DataError("E113", "a sweep takes no spec from standard input", help=help).located(None)
    space = parse_space(options.settings)
    base = open_spec(options.spec)
    made = prepared(
        base,
        space,
        search=options.search,
        trials=options.trials,
        seed=options.seed,
        workdir=options.workdir,
        factor=options.factor,
        skip_invalid=options.skip_invalid,
    )
    made.jobs = options.jobs
    made.how = How(options.plugins, options.no_cache, options.pages, options.verbose, " ".join(sys.argv))
    if options.dry_run:
        for note in made.notes:
            say(note)
        for trial in made.trials:
            print(f"{trial.name}  {trial.combination.said}")
        if made.search == "halving":
            ends = [f"epoch {until}" if until is not None else "the end" for until, _ in made.rungs]
            said = (f"{count(number, 'trial')} to {end}" for end, (_, number) in zip(ends, made.rungs, strict=True))
            print(", then ".join(said))
        if made.search == "tpe":
            print(f"{count(made.wanted, 'trial')}, each proposed when others have ended")
        return 0
    if options.retry:
        again = sum(made.folder.forgive(trial) for trial in made.trials)
        say(f"{again} failed trials are tried again" if again != 1 else "1 failed trial is tried again")
    result = worked(made)
    if options.format == "json":
        about = {"best": str(result.best) if result.best else None, "figure": result.figure, "value": result.value}
        print(as_json({**about, "failed": result.failed, **result.table.to_dict()}))
    else:
        from archspec.reports.tables import document

        print_as(document([result.table.table()], options.format, "sweep"), options.format)
    plot = options.plot or result.folder / "effects.png"
    try:
        result.plot(plot)
        say(f"effects {plot}")
        if options.html is not None:
            write_file(options.html, result.page().encode("utf-8"))
            say(f"page    {options.html}")
    except DataError as error:
        raise error.located(None) from None
    say(result.summary)
    return 1 if result.failed else 0

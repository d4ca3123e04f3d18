"""Trains a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import open_checked, spec_options
from archspec.diagnostics import DataError
from archspec.output import said_when_slow, say_soon
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.loading import Spec


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "--workdir",
        type=Path,
        metavar="DIR",
        help="run folder (default runs/NAME); auto: a new one, runs/NAME-2 and so on",
    )
    command.add_argument("--overwrite", action="store_true", help="train anew where the run folder holds a run")
    command.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="write a trace of steps 2 to 4 for TensorBoard and Perfetto"
    )
    spec_options(command)
    command.epilog = "example: archspec train lenet5 --set train.epochs=2 --workdir runs/quick"


def _check_paths(spec: Spec) -> None:
    """Raises `SpecError` where there are no data, before JAX is loaded, which takes seconds."""
    if spec.train is None:
        return
    try:
        spec.train.dataset.check_path()
    except DataError as error:
        raise spec.data_error(error) from None


def run(options: argparse.Namespace) -> int:
    say_soon()
    with said_when_slow(f"reading {options.spec}"):
        spec = open_checked(options.spec, options, but=("W307",))  # the error says the same
        _check_paths(spec)
    if options.profile is not None:
        from archspec.profiling import check_folder

        try:
            check_folder(options.profile)
        except DataError as error:
            raise error.located(None) from None
    with loading():
        from archspec.training.run import train

    result = train(
        spec,
        options.workdir,
        overwrite=options.overwrite,
        command=" ".join(sys.argv),
        page=True,
        profile=options.profile,
    )
    print(result.summary())
    return 0

"""Looks at data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import open_checked, show, spec_options, write_file
from archspec.diagnostics import DataError
from archspec.output import as_json, printable
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.loading import Spec


def options(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="read all data of a spec once, and say what is in them and what is wrong")
    check.add_argument("spec", metavar="SPEC")
    check.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw samples as training would see them")
    spec_options(check)
    check.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    check.epilog = "example: archspec data check lenet5 --set train.dataset.image_folder=photos"
    check.set_defaults(action="check")


def run(options: argparse.Namespace) -> int:
    spec = open_checked(options.spec, options)
    _check_path(spec)
    with loading():
        from archspec.training.reading import check

    outcome = check(spec)
    checked, diagnostics = outcome.checked, outcome.diagnostics
    if options.format == "json":
        figures = checked.to_plain() if checked is not None else {}
        print(as_json({**figures, "errors": [item.to_json() for item in diagnostics], "trains": not diagnostics}))
    else:
        if checked is not None:
            from archspec.survey.words import in_words

            for line in in_words(checked):
                print(printable(line))
        show(diagnostics, options)
        if not diagnostics:
            print("training would begin with these data")
    if options.sheet is not None and outcome.trained is not None:
        from archspec.training.contact import contact_sheet

        data, heads = outcome.trained
        try:
            contents = contact_sheet(data, spec, heads)
        except DataError as error:
            raise error.located(None) from None
        write_file(options.sheet, contents)
    if options.sheet is not None and options.format != "json":
        print(printable(f"sheet {options.sheet}" if outcome.trained else "there is no sheet of data that are refused"))
    return 1 if diagnostics else 0


def _check_path(spec: Spec) -> None:
    """Raises `SpecError` where there are no data, before JAX is loaded, which takes seconds."""
    if spec.train is not None:
        try:
            spec.train.dataset.check_path()
        except DataError as error:
            raise spec.data_error(error) from None

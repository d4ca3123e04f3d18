"""Shows what differs between specs, git revisions and runs."""

from __future__ import annotations

import argparse
import sys

from archspec.commands._common import coloured, overrides_of, positive, show, spec_options
from archspec.diagnostics import SpecError
from archspec.output import as_json, paint, print_as

HELD_OUT = "held-out"
"""What `--predictions` alone asks for: the test part, or what is held out where there is none."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "things",
        nargs="*",
        metavar="A",
        help="two specs, run folders, names of the zoo or REVISION:PATH; a revision of git, or two, and files in them; "
        "of one file, and of nothing, what changed since HEAD",
    )
    command.add_argument(
        "--predictions",
        nargs="?",
        const=HELD_OUT,
        choices=(HELD_OUT, "test", "validation", "train"),
        metavar="PART",
        help="of two runs: sample by sample, where answers flip; on the test part, or what is held out (loads JAX)",
    )
    command.add_argument(
        "--batch", type=positive, metavar="N", help="batch that memory is for; the recipe's if left out"
    )
    command.add_argument(
        "--exit-code", action="store_true", help="1 where something differs, 2 for errors, as diff has it"
    )
    spec_options(command, formats=("text", "json", "markdown"))
    command.epilog = "example: archspec diff HEAD~1"


def run(options: argparse.Namespace) -> int:
    try:
        return _run(options)
    except SpecError as error:
        if not options.exit_code:
            raise
        show(error.diagnostics, options)
        return 2


def _run(options: argparse.Namespace) -> int:
    from archspec.comparing.comparison import compare

    found = compare(options.things, overrides_of(options), batch=options.batch, predictions=options.predictions)
    if options.plugins:
        found.notes.append("kinds of --plugin are those of the file as it is now, on both sides")
    if options.format == "json":
        print(as_json(found.to_dict()))
    elif options.format == "markdown":
        from archspec.comparing.markdown import markdown

        print_as(markdown(found), "markdown")
    else:
        from archspec.comparing.showing import text

        colour = coloured(sys.stdout)
        (paint if colour else _plainly)(text(found, colour=colour))
    errors = found.is_broken or (options.strict and found.is_warned)
    if options.exit_code:
        return 2 if errors else int(found.differs)
    return int(errors)


def _plainly(text: str) -> None:
    print_as(text, "text")

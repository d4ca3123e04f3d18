"""What to say of an error that nothing in archspec has foreseen."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import archspec
from archspec.commands._common import show
from archspec.diagnostics import Diagnostic

DEBUG = "ARCHSPEC_DEBUG"
"""The environment variable that has tracebacks printed."""

INTERNAL = 70
"""Exit status after a fault of archspec itself; sysexits.h calls it EX_SOFTWARE."""

_MAX_SAID = 300
"""Characters of an error's own words that are shown."""


def status_of(error: Exception, options: argparse.Namespace) -> int:
    """Tells of the error in a diagnostic and returns the exit status."""
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        import sys
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    diagnostic, status = _diagnostic(error)
    show([diagnostic], options)
    return status


def diagnostic_of(error: Exception) -> Diagnostic:
    """The error as a diagnostic, for what goes on all the same."""
    return _diagnostic(error)[0]


def _diagnostic(error: Exception) -> tuple[Diagnostic, int]:
    said = " ".join(str(error).split())
    said = said if len(said) <= _MAX_SAID else said[:_MAX_SAID] + "…"
    debug = f"with {DEBUG}=1 in the environment the traceback is printed"
    if isinstance(error, MemoryError):
        smaller = ("a smaller input, batch or network needs less; `archspec report --memory 16GiB` says what fits",)
        return Diagnostic("E902", "there is not enough memory" + (f": {said}" if said else ""), help=smaller), 1
    if isinstance(error, ImportError):
        missing = ("`archspec doctor` says what is missing", debug)
        return Diagnostic("E904", f"a package that this needs cannot be imported: {said}", help=missing), 1
    if isinstance(error, OSError):
        reason = error.strerror or said or type(error).__name__
        where = f": {error.filename}" if error.filename is not None else ""
        return Diagnostic("E903", f"the system refuses something that this needs: {reason}{where}", help=(debug,)), 1
    name = type(error).__name__
    if isinstance(error, RecursionError):
        said = "something is nested more deeply than can be followed"
    message = f"a fault of archspec itself: {name}" + (f": {said}" if said else "") + _place(error)
    help = (debug, "please report it with the command and the spec")
    return Diagnostic("E901", message, help=help), INTERNAL


def _place(error: Exception) -> str:
    """Where in archspec the error came up: ` (elaborate/placing.py, line 12)`."""
    root, place = Path(archspec.__file__).parent, ""
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(root):
            place = f" ({file.relative_to(root).as_posix()}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place

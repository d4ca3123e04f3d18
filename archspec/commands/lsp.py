"""Answers an editor while specs are written in it: the Language Server Protocol on standard input and output."""

from __future__ import annotations

import argparse
import os
import sys
from typing import BinaryIO

from archspec.diagnostics import DataError

INSTALL = "pip install 'archspec-jax[lsp]'"


def options(command: argparse.ArgumentParser) -> None:
    command.epilog = "how editors are told of it stands in docs/editor.md"


def run(options: argparse.Namespace) -> int:
    from importlib.util import find_spec

    # An editor starts this in the folder that it has open, from which nothing is to be imported.
    here, ours = os.getcwd(), os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    sys.path[:] = [folder for folder in sys.path if folder and (os.path.abspath(folder) != here or here == ours)]
    if find_spec("pygls") is None:
        error = DataError("E904", "a package that this needs is not installed: pygls", help=[INSTALL])
        raise error.located(None)

    from archspec.commands._unforeseen import diagnostic_of
    from archspec.language_server.server import make

    server = make(diagnostic_of)
    server.start_io(stdout=_protocol_alone())
    return 0


def _protocol_alone() -> BinaryIO:
    """Standard output for the protocol; whatever else is printed, by a library say, goes to standard error."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream

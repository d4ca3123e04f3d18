"""Darknet's .cfg files: sizes and functions by the rules of its C sources (github.com/AlexeyAB/darknet, src/parser.c).

Where the first Darknet (github.com/pjreddie/darknet) differs, both are named in a comment. The files have no weights.
"""

from __future__ import annotations

from pathlib import Path

from archspec.importing.darknet.layers import SECTIONS
from archspec.importing.darknet.network import Network
from archspec.importing.darknet.text import sections
from archspec.importing.operations import Program
from archspec.importing.reading import text_of


def read(path: Path) -> Program:
    """The operations of a file. Raises `SpecError` and `DataError`."""
    net, *layers = sections(text_of(path))
    return Network(net, path, SECTIONS).program(layers)

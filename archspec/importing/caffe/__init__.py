"""Caffe's .prototxt files, of today's format and of version 1 (`layers`), and layers of well-known forks.

Sizes and functions are those of github.com/BVLC/caffe (src/caffe/proto/caffe.proto, src/caffe/layers). The files have
no weights; .caffemodel files do.
"""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import DataError
from archspec.formats.prototext import TextError, parse
from archspec.importing.caffe.layers import LAYERS
from archspec.importing.caffe.network import Network
from archspec.importing.caffe.parameters import Parameters
from archspec.importing.operations import Program
from archspec.importing.reading import span_of, text_of


def read(path: Path, size: tuple[int, ...] | None = None) -> Program:
    """The operations of a file. `size` is (height, width) or (height, width, channels) where the file leaves it open.

    Raises `SpecError` and `DataError`."""
    source = text_of(path)
    try:
        root = parse(source.text)
    except TextError as error:
        code = "E564" if error.large else "E563"
        raise DataError(code, error.message).located(span_of(source, error.line, error.column, 1)) from None
    return Network(Parameters(root, source), path, LAYERS, size).program()

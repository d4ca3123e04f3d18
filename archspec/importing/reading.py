"""Which reader takes a file: by what it begins with, and where that says nothing, by how its name ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, Source, Span, count, did_you_mean
from archspec.formats import hdf5
from archspec.formats.mapping import DamagedError
from archspec.importing.operations import Program
from archspec.weights.tensors import UnreadableError

HEAD = 4096
"""Bytes from a file's beginning by which its format is told."""
MAX_TEXT = 2**24
"""Bytes of a model file that is text."""


class Format(NamedTuple):
    """One format of model files. `reader` is a module of this package with `read(path) -> Program`, which raises
    `DataError` or `SpecError`. `begins` says of a file's first bytes whether they can only be of this format.
    """

    name: str
    reader: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    sized: bool = False
    """Whether `read` takes the sizes that the user gives for inputs, as a second argument."""


def _is_darknet(head: bytes) -> bool:
    return re.match(rb"(?:\xef\xbb\xbf)?(?:\s|[#;][^\n]*\n)*\[(?:net|network)\]", head) is not None


def _is_prototxt(head: bytes) -> bool:
    return re.search(rb"(?m)^\s*(?:layers?\s*:?\s*\{|input_(?:dim|shape)\s*[:{]|name\s*:\s*[\"'])", head) is not None


def _is_tflite(head: bytes) -> bool:
    return head[4:8] == b"TFL3"


def _is_nothing_else(head: bytes) -> bool:
    """Of a format that no first bytes tell of."""
    return False


def _is_hdf5(head: bytes) -> bool:
    return head[:8] == hdf5.MAGIC


FORMATS = (
    Format("Darknet", "darknet", (".cfg",), _is_darknet),
    Format("TFLite", "tflite_file", (".tflite", ".lite"), _is_tflite),
    Format("Keras", "keras", (".keras", ".json", ".h5", ".hdf5"), _is_hdf5),
    Format("torch.export", "torch_program", (".pt2",), _is_nothing_else),
    Format("Caffe", "caffe", (".prototxt", ".prototxt.txt"), _is_prototxt, sized=True),
    Format("ONNX", "onnx_file", (".onnx",), _is_nothing_else, sized=True),
)
"""Those that are read. Files are held against them in this order."""


def format_of(path: Path) -> Format:
    """The format of a file. Raises `DataError` where it is none of them, or cannot be opened."""
    head = _head(path)
    name = path.name.lower()
    for known in FORMATS:
        if known.begins(head):
            return known
    for known in FORMATS:
        if name.endswith(known.suffixes):
            return known
    suffixes = [suffix for known in FORMATS for suffix in known.suffixes]
    near = did_you_mean(path.suffix, suffixes)
    raise DataError(
        "E569",
        f"{path} is of no format that is read",
        notes=["read are " + ", ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS)],
        help=[near] if near else [],
    )


def read(path: Path, size: tuple[int, ...] | None = None) -> Program:
    """The operations of a file; `size` is what the user says of inputs whose size it leaves open.

    Raises `DataError` or `SpecError`.
    """
    known = format_of(path)
    reader = import_module(f"archspec.importing.{known.reader}")
    program: Program = reader.read(path, size) if known.sized else reader.read(path)
    return program


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError("E569", f"{path} is a folder, not a file of a model")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except ValueError:  # a name with a null byte
        raise DataError("E569", f"{str(path)!r} cannot be read: no file has such a name") from None
    except OSError as error:
        raise DataError("E569", f"{path} cannot be read: {error.strerror or error}") from None
    if not head:
        raise DataError("E569", f"{path} is empty")
    return head


def text_of(path: Path) -> Source:
    """The text of a model file. Raises `DataError` where it is too long, or not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TEXT + 1)
    except OSError as error:
        raise DataError("E569", f"{path} cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_TEXT:
        raise DataError("E564", f"{path} is longer than {MAX_TEXT // 2**20} MiB, the bound of text")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Comments of old files are in whatever encoding their author had; what counts is ASCII.
        if b"\0" in raw or not _in_comments(raw):
            line = raw[: error.start].count(b"\n") + 1
            raise DataError("E563", f"{path}: line {line} is not UTF-8") from None
        text = raw.decode("latin-1")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError("E563", f"{path}: line {line} has a null character, which no text has")
    return Source(str(path), text, path.parent)


def _in_comments(raw: bytes) -> bool:
    """Whether every byte that is no ASCII stands behind a # or ; of its line."""
    return all(re.search(rb"[\x80-\xff]", re.split(rb"[#;]", line, maxsplit=1)[0]) is None for line in raw.split(b"\n"))


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What is wrong with a file's bytes, or with a tensor in it, as `DataError` with the file's name."""
    try:
        yield
    except DamagedError as error:
        raise DataError("E563", f"{path} {error}") from None
    except UnreadableError as error:
        raise DataError("E563", f"{path}: a tensor {error}") from None
    except OSError as error:
        raise DataError("E569", f"{path} cannot be read: {error.strerror or error}") from None


def times(notes: Mapping[str, int]) -> list[str]:
    """Notes that came so many times each, as sentences."""
    return [text if number == 1 else f"{text} ({count(number, 'time')})" for text, number in notes.items()]


SINGULAR = (
    ("are their biases", "is its bias"),
    ("are one batch_norm each", "is one batch_norm"),
    ("are 1×1 convolutions", "is a 1×1 convolution"),
    ("are convolutions", "is a convolution"),
    ("are that of the layers behind them", "is that of the layer behind it"),
    ("what they take are outputs", "what it takes is an output"),
    ("have their", "has its"),
    ("have padding", "has padding"),
    ("round their", "rounds its"),
    ("have no numbers in the file: they are", "has no numbers in the file: it is"),
    ("and are numbers", "and is a number"),
    ("that change", "that changes"),
    ("that work", "that works"),
    ("end with", "ends with"),
    ("begin as", "begins as"),
    ("add a", "adds a"),
    ("are", "is"),
)
"""What notes say of several things, and of one."""


def counted(said: Mapping[str, int]) -> list[str]:
    """Notes with the number of what they are of, which stands in braces: `{poolings} have padding` is of 1 pooling."""
    sentences = []
    for text, number in said.items():
        begun = re.match(r"\{(.*?)\}", text)
        assert begun is not None
        words, rest = begun[1], text[begun.end() :]
        if number == 1:
            words = re.sub(r"(?<!s)s\b", "", words)
            for several, one in SINGULAR:
                rest = re.sub(rf"\b{several}\b", one, rest, count=1)
        sentences.append(f"{number:,} {words}{rest}")
    return sentences


def span_of(source: Source, line: int, column: int = 1, width: int | None = None) -> Span:
    """A place in a file's text, to the line's end without a width."""
    end = column + width if width is not None else len(source.line(line)) + 1
    return Span(source, line, column, line, max(end, column + 1))


def fault(source: Source, line: int, message: str, column: int = 1, width: int | None = None) -> Exception:
    """What is wrong at a place of a file's text (E563)."""
    return DataError("E563", message).located(span_of(source, line, column, width))

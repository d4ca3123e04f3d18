"""The files of answers: where each sample's goes, and what must not be written over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from archspec.diagnostics import DataError, unwritable
from archspec.graph import Graph
from archspec.images.files import MODES, image_files
from archspec.images.masks import MARK, is_own_mask
from archspec.writing import write_by

MAX_CLASSES = 256
"""Classes that a palette has colours for."""
VOID = 255
"""The number of a mask's pixels that the network says nothing of, as PASCAL VOC has it."""

Kind = Literal["mask", "image", "numbers", "positions"]
ADDED: dict[Kind, str] = {
    "mask": "_mask.png",
    "image": "_remade.png",
    "numbers": "_numbers.npy",
    "positions": "_classes.npy",
}
"""What the name of a file adds to that of its sample: `positions` are the classes along a signal."""


def output_files(sources: Sequence[Path], output: Path, kind: Kind, graph: Graph) -> list[Path]:
    """A file for each sample's answer. Raises `DataError` where one cannot be written, or something would be lost."""
    classes = graph.output_type(graph.main_output).channels
    whole = graph.output_type(graph.main_output).spatial in [input.type.spatial for input in graph.inputs]
    most = MAX_CLASSES if whole else VOID
    if kind == "mask" and classes > most:
        raise DataError("E504", f"{graph.name} has more than {most} classes, which a mask's palette cannot hold")
    if output.is_file():
        raise DataError("E534", f"{output} is a file", help=["give a folder: --output DIR"])
    beside = output.resolve() in {source.parent.resolve() for source in sources}
    if beside or (output.is_dir() and any(not path.name.endswith(ADDED[kind]) for path in image_files(output))):
        raise DataError(
            "E534",
            f"{output} holds images, among which {'masks' if kind == 'mask' else 'answers'} would be taken for images",
            help=[f"give {'the masks' if kind == 'mask' else 'them'} a folder of their own: --output DIR"],
        )
    folds = _folds_case(output)
    files: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for source in sources:
        # A sample of an archive is called `file.npz[3]`.
        stem = source.stem if not source.name.endswith("]") else source.name.replace(".", "_").translate(_BRACKETS)
        file = output / f"{stem}{ADDED[kind]}"
        other = taken.setdefault(file.name.casefold() if folds else file.name, source)
        if other is not source:
            word = "mask" if kind == "mask" else "file"
            raise DataError("E521", f"{other} and {source} would have one {word}, {file}", help=["predict them apart"])
        if file.exists() and not (file.suffix == ".png" and is_own_mask(file)):
            raise DataError(
                "E534", f"{file} is there already, and no prediction", help=["give another folder: --output DIR"]
            )
        files[file] = source
    return list(files)


_BRACKETS = str.maketrans("[", "_", "]")


def _folds_case(folder: Path) -> bool:
    """Whether names that differ only by upper and lower case are one file there, as on Windows and macOS."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path()).resolve()
    other = there.with_name(there.name.swapcase()) if there.name else there
    return other != there and other.exists() and other.samefile(there)


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Bytes (height, width, channels) as a PNG that is known for ours. Raises `DataError` where that cannot be."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    channels = pixels.shape[-1]
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels), mode=MODES[channels])
    mark = PngInfo()
    mark.add_text(*MARK)
    _make(path)
    write_by(path, lambda file: image.save(file, format="PNG", pnginfo=mark))


def write_numbers(path: Path, values: np.ndarray) -> None:
    """Numbers as a .npy file. Raises `DataError` where it cannot be written."""
    _make(path)
    write_by(path, lambda file: np.save(file, values, allow_pickle=False))


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None

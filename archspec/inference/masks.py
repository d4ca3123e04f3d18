"""The files of masks: where each image's goes, and what must not be written over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.images.files import image_files
from archspec.images.masks import is_own_mask

MAX_CLASSES = 256
"""Classes that a palette has colours for."""
MASK = "_mask"
"""What the name of a mask adds to its image's."""


def mask_files(images: Sequence[Path], output: Path, graph: Graph) -> list[Path]:
    """A file for each image's mask. Raises `DataError` where one could not be written, or something would be lost."""
    if graph.output_type(graph.main_output).channels > MAX_CLASSES:
        raise DataError("E504", f"{graph.name} has more than {MAX_CLASSES} classes, which a mask's palette cannot hold")
    if output.is_file():
        raise DataError("E534", f"{output} is a file", help=["give a folder: --output DIR"])
    beside = output.resolve() in {image.parent.resolve() for image in images}
    if beside or (output.is_dir() and any(not path.stem.endswith(MASK) for path in image_files(output))):
        raise DataError(
            "E534",
            f"{output} holds images, among which masks would be taken for images",
            help=["give the masks a folder of their own: --output DIR"],
        )
    folds = _folds_case(output)
    files: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for image in images:
        file = output / f"{image.stem}{MASK}.png"
        other = taken.setdefault(file.name.casefold() if folds else file.name, image)
        if other is not image:
            raise DataError("E521", f"{other} and {image} would have one mask, {file}", help=["predict them apart"])
        if file.exists() and not is_own_mask(file):
            raise DataError(
                "E534", f"{file} is there already, and no prediction", help=["give another folder: --output DIR"]
            )
        files[file] = image
    return list(files)


def _folds_case(folder: Path) -> bool:
    """Whether names that differ only by upper and lower case are one file there, as on Windows and macOS."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path()).resolve()
    other = there.with_name(there.name.swapcase()) if there.name else there
    return other != there and other.exists() and other.samefile(there)

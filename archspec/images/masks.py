"""Masks: labels of pixels read from files and written to them, and the colours of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archspec.diagnostics import DataError, unwritable
from archspec.images.files import opened_image
from archspec.writing import write_by

MARK = ("Software", "archspec")
"""What a mask's file says of where it comes from."""


def read_mask(path: Path) -> np.ndarray:
    """The values of a mask's pixels (height, width), int32: palette indices or grey values. Raises `DataError`."""
    with opened_image(path, "E506") as image:
        if image.format in ("JPEG", "MPO"):
            raise DataError(
                "E507",
                f"{path} is a JPEG, which changes pixels to save space, so they are no longer classes' numbers",
                help=["save masks as PNG, from their source: converting the JPEG does not bring the numbers back"],
            )
        if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
            raise DataError(
                "E507",
                f"{path} has pixels of mode {image.mode}, not the numbers of their classes",
                help=["masks are PNG files of grey or palette pixels, 0 for the first class"],
            )
        return np.asarray(image).astype(np.int32)


def palette(classes: int) -> np.ndarray:
    """One colour (red, green, blue) per class, as PASCAL VOC has them: the bits of the number, dealt out in turn."""
    colours = np.zeros((classes, 3), np.uint8)
    for number in range(classes):
        rest = number
        for place in range(7, -1, -1):
            for channel in range(3):
                colours[number, channel] |= ((rest >> channel) & 1) << place
            rest >>= 3
    return colours


def write_mask(path: Path, mask: np.ndarray, classes: int) -> None:
    """A map of classes (height, width) as a PNG whose pixels are the classes and whose palette colours them.

    Raises `DataError` when it cannot be written.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette(palette(classes).tobytes())
    mark = PngInfo()
    mark.add_text(*MARK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    write_by(path, lambda file: image.save(file, format="PNG", pnginfo=mark))


def is_own_mask(path: Path) -> bool:
    """Whether a file is a mask that `write_mask` wrote, which may be written anew."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.info.get(MARK[0]) == MARK[1]
    except (OSError, ValueError, Image.DecompressionBombError):
        return False

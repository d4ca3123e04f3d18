"""Masks: labels of pixels read from files and written to them, and the colours of classes."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archspec.diagnostics import DataError, listed, unwritable
from archspec.images.files import opened_bytes, opened_image, upright
from archspec.images.palettes import TABLES, Colour, Palette, voc_colour
from archspec.writing import write_by

if TYPE_CHECKING:
    from PIL import Image

MARK = ("Software", "archspec")
"""What a mask's file says of where it comes from."""
_MODES = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")
_NO_COLOURS = ("F", "I", "I;16", "I;16B", "I;16L", "CMYK", "YCbCr", "LAB", "HSV")


def read_mask(path: Path) -> np.ndarray:
    """The numbers that a mask's file stores for its pixels (height, width), int32. Raises `DataError`.

    They are indices of a palette or greys of 1, 2, 4, 8, 16 or 32 bits, as they are stored: 3 is 3, though a
    viewer shows it as white where there are 2 bits.
    """
    return mask_of(None, str(path))


def mask_of(data: bytes | None, path: str) -> np.ndarray:
    """As `read_mask`, from the bytes of a mask's file; from the file of that name if None."""
    with opened_bytes(data, path, "E506") as image:
        _check_lossless(path, image)
        if image.mode not in _MODES:
            colours = None if image.mode in _NO_COLOURS else _colours(image)
            raise DataError(
                "E507",
                f"{path} has pixels of mode {image.mode}, not the numbers of their classes",
                notes=_about(colours) if colours is not None else [],
                help=_ways(colours) or ["masks are PNG files of grey or palette pixels, 0 for the first class"],
            )
        stored = _stored(image)
        return np.asarray(stored(np.asarray(upright(image)).astype(np.int32)))


def read_coloured(path: Path) -> np.ndarray:
    """A mask's colours (height, width) as numbers 65536·red + 256·green + blue, int32. Raises `DataError`."""
    with opened_image(path, "E506") as image:
        _check_lossless(path, image)
        if image.mode in _NO_COLOURS:
            raise DataError("E507", f"{path} has pixels of mode {image.mode}, which are no colours of a table")
        return _codes(upright(image))


def code(colour: Colour) -> int:
    """A colour as one number."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def classes_of_colours(codes: np.ndarray, table: Palette) -> np.ndarray:
    """The classes of pixels by their colours: −1 where the table calls them void, −2 where it has no such colour."""
    known = np.array([*map(code, table.colours), *map(code, table.void)], np.int32)
    values = np.array([*range(len(table.colours)), *([-1] * len(table.void))], np.int32)
    order = np.argsort(known)
    places = np.searchsorted(known[order], codes).clip(0, len(known) - 1)
    return np.where(known[order][places] == codes, values[order][places], -2).astype(np.int32)


def _codes(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image.convert("RGB")).astype(np.int32)
    return np.asarray(pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2])


def _check_lossless(path: Path | str, image: Image.Image) -> None:
    if image.format in ("JPEG", "MPO"):
        raise DataError(
            "E507",
            f"{path} is a JPEG, which changes pixels to save space, so they are no longer classes' numbers",
            help=["save masks as PNG, from their source: converting the JPEG does not bring the numbers back"],
        )


class _Stored:
    """Turns greys, which Pillow spreads over 0 to 255 or turns round, back into the numbers of the file."""

    def __init__(self, top: int = 1, largest: int = 1, turned: bool = False) -> None:
        self.top, self.largest, self.turned = top, largest, turned

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if self.turned:
            pixels = self.top - pixels
        if self.top == self.largest:
            return pixels
        return (2 * pixels * self.largest + self.top) // (2 * self.top)


def _stored(image: Image.Image) -> _Stored:
    """How the pixels of an image that has not been read yet become what its file stores."""
    if image.mode not in ("1", "L", "I"):
        return _Stored()
    tiles = getattr(image, "tile", None) or []
    args = tiles[0][3] if tiles else ()
    args = args if isinstance(args, tuple) else (args,)
    if image.format == "PPM" and len(args) == 2 and isinstance(args[1], int):
        return _Stored(65535 if image.mode == "I" else 255, args[1])
    raw = args[0] if args and isinstance(args[0], str) else ""
    match = re.fullmatch(r"(?:L|1)(?:;(\d?)(I?)R?)?", raw)
    if match is None:
        return _Stored()
    top = 1 if image.mode == "1" else 255
    bits = int(match[1]) if match[1] and image.mode == "L" else 0
    return _Stored(top, 2**bits - 1 if bits else top, bool(match[2]))


def _colours(image: Image.Image) -> list[Colour] | None:
    """The colours of an image, the most frequent first; None where there are very many."""
    counts = image.convert("RGB").getcolors(1024)
    if counts is None:
        return None
    return [colour for _, colour in sorted(counts, key=lambda item: -item[0]) if isinstance(colour, tuple)]


def _about(colours: Collection[Colour]) -> list[str]:
    shown = listed([f"[{red}, {green}, {blue}]" for red, green, blue in colours], 8)
    return [f"its colours are {shown}"]


def _ways(colours: Collection[Colour] | None) -> list[str]:
    """What to write in the dataset for a mask of these colours."""
    if colours is None:
        return []
    for name, table in TABLES.items():
        if set(colours) <= {*table.colours, *table.void}:
            return [f"`colours: {name}` in the dataset: all its colours are in that table"]
    ways = [
        "`colours` in the dataset says the colour of each class, such as {road: [128, 64, 128], sky: [70, 130, 180]}"
    ]
    if all(red == green == blue for red, green, blue in colours):
        ways.insert(0, "`colours: grey` in the dataset: red, green and blue are equal, and are the class's number")
    return ways


def palette(classes: int) -> np.ndarray:
    """One colour (red, green, blue) per class, as PASCAL VOC has them."""
    return np.array([voc_colour(number) for number in range(classes)], np.uint8).reshape(classes, 3)


def write_mask(path: Path, mask: np.ndarray, classes: int) -> None:
    """A map of classes (height, width) as a PNG whose pixels are the classes and whose palette colours them.

    It may hold numbers beyond the classes, such as VOC's 255 for none. Raises `DataError` when it cannot be written.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette(palette(max(classes, int(mask.max(initial=0)) + 1)).tobytes())
    mark = PngInfo()
    mark.add_text(*MARK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    write_by(path, lambda file: image.save(file, format="PNG", pnginfo=mark))


def is_own_mask(path: Path) -> bool:
    """Whether a file is a mask that `write_mask` wrote, which may be written anew."""
    try:
        with opened_image(path, "E506") as image:
            return bool(image.info.get(MARK[0]) == MARK[1])
    except DataError:
        return False

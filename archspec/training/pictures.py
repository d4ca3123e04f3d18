"""Image files in, masks out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archspec.data import Split
from archspec.data._files import opened_image
from archspec.diagnostics import DataError, unwritable
from archspec.spec.network import Input
from archspec.training.images import crop_box, fitted
from archspec.writing import write_by

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
MARK = ("Software", "archspec")
"""What a mask's file says of where it comes from."""


def read_pixels(path: Path, mode: str) -> np.ndarray:
    """An image file as bytes (height, width, channels) in a mode of Pillow's. Raises `DataError`.

    Orientation is taken from EXIF, transparency is laid on black unless the mode has it. Greys of 16 bits are scaled to
    bytes; pixels whose range the file does not say are refused.
    """
    from PIL import Image, ImageOps

    with opened_image(path, "E521") as file:
        # Pillow clips these to bytes instead of scaling them. 16-bit PGM files have the mode I, but a known range.
        if file.mode in ("F", "I") and file.format != "PPM":
            numbers = "floating-point numbers" if file.mode == "F" else "32-bit numbers"
            raise DataError(
                "E521",
                f"{path} has {numbers} as pixels, and does not say which of them is white",
                help=["save it with 8 or 16 bits per channel, black as 0 and white as 255 or 65535"],
            )
        image = ImageOps.exif_transpose(file)
        if mode != "RGBA" and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
            clear = image.convert("RGBA")
            image = Image.new("RGBA", clear.size, (0, 0, 0, 255))
            image.alpha_composite(clear)
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        pixels = np.asarray(image.convert(mode))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def read_image(path: Path, input: Input, *, invert: bool = False) -> tuple[np.ndarray, tuple[int, int]]:
    """An image file as bytes (height, width, channels) of the input's size, and its own height and width.

    Where the spec says `fit: pad` an image that is not larger than the input is centred on a border, where it says
    `fit: crop` the middle is kept; every other image of another size is resized. Raises `DataError`.
    """
    pixels = read_pixels(path, MODES[input.channels])
    if invert:
        pixels = 255 - pixels
    height, width = pixels.shape[:2]
    if input.fit == "pad" and height <= input.height and width <= input.width:
        return fitted(Split(pixels[None], np.zeros(1, np.int32)), input).images[0], (height, width)
    if input.fit == "crop":
        scaled, (top, left) = crop_box((height, width), input)
        pixels = scale(pixels, scaled, input.interpolation)
        return pixels[top : top + input.height, left : left + input.width], (height, width)
    return scale(pixels, (input.height, input.width), input.interpolation), (height, width)


def scale(pixels: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Bytes (H, W, C) at another height and width, antialiased where they shrink; `nearest` for labels."""
    from PIL import Image

    if pixels.shape[:2] == size:
        return pixels
    way = {
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "nearest": Image.Resampling.NEAREST,
    }[interpolation]
    return _changed(pixels, lambda image: image.resize((size[1], size[0]), way))


def filled(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bytes (H, W, C) scaled so that they just fill a height and width; of what sticks out, both sides are cut off."""
    from PIL import Image, ImageOps

    if pixels.shape[:2] == size:
        return pixels
    return _changed(pixels, lambda image: ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR))


def _changed(pixels: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Pixels (H, W, C) after a change that Pillow makes."""
    from PIL import Image

    found = np.asarray(change(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)))
    return found[..., None] if found.ndim == 2 else found


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


def own_size(mask: np.ndarray, size: tuple[int, int], input: Input) -> np.ndarray:
    """A mask of the input's size as the image itself lay: border away, or scaled to the image's height and width.

    Under `fit: crop` the mask is of the part that was kept.
    """
    height, width = size
    if input.fit == "pad" and height <= input.height and width <= input.width:
        top, left = (input.height - height) // 2, (input.width - width) // 2
        return mask[top : top + height, left : left + width]
    if input.fit == "crop":
        return mask
    return scale(mask.astype(np.uint8)[..., None], size, "nearest")[..., 0]

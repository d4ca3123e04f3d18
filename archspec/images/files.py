"""Image files: found in folders, read into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif")
"""How the names of image files end."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for each number of channels that image files have."""


@contextmanager
def opened_image(path: Path, code: str) -> Iterator[Image.Image]:
    """An image file, opened by Pillow. Raises `DataError` with the code where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            yield image
    except UnidentifiedImageError:
        raise DataError(code, f"{path} is not an image that Pillow can read") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(code, f"{path} cannot be read: {reason}") from None


def image_files(folder: Path) -> list[Path]:
    """The images that lie in a folder, by their names; not hidden files, such as macOS puts beside others."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def read_pixels(path: Path, mode: str) -> np.ndarray:
    """An image file as bytes (height, width, channels) in a mode of Pillow's. Raises `DataError`.

    Orientation is taken from EXIF, transparency is laid on black unless the mode has it. Greys of 16 bits are scaled to
    bytes; pixels whose range the file does not say are refused.
    """
    import numpy as np
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

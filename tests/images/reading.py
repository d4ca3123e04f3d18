"""Image files as a network's input, step by step as `predict` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archspec.images.files import MODES, read_pixels
from archspec.images.fitting import Plan, fitted_images, plan
from archspec.images.preparation import Preparation
from archspec.spec.network import ImageInput


def read_image(path: Path, input: ImageInput, preparation: Preparation | None = None) -> tuple[np.ndarray, Plan]:
    """An image file as bytes (height, width, channels) of the input's size, and how it became so."""
    pixels = read_pixels(path, MODES[input.channels])
    way = plan((pixels.shape[0], pixels.shape[1]), input, preparation)
    return fitted_images(pixels[None], way)[0], way

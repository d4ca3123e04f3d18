"""Folders of data as people have them, made of mnist5k's digits and of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.digits import MNIST


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits (N, 28, 28) and their labels."""
    with np.load(MNIST) as file:
        return file["x"], file["y"]


def digit_folder(folder: Path, names: dict[int, str], each: int) -> Path:
    """A folder for each digit, by the name that is given for it, with so many images."""
    images, labels = digits()
    for digit, name in names.items():
        (folder / name).mkdir(parents=True)
        for place in np.flatnonzero(labels == digit)[:each]:
            Image.fromarray(images[place]).save(folder / name / f"{place}.png")
    return folder


def noise(path: Path, height: int = 40, width: int = 50, mode: str = "RGB", seed: int = 0) -> None:
    """An image of noise in a mode of Pillow's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def mask(path: Path, values: tuple[int, ...], height: int = 40, width: int = 50) -> None:
    """A mask with a stripe of each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.linspace(0, len(values), height, endpoint=False).astype(int)
    pixels = np.asarray(values, np.uint8)[rows][:, None].repeat(width, 1)
    Image.fromarray(pixels).save(path)

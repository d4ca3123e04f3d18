"""Samples as small pictures inside the page: images and maps as PNG or JPEG, signals as lines."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np

from archspec.images.masks import palette

LARGEST = 160
"""Pixels of a picture's longer side; larger ones are made smaller."""
EXACT = 64
"""Images up to this size are stored as PNG, to the pixel; larger ones as JPEG."""
POINTS = 160
"""Points of a signal's line, at most."""
CHANNELS = 3
"""Channels of a signal that are drawn."""
NUMBERS = 6
"""Numbers of a vector that are written."""


def of_input(array: np.ndarray, span: tuple[float, float] | None, words: str) -> str:
    """A sample's input: an image (H, W, C), uint8 or in `span`, a signal (L, C) or a vector (F)."""
    if array.ndim == 3:
        return of_image(array, words, span)
    if array.ndim == 2:
        return of_signal(array, words)
    shown = ", ".join(f"{value:.4g}" for value in array[:NUMBERS])
    more = f", … {len(array) - NUMBERS} more" if len(array) > NUMBERS else ""
    return f'<p class="numbers">{escape(shown + more)}</p>'


def of_image(array: np.ndarray, words: str, span: tuple[float, float] | None = None) -> str:
    """An image (H, W, C) or (H, W): bytes as they are, numbers from `span`, or from their own bounds, to 0…255.

    One channel is grey, three are colours; of others the first is shown.
    """
    if array.dtype != np.uint8:
        low, high = span if span is not None else _bounds(array)
        scaled = (array.astype(np.float32) - low) * (255 / (high - low) if high > low else 0)
        array = np.clip(np.rint(np.nan_to_num(scaled)), 0, 255).astype(np.uint8)
    if array.ndim == 3 and array.shape[-1] not in (3, 4):
        array = array[..., 0]
    return _img(array[..., :3] if array.ndim == 3 else array, words)


def of_mask(mask: np.ndarray, classes: int, words: str) -> str:
    """A map of classes (H, W) in the colours that `predict` gives them; where nothing counts it is grey."""
    return _img(coloured(mask, classes), words, exact=True)


def coloured(mask: np.ndarray, classes: int) -> np.ndarray:
    """The colours (…, 3) of classes; what is below 0 is grey."""
    table = np.concatenate([palette(classes), np.full((1, 3), 150, np.uint8)])
    return np.asarray(table[np.where(mask < 0, classes, np.minimum(mask, classes - 1))])


def of_wrong(mask: np.ndarray, truth: np.ndarray, words: str) -> str:
    """Where two maps of classes differ, red; where they agree, light; where nothing counts, grey."""
    shown = np.full((*mask.shape, 3), 235, np.uint8)
    shown[mask != truth] = (200, 30, 40)
    shown[truth < 0] = 150
    return _img(shown, words, exact=True)


def of_signal(array: np.ndarray, words: str) -> str:
    """A signal (L, C) as lines, each channel's least and largest number of every stretch."""
    width, height = 160, 56
    step = max(1, -(-len(array) // (POINTS // 2)))
    lines = []
    low, high = _bounds(array[:, :CHANNELS])
    for channel in range(min(CHANNELS, array.shape[1])):
        own = array[:, channel].astype(np.float64)
        points: list[tuple[float, float]] = []
        for begin in range(0, len(own), step):
            part = own[begin : begin + step]
            part = part[np.isfinite(part)]
            if len(part):
                points += [(begin, float(value)) for value in ((part.min(), part.max()) if step > 1 else (part[0],))]
        across, tall = width / max(len(own) - 1, 1), (height - 4) / (high - low if high > low else 1)
        path = " ".join(f"{at * across:.1f},{height - 2 - (value - low) * tall:.1f}" for at, value in points)
        lines.append(f'<polyline class="line{channel}" points="{path}"/>')
    drawn, size = "".join(lines), f"0 0 {width} {height}"
    return f'<svg class="signal" viewBox="{size}" role="img" aria-label="{escape(words)}">{drawn}</svg>'


def of_positions(mask: np.ndarray, classes: int, words: str) -> str:
    """The classes along a signal (L,) as a strip of colours."""
    return _img(np.repeat(coloured(mask, classes)[None], 1, 0), words, exact=True, kind="strip")


def _bounds(array: np.ndarray) -> tuple[float, float]:
    finite = array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _img(array: np.ndarray, words: str, *, exact: bool = False, kind: str = "picture") -> str:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(array))
    size = max(image.size)
    most = LARGEST if kind == "picture" else 512
    if size > most:
        way = Image.Resampling.NEAREST if exact else Image.Resampling.BOX
        image = image.resize([max(1, round(side * most / size)) for side in image.size], way)
    png = exact or size <= EXACT
    if png and exact and image.mode == "RGB" and image.getcolors(256):
        image = image.quantize(256)
    data = BytesIO()
    if png:
        image.save(data, "PNG", optimize=size > EXACT)
    else:
        image.save(data, "JPEG", quality=80)
    uri = f"data:image/{'png' if png else 'jpeg'};base64,{b64encode(data.getvalue()).decode()}"
    style = f"{kind} exact" if png else kind
    return f'<img class="{style}" src="{uri}" width="{image.width}" height="{image.height}" alt="{escape(words)}">'


def legend(names: Sequence[str], shown: Sequence[int]) -> str:
    """The colours of some classes with their names."""
    colours = palette(max([*shown, 0]) + 1)
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" '
        f'fill="#{bytes(colours[index].tolist()).hex()}"/></svg>{escape(names[index])}</li>'
        for index in shown
    )
    return f'<ul class="legend">{items}</ul>'

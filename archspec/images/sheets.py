"""Sheets of pictures in rows, each with its caption, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.images.palettes import voc_colour

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SIDE = 160
"""A picture's longer side has about so many pixels: small ones are enlarged by a whole number, large ones reduced."""
GAP, MARGIN, LINE, SIZE = 10, 16, 15, 11
"""Pixels between cells and around the sheet; the height of a line of text, and of its letters."""
UNCOUNTED = (224, 224, 192)
"""The colour of what does not count in a mask, as PASCAL VOC has it."""
LINES = 4
"""A caption has no more lines than this; what is longer ends in …."""


class Cell(NamedTuple):
    """A picture (H, W, C), bytes or numbers from 0 to 1, with a caption; beside it its mask of classes (H, W), if any.

    Of other than 1, 3 or 4 channels, the first is shown.
    """

    image: np.ndarray
    caption: str = ""
    mask: np.ndarray | None = None


def sheet(cells: Sequence[Cell], title: str = "", columns: int | None = None) -> bytes:
    """A PNG of cells in rows, with a title above.

    Without `columns`, the sheet becomes about one and a half times as wide as high. Classes of masks have PASCAL VOC's
    colours.
    """
    from io import BytesIO

    made = drawn(cells, title, columns)
    buffer = BytesIO()
    made.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def drawn(cells: Sequence[Cell], title: str = "", columns: int | None = None) -> Image.Image:
    """The same as a picture of Pillow's."""
    from PIL import Image, ImageDraw

    pairs = [[_picture(cell.image), *([_mask(cell.mask)] if cell.mask is not None else [])] for cell in cells]
    widths = [sum(part.width for part in parts) + 2 * (len(parts) - 1) for parts in pairs]
    wide = max([*widths, SIDE // 2])
    captions = [_wrapped(cell.caption, wide) for cell in cells]
    lines = max((len(caption) for caption in captions), default=0)
    tall = max((part.height for parts in pairs for part in parts), default=0) + LINE * lines + (4 if lines else 0)
    columns = columns or _columns(len(cells), wide + GAP, tall + GAP)
    columns = max(1, min(columns, len(cells)))
    rows = -(-len(cells) // columns)
    across = 2 * MARGIN + columns * (wide + GAP) - GAP
    heading = _wrapped(title, across - 2 * MARGIN) if title else []
    top = MARGIN + (LINE * len(heading) + 6 if heading else 0)
    made = Image.new("RGB", (across, top + rows * (tall + GAP) - GAP + MARGIN), "white")
    pen = ImageDraw.Draw(made)
    for number, line in enumerate(heading):
        pen.text((MARGIN, MARGIN + LINE * number), line, fill=(20, 20, 20), font=_font())
    for index, parts in enumerate(pairs):
        x, y = MARGIN + index % columns * (wide + GAP), top + index // columns * (tall + GAP)
        at, below = x, max(part.height for part in parts)
        for part in parts:
            made.paste(part, (at, y))
            at += part.width + 2
        for number, line in enumerate(captions[index]):
            pen.text((x, y + below + 4 + LINE * number), line, fill=(70, 70, 70), font=_font())
    return made


def _columns(count: int, wide: int, tall: int) -> int:
    """So many that the sheet is about one and a half times as wide as high; near that, the last row is full."""
    about = max(1, round(sqrt(1.5 * count * tall / wide)))
    return min((about, about - 1, about + 1), key=lambda columns: -count % columns if columns else count)


@cache
def _font() -> Any:
    """DejaVu Sans, which matplotlib has with it, for the sake of letters that Pillow's own font lacks."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), SIZE) if file.exists() else ImageFont.load_default(SIZE)


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines that fit a width, broken at spaces where there are any; no more than `LINES`."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and _font().getlength(joined) <= width:
            lines[-1] = joined
        else:
            while _font().getlength(word) > width and len(word) > 1:
                end = next((end for end in range(len(word), 1, -1) if _font().getlength(word[:end]) <= width), 1)
                lines.append(word[:end])
                word = word[end:]
            lines.append(word)
    if len(lines) > LINES:
        last = lines[LINES - 1]
        while last and _font().getlength(last + "…") > width:
            last = last[:-1]
        lines = [*lines[: LINES - 1], last + "…"]
    return lines


def _scaled(picture: Image.Image, smooth: bool) -> Image.Image:
    from PIL import Image

    longer = max(picture.size)
    if longer > SIDE:
        size = (max(1, round(picture.width * SIDE / longer)), max(1, round(picture.height * SIDE / longer)))
        return picture.resize(size, Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST)
    times = max(1, SIDE // longer)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def _picture(image: np.ndarray) -> Image.Image:
    import numpy as np
    from PIL import Image

    bytes_of = image if image.dtype == np.uint8 else np.rint(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8)
    shown = bytes_of[..., 0] if bytes_of.shape[-1] not in (3, 4) else bytes_of
    return _scaled(Image.fromarray(np.ascontiguousarray(shown)).convert("RGB"), smooth=True)


def _mask(mask: np.ndarray) -> Image.Image:
    import numpy as np
    from PIL import Image

    colours = np.array([voc_colour(number) for number in range(256)], np.uint8)
    made = colours[np.where(mask < 0, 0, mask).astype(np.int64) % 256]
    made[mask < 0] = UNCOUNTED
    return _scaled(Image.fromarray(made), smooth=False)

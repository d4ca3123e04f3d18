"""The sheet that a picture of an explanation is drawn on: title, axes, legend, colours, and what fits where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archspec.diagnostics import count
from archspec.drawing.palette import FAINT, INK, RULE
from archspec.figures.receptive_field import Seen
from archspec.images.masks import MARK
from archspec.reports.plotting import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from PIL import Image

WIDTH = 10.0
"""Inches of every picture, at 144 dots each."""
MARGIN = 0.35
BLUE, ORANGE = PALETTE[0], PALETTE[4]


class Sheet:
    """A picture of a fixed width; places are inches from its upper left corner."""

    def __init__(self, title: str, below: str, foot: str, body: float) -> None:
        heading = wrap(title, 68) or [""]
        about = wrap(below, 125)
        foot_lines = wrap(foot, 145)
        self.top = MARGIN + 0.36 * len(heading) + 0.23 * len(about) + 0.18
        self.height = self.top + body + (0.2 * len(foot_lines) + 0.12 if foot_lines else 0) + MARGIN
        self.figure: Figure = new_figure(WIDTH, self.height)
        at = MARGIN
        for line in heading:
            self.text(MARGIN, at, line, 17, INK, weight="bold")
            at += 0.36
        for line in about:
            self.text(MARGIN, at + 0.03, line, 10.5, FAINT)
            at += 0.23
        for place, line in enumerate(foot_lines):
            self.text(MARGIN, self.top + body + 0.14 + 0.2 * place, line, 9.5, FAINT)

    def text(self, x: float, y: float, words: str, size: float, colour: str, **more: Any) -> None:
        more = {"ha": "left", "va": "top", **more}
        self.figure.text(x / WIDTH, 1 - y / self.height, words, fontsize=size, color=colour, **more)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """`y` counts from below the heading."""
        top = self.top + y
        box = (x / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        return self.figure.add_axes(box)

    def legend(self, x: float, y: float, keys: Sequence[tuple[np.ndarray, str]], most: int) -> None:
        """Classes' colours, bytes, each with its words; of those beyond `most` their number. `y` is as for `axes`."""
        for place, (colour, words) in enumerate(keys[:most]):
            key = self.axes(x, y + 0.02 + 0.26 * place, 0.16, 0.16)
            key.set_facecolor(tuple(colour / 255))
            bare(key)
            self.text(x + 0.25, self.top + y + 0.26 * place, words, 9.5, INK)
        if len(keys) > most:
            more = f"and {count(len(keys) - most, 'more class')}"
            self.text(x, self.top + y + 0.26 * most, more, 9.5, FAINT)

    def png(self) -> bytes:
        from warnings import catch_warnings, filterwarnings

        buffer = BytesIO()
        with catch_warnings():
            filterwarnings("ignore", message="Glyph .* missing from")
            self.figure.savefig(buffer, format="png")
        return _smaller(buffer.getvalue())


def _smaller(png: bytes) -> bytes:
    """The same picture, in a table of colours where it has few."""
    from PIL import Image

    image = Image.open(BytesIO(png)).convert("RGB")
    return _saved(image.quantize(256, dither=Image.Dither.NONE) if image.getcolors(256) else image)


def _saved(image: Image.Image) -> bytes:
    """A PNG that is known for ours."""
    from PIL.PngImagePlugin import PngInfo

    mark = PngInfo()
    mark.add_text(*MARK)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True, pnginfo=mark)
    return buffer.getvalue()


def exact_png(pixels: np.ndarray) -> bytes:
    """An image pixel by pixel; of channels that no file has, the first."""
    from PIL import Image

    own = pixels if pixels.shape[-1] in (3, 4) else pixels[..., 0]
    return _saved(Image.fromarray(np.ascontiguousarray(own)))


@cache
def _sequential() -> Colormap:
    """White for nothing, dark blue for much."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("much", ["#ffffff", "#cfe2f1", "#7fb5da", "#2f7fb8", "#0a3d66"])


@cache
def _diverging() -> Colormap:
    """Orange below 0, white at 0, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "signed", ["#8a3400", ORANGE, "#f6d7c2", "#ffffff", "#c7dff0", BLUE, "#00395c"]
    )


class ColourScale(NamedTuple):
    low: float
    high: float
    colours: Colormap


LARGE = 96
"""Pixels of a side above which a few outliers may not make a map pale."""
MOST = 99.5
"""Percent of a large map's pixels that its scale holds; the others have the colours of its ends."""


def scale_of(array: np.ndarray, outliers: bool = True) -> ColourScale:
    """From 0 where nothing is below it, else as far to both sides. Without `outliers`, a large map's are cut off."""
    low, high = float(array.min()), float(array.max())
    if not outliers and max(array.shape) > LARGE:
        end = float(np.percentile(np.abs(array), MOST)) or high
        low, high = max(low, -end), min(high, end)
    if low >= 0:
        return ColourScale(0, high or 1, _sequential())
    reach = max(-low, high) or 1
    return ColourScale(-reach, reach, _diverging())


def bare(axes: Axes) -> None:
    """A panel without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(RULE)
        spine.set_linewidth(0.8)


def plot_style(axes: Axes) -> None:
    """A panel with ticks, and without a frame above and at the right."""
    axes.tick_params(labelsize=9, colors=FAINT, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)


def draw_pixels(axes: Axes, pixels: np.ndarray) -> None:
    """An image (height, width, channels), bytes or numbers from 0 to 1; of other channels than 1, 3 or 4 the first."""
    own = pixels if pixels.shape[-1] in (3, 4) else pixels[..., 0]
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255 if own.dtype == np.uint8 else 1}
    axes.imshow(own, interpolation=interpolation_of(own), aspect="equal", **(grey if own.ndim == 2 else {}))
    bare(axes)


def interpolation_of(array: np.ndarray) -> str:
    """Pixels of small images are seen as they are."""
    return "nearest" if max(array.shape[:2]) <= 96 else "antialiased"


def draw_map(axes: Axes, array: np.ndarray, scale: ColourScale) -> Any:
    way = interpolation_of(array)
    shown = axes.imshow(array, cmap=scale.colours, vmin=scale.low, vmax=scale.high, interpolation=way, aspect="equal")
    bare(axes)
    return shown


def caption(axes: Axes, words: str, size: float = 10.5, colour: str = INK) -> None:
    axes.set_title(words, fontsize=size, color=colour, loc="left", pad=5)


def colour_bar(sheet: Sheet, shown: Any, x: float, y: float, height: float, label: str) -> None:
    """The scale of colours beside a panel."""
    axes = sheet.axes(x, y, 0.16, height)
    bar = sheet.figure.colorbar(shown, cax=axes)
    low, high = shown.get_clim()
    bar.set_ticks([low, (low + high) / 2, high])
    bar.ax.set_yticklabels([numeral(low), numeral((low + high) / 2), numeral(high)])
    bar.ax.tick_params(labelsize=9, colors=FAINT, length=2)
    bar.outline.set_edgecolor(RULE)
    bar.set_label(label, fontsize=9.5, color=FAINT)


def numeral(value: float) -> str:
    """A number as pictures write it: three digits, or whole from 100 on."""
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")


def draw_box(axes: Axes, seen: Seen, colour: str = ORANGE) -> None:
    """The part of the input that is seen."""
    from matplotlib.patches import Rectangle

    (top, left), (bottom, right) = seen.first, seen.end
    box = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2)
    box.set_clip_on(False)
    axes.add_patch(box)


def fit_within(size: Sequence[int], width: float, height: float) -> tuple[float, float]:
    """Inches of a picture of so many pixels within a box."""
    rows, columns = size[0], size[1]
    by = min(width / columns, height / rows)
    return columns * by, rows * by


def columns_of(number: int, most: int) -> int:
    """So many columns that the last row is as full as it can be, more where that is alike."""
    return (
        min(range(max(1, most - 1), most + 1), key=lambda columns: (-number % columns, -columns))
        if number > most
        else number
    )


def short_name(name: str) -> str:
    """The end of a file's name that fits below a patch."""
    own = Path(name).name
    return own if len(own) <= 16 else "…" + own[-15:]

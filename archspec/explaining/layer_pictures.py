"""Pictures of what layers give, and of the first layer's filters: tiles, each a channel or a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from archspec.drawing.palette import FAINT, RULE
from archspec.explaining.explanation import Explanation, Sample
from archspec.explaining.panels import about
from archspec.explaining.sheet import (
    BLUE,
    MARGIN,
    ORANGE,
    WIDTH,
    ColourScale,
    Sheet,
    bare,
    colour_bar,
    draw_map,
    draw_pixels,
    fit_within,
    numeral,
    plot_style,
    scale_of,
)
from archspec.inspecting.filters import Filters
from archspec.reports.plotting import PALETTE

TILES = 64
"""Channels of a layer that have a tile."""


class _Grid(NamedTuple):
    """Tiles in rows: inches of a cell's width, of a tile, between tiles, above each, and of all rows."""

    columns: int
    cell: float
    wide: float
    high: float
    gap: float
    lead: float
    body: float


def _grid(number: int, size: Sequence[int], right: float = 1.2) -> _Grid:
    """As many columns as make the whole about as high as 0.45 of its width."""
    gap, lead = 0.1, 0.2
    across = WIDTH - 2 * MARGIN - right
    best: _Grid | None = None
    least = 0.0
    for columns in range(1, number + 1):
        cell = min((across - gap * (columns - 1)) / columns, 2.2)
        if cell < 0.35:
            break
        wide, high = fit_within(size, cell, 2.2)
        rows = ceil(number / columns)
        made = _Grid(columns, cell, wide, high, gap, lead, rows * (high + lead + gap))
        empty = rows * columns - number
        off = abs(made.body - 4.3) + 0.5 * empty
        if best is None or off < least:
            least = off
            best = made
    assert best is not None
    return best


def _tiles(
    sheet: Sheet, arrays: Sequence[np.ndarray], names: Sequence[str], scale: ColourScale, grid: _Grid, label: str
) -> None:
    shown: Any = None
    for place, (array, name) in enumerate(zip(arrays, names, strict=True)):
        x = MARGIN + place % grid.columns * (grid.cell + grid.gap)
        y = grid.lead + place // grid.columns * (grid.high + grid.gap + grid.lead)
        axes = sheet.axes(x, y, grid.wide, grid.high)
        if array.ndim == 3:
            draw_pixels(axes, array)
        else:
            shown = draw_map(axes, array, scale)
        axes.set_title(name, fontsize=8.5, color=FAINT, pad=2)
    if shown is not None:
        colour_bar(sheet, shown, WIDTH - MARGIN - 0.95, grid.lead, min(grid.body - grid.lead - 0.1, 3.0), label)


def activations_picture(made: Explanation, sample: Sample, path: str) -> bytes:
    array = sample.activations[path]
    shape = "×".join(map(str, array.shape))
    title, below = f"What {path} gives: {shape}", about(made, sample)
    scale = scale_of(array)
    if array.ndim == 3:
        number = min(array.shape[-1], TILES)
        foot = "one tile a channel, all by one scale"
        if number < array.shape[-1]:
            foot += f"; the first {number} of {array.shape[-1]:,} channels"
        grid = _grid(number, array.shape)
        sheet = Sheet(title, below, foot, grid.body)
        _tiles(
            sheet,
            [array[..., place] for place in range(number)],
            [str(place) for place in range(number)],
            scale,
            grid,
            "value",
        )
        return sheet.png()
    if array.ndim == 2:
        sheet = Sheet(title, below, "", 4.0)
        axes = sheet.axes(MARGIN + 0.5, 0.1, WIDTH - 2 * MARGIN - 1.7, 3.4)
        shown = axes.imshow(
            array.T, aspect="auto", cmap=scale.colours, vmin=scale.low, vmax=scale.high, interpolation="nearest"
        )
        axes.set_xlabel("position", fontsize=9.5, color=FAINT)
        axes.set_ylabel("channel", fontsize=9.5, color=FAINT)
        plot_style(axes)
        colour_bar(sheet, shown, WIDTH - MARGIN - 0.95, 0.1, 3.4, "value")
        return sheet.png()
    sheet = Sheet(title, below, "", 3.4)
    axes = sheet.axes(MARGIN + 0.5, 0.1, WIDTH - 2 * MARGIN - 0.6, 2.8)
    axes.bar(np.arange(len(array)), array, color=np.where(array >= 0, BLUE, ORANGE).tolist(), width=0.9)
    axes.axhline(0, color=RULE, linewidth=0.8)
    axes.set_xlim(-0.6, len(array) - 0.4)
    axes.set_xlabel("number", fontsize=9.5, color=FAINT)
    plot_style(axes)
    return sheet.png()


def filters_picture(made: Explanation, filters: Filters) -> bytes:
    kernels = filters.kernels
    number = min(len(kernels), TILES)
    size = "×".join(map(str, kernels.shape[1:]))
    title = f"The filters of {filters.path}: {len(kernels)} of {size}"
    more = f"; the first {number} of {len(kernels):,}" if number < len(kernels) else ""
    scale = scale_of(kernels)
    if kernels.ndim == 3:  # of a signal
        sheet = Sheet(title, made.name, f"one line a channel of the input{more}", 4.2)
        columns = ceil(sqrt(number * 2))
        rows = ceil(number / columns)
        wide, high = (WIDTH - 2 * MARGIN - 0.4) / columns, 4.0 / rows
        for place in range(number):
            axes = sheet.axes(
                MARGIN + 0.3 + place % columns * wide, 0.1 + place // columns * high, wide - 0.12, high - 0.25
            )
            for channel in range(min(kernels.shape[-1], len(PALETTE))):
                axes.plot(kernels[place, :, channel], color=PALETTE[channel], linewidth=1.2)
            axes.set_ylim(scale.low, scale.high)
            bare(axes)
            axes.set_title(str(place), fontsize=8.5, color=FAINT, pad=2)
        return sheet.png()
    colour = kernels.shape[-1] == 3
    reach = max(float(np.abs(kernels).max()), 1e-12)
    if colour:
        foot = f"red, green and blue are the kernel's channels: grey is 0, a full colour ±{numeral(reach)}{more}"
        arrays = [np.clip(0.5 + own / (2 * reach), 0, 1) for own in kernels[:number]]
        names = [str(place) for place in range(number)]
    elif kernels.shape[-1] == 1:
        foot, arrays = f"one tile a filter, all by one scale{more}", [own[..., 0] for own in kernels[:number]]
        names = [str(place) for place in range(number)]
    else:
        number = min(len(kernels), max(1, TILES // kernels.shape[-1]))
        foot = f"one tile a channel of the input, FILTER,CHANNEL; {number} of {len(kernels)} filters"
        arrays = [own[..., channel] for own in kernels[:number] for channel in range(kernels.shape[-1])][:TILES]
        names = [f"{place},{channel}" for place in range(number) for channel in range(kernels.shape[-1])][:TILES]
    grid = _grid(len(arrays), kernels.shape[1:3], 0.0 if colour else 1.2)
    sheet = Sheet(title, made.name, foot, grid.body)
    _tiles(sheet, arrays, names, scale, grid, "weight")
    return sheet.png()

"""Pictures of units, of what excites them and what they look for, and of effective receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from archspec.drawing.palette import FAINT, INK
from archspec.explaining.explanation import Explanation, Patch, Unit
from archspec.explaining.panels import called
from archspec.explaining.sheet import (
    BLUE,
    MARGIN,
    ORANGE,
    WIDTH,
    Sheet,
    bare,
    caption,
    columns_of,
    draw_box,
    draw_map,
    draw_pixels,
    fit_within,
    numeral,
    scale_of,
    short_name,
)
from archspec.inspecting.effective_field import SHARE, Field
from archspec.reports.plotting import PALETTE

PANELS = 12
"""Effective fields in a picture."""


def unit_picture(made: Explanation, unit: Unit) -> bytes:
    title = f"What excites channel {unit.channel} of {unit.path} most"
    if not unit.patches:
        title = f"What channel {unit.channel} of {unit.path} sees"
    where = f" at {', '.join(map(str, unit.position))}" if unit.position else ""
    looked = f"among {unit.looked:,} {unit.part} samples" if unit.looked else "no data to look through"
    below = f"{made.name} · unit {unit.path}:{unit.channel}{where}, {unit.why} · {looked}"
    foot = _seen_said(unit, made)
    image = made.takes == "image"
    if not image:
        patches = [patch for patch in unit.patches if patch.pixels is not None]
        sheet = Sheet(title, below, foot, 0.5 + 1.1 * max(1, ceil(len(patches) / 3)))
        across = (WIDTH - 2 * MARGIN) / 3
        for place, patch in enumerate(patches):
            axes = sheet.axes(MARGIN + place % 3 * across + 0.1, 0.25 + place // 3 * 1.1, across - 0.3, 0.8)
            own = np.asarray(patch.pixels)
            for channel in range(min(own.shape[1], len(PALETTE))):
                axes.plot(own[:, channel], color=PALETTE[channel], linewidth=1)
            bare(axes)
            axes.set_title(
                f"{numeral(patch.value)}   {short_name(patch.name)}", fontsize=8.5, color=FAINT, loc="left", pad=3
            )
        if not patches:
            for place, own_patch in enumerate(unit.patches[:9]):
                words = f"{numeral(own_patch.value)}   {own_patch.name}"
                sheet.text(MARGIN + place % 3 * across, sheet.top + 0.1 + place // 3 * 0.4, words, 11, INK)
        return sheet.png()
    body = 3.9
    sheet = Sheet(title, below, foot, body)
    sample = made.samples[0]
    assert sample.pixels is not None
    wide, high = fit_within(sample.pixels.shape, 3.6, body - 0.4)
    axes = sheet.axes(MARGIN, 0.3, wide, high)
    draw_pixels(axes, sample.pixels)
    if unit.seen is not None and len(unit.seen.first) == 2:
        draw_box(axes, unit.seen)
    at = f"({', '.join(map(str, unit.at))})" if unit.at else ""
    caption(axes, f"what position {at} sees, on {called(sample)[:24]}" if at else "the image")
    if not unit.patches:
        return sheet.png()
    left, columns = MARGIN + 3.6 + 0.35, 5
    side = (WIDTH - MARGIN - left) / columns - 0.12
    sizes = [patch.pixels.shape for patch in unit.patches if patch.pixels is not None]
    rows, cols = (max(size[axis] for size in sizes) for axis in (0, 1))
    for place, patch in enumerate(unit.patches):
        x, y = left + place % columns * (side + 0.12), 0.3 + place // columns * (side + 0.45)
        wide, high = fit_within((rows, cols), side, side)
        axes = sheet.axes(x, y, wide, high)
        assert patch.pixels is not None
        draw_pixels(axes, _whole(patch, rows, cols))
        axes.set_title(numeral(patch.value), fontsize=9, color=INK, pad=3)
        axes.set_xlabel(short_name(patch.name), fontsize=7.5, color=FAINT, labelpad=2)
    return sheet.png()


def _whole(patch: Patch, rows: int, columns: int) -> np.ndarray:
    """A patch in the middle of a light ground of the largest one's size."""
    assert patch.pixels is not None
    own = patch.pixels[..., :3] if patch.pixels.shape[-1] in (3, 4) else patch.pixels[..., :1].repeat(3, -1)
    made = np.full((rows, columns, 3), 232, np.uint8)
    top, left = (rows - own.shape[0]) // 2, (columns - own.shape[1]) // 2
    made[top : top + own.shape[0], left : left + own.shape[1]] = own
    return made


def _seen_said(unit: Unit, made: Explanation) -> str:
    if unit.seen is None:
        return "it sees no places of the input"
    ends = [f"{first} to {end - 1}" for first, end in zip(unit.seen.first, unit.seen.end, strict=True)]
    words = f"rows {ends[0]} and columns {ends[1]}" if len(ends) == 2 else f"positions {ends[0]}"
    exact = "exactly " if unit.seen.exact else "at most "
    at = f" at position ({', '.join(map(str, unit.at))})" if unit.at else ""
    more = "; patches are what it sees where it answers most, with its value" if unit.patches else ""
    return f"the unit{at} sees {exact}{words} of the input{more}"


def visualised_picture(made: Explanation, unit: Unit) -> bytes:
    own = unit.visualised
    assert own is not None
    title = f"What channel {unit.channel} of {unit.path} looks for"
    below = (
        f"{made.name} · an image that excites it: {numeral(own.before)} before, {numeral(own.after)} after the search"
    )
    body = 4.4
    sheet = Sheet(title, below, own.said, body)
    wide, high = fit_within(own.pixels.shape, WIDTH - 2 * MARGIN, body)
    axes = sheet.axes((WIDTH - wide) / 2, 0, wide, high)
    draw_pixels(axes, own.pixels)
    return sheet.png()


def fields_picture(made: Explanation) -> bytes:
    paths = list(made.fields)
    shown = [paths[round(place)] for place in np.linspace(0, len(paths) - 1, min(PANELS, len(paths)))]
    more = f" · {len(shown)} of {len(paths)} layers" if len(shown) < len(paths) else ""
    title = "Effective receptive fields beside the theoretical ones"
    foot = (
        "blue: the mean of |∂y/∂x| over samples, each by its own scale; orange: all that the middle position can see; "
        f"px: above {100 * (1 - SHARE):.3g} % of the largest"
    )
    fields = [made.fields[path] for path in shown]
    if made.fields[shown[0]].map.ndim == 1:
        return _fields_along(made, fields, title, foot)
    columns = columns_of(len(fields), 4 if len(fields) <= 8 else 6)
    gap = 0.2
    cell = (WIDTH - 2 * MARGIN - gap * (columns - 1)) / columns
    wide, high = fit_within(fields[0].map.shape, min(cell, 3.2), 3.2)
    rows = ceil(len(fields) / columns)
    sheet = Sheet(title, f"{made.name}{more}", foot, rows * (high + 0.62))
    for place, field in enumerate(fields):
        axes = sheet.axes(MARGIN + place % columns * (cell + gap), 0.5 + place // columns * (high + 0.62), wide, high)
        draw_map(axes, field.map, scale_of(field.map))
        draw_box(axes, field.theoretical)
        size = "×".join(
            str(end - first) for first, end in zip(field.theoretical.first, field.theoretical.end, strict=True)
        )
        words = f"{short_name(field.path)}\n{size} · {field.pixels:,} px"
        axes.set_title(words, fontsize=9, color=INK, loc="left", pad=4)
    return sheet.png()


def _fields_along(made: Explanation, fields: Sequence[Field], title: str, foot: str) -> bytes:
    sheet = Sheet(title, made.name, foot, 0.75 * len(fields) + 0.3)
    for place, field in enumerate(fields):
        axes = sheet.axes(MARGIN + 1.6, 0.1 + 0.75 * place, WIDTH - 2 * MARGIN - 1.7, 0.55)
        axes.fill_between(np.arange(len(field.map)), field.map, color=BLUE, linewidth=0)
        for end in (field.theoretical.first[0], field.theoretical.end[0] - 1):
            axes.axvline(end, color=ORANGE, linewidth=2)
        axes.set_xlim(0, len(field.map) - 1)
        bare(axes)
        axes.set_ylabel(short_name(field.path), rotation=0, ha="right", va="center", fontsize=9, color=INK)
    return sheet.png()

"""Pictures of attributions and of Grad-CAM: what speaks for an answer, over images, signals and vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.drawing.palette import FAINT, INK, RULE
from archspec.explaining.explanation import TITLES, Attribution, Explanation, Sample
from archspec.explaining.panels import about, draw_input, draw_ring
from archspec.explaining.sheet import (
    BLUE,
    LARGE,
    MARGIN,
    MOST,
    ORANGE,
    WIDTH,
    Sheet,
    bare,
    caption,
    colour_bar,
    columns_of,
    draw_map,
    draw_pixels,
    fit_within,
    interpolation_of,
    plot_style,
    scale_of,
)
from archspec.reports.plotting import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEATURES = 30
"""Numbers of a vector with a bar, those of the largest size."""

SCALES = {
    "saliency": "|∂F/∂x|",
    "smoothgrad": "|mean ∂F/∂x|",
    "integrated_gradients": "share of F(x) − F(0)",
    "guided_backprop": "guided ∂F/∂x",
    "occlusion": "F falls by",
}
"""What the colours of a map stand for."""


def attribution_picture(made: Explanation, sample: Sample, attribution: Attribution) -> bytes:
    title = f"{TITLES[attribution.method]}: {sample.explained.what}"
    below, foot = about(made, sample), attribution.said
    array = attribution.map(made.input)
    if array.ndim == 1:
        signal = made.takes == "signal"
        return (_along if signal else _features)(made, sample, attribution, array, title, below, foot)
    assert sample.pixels is not None
    body = 4.3
    if max(array.shape) > LARGE:
        foot += ("; " if foot else "") + f"the scale holds {MOST:g} % of the pixels"
    sheet = Sheet(title, below, foot, body)
    wide, high = draw_input(made, sample, sheet, MARGIN, 0, 4.0, body)
    x = MARGIN + 4.0 + 0.3
    axes = sheet.axes(x, 0.3, *fit_within(array.shape, 4.0, body - 0.3))
    colour = _coloured(attribution, made.input)
    if colour is not None:
        draw_pixels(axes, colour)
        caption(axes, "in the colours of the channels; grey is 0")
    else:
        scale = scale_of(array, outliers=False)
        shown = draw_map(axes, array, scale)
        colour_bar(sheet, shown, x + wide + 0.12, 0.3, high, SCALES[attribution.method])
        caption(axes, _key(array, "for", "against") if attribution.method != "saliency" else "of each pixel")
    draw_ring(axes, sample)
    return sheet.png()


def _key(array: np.ndarray, above: str, below: str) -> str:
    return f"blue speaks {above} it, orange {below} it" if array.min() < 0 else "of each pixel"


def _coloured(attribution: Attribution, name: str) -> np.ndarray | None:
    """Guided backpropagation of a colour image is shown in its colours, as its authors do."""
    array = attribution.inputs[name]
    if attribution.method != "guided_backprop" or array.ndim != 3 or array.shape[-1] != 3:
        return None
    return np.clip(0.5 + array / (2 * (np.percentile(np.abs(array), 99.5) or 1)), 0, 1)


def overview_picture(made: Explanation, sample: Sample) -> bytes:
    """All attributions of a sample side by side."""
    assert sample.pixels is not None
    parts: list[tuple[str, Callable[[Any], Any]]] = [("the image", lambda axes: draw_pixels(axes, own))]
    own = sample.pixels
    for method, attribution in sample.attributions.items():
        array, colour = attribution.map(made.input), _coloured(attribution, made.input)
        if colour is not None:
            parts.append((TITLES[method], partial(draw_pixels, pixels=colour)))
        else:
            parts.append((TITLES[method], partial(draw_map, array=array, scale=scale_of(array, outliers=False))))
    if sample.cam is not None and sample.cam.map.ndim == 2:
        cam = sample.cam
        parts.append((f"Grad-CAM of {cam.path}", lambda axes: _laid_over(axes, own, cam.shares)))
    columns = columns_of(len(parts), 4)
    gap = 0.2
    cell = (WIDTH - 2 * MARGIN - gap * (columns - 1)) / columns
    wide, high = fit_within(own.shape, cell, 2.6)
    rows = ceil(len(parts) / columns)
    foot = (
        "each map by its own scale: white is 0, blue speaks for it, orange against it; Grad-CAM is yellow where largest"
    )
    sheet = Sheet(f"What speaks for the {sample.explained.what}", about(made, sample), foot, rows * (high + 0.42))
    for place, (name, draw) in enumerate(parts):
        axes = sheet.axes(MARGIN + place % columns * (cell + gap), 0.3 + place // columns * (high + 0.42), wide, high)
        draw(axes)
        draw_ring(axes, sample)
        caption(axes, name)
    return sheet.png()


def _along(
    made: Explanation, sample: Sample, attribution: Attribution, array: np.ndarray, title: str, below: str, foot: str
) -> bytes:
    """A signal, and the attribution of each position below it."""
    sheet = Sheet(title, below, foot, 4.0)
    signal = np.asarray(sample.inputs[made.input], np.float64)
    above = sheet.axes(MARGIN + 0.55, 0.1, WIDTH - 2 * MARGIN - 0.6, 1.6)
    for channel in range(min(signal.shape[1], len(PALETTE))):
        above.plot(signal[:, channel], color=PALETTE[channel], linewidth=1)
    above.set_xticks([])
    above.set_ylabel("signal", fontsize=9.5, color=FAINT)
    axes = sheet.axes(MARGIN + 0.55, 1.95, WIDTH - 2 * MARGIN - 0.6, 1.6)
    places = np.arange(len(array))
    axes.fill_between(places, np.maximum(array, 0), color=BLUE, linewidth=0)
    axes.fill_between(places, np.minimum(array, 0), color=ORANGE, linewidth=0)
    axes.set_xlabel("position", fontsize=9.5, color=FAINT)
    axes.set_ylabel(SCALES[attribution.method], fontsize=9.5, color=FAINT)
    for own in (above, axes):
        own.set_xlim(0, max(len(array) - 1, 1))
        plot_style(own)
    return sheet.png()


def _features(
    made: Explanation, sample: Sample, attribution: Attribution, array: np.ndarray, title: str, below: str, foot: str
) -> bytes:
    """Numbers of a vector as bars, the largest first."""
    order = np.argsort(-np.abs(array), kind="stable")[:FEATURES]
    if len(array) > len(order):
        foot += ("; " if foot else "") + f"the {len(order)} largest of {len(array)} numbers"
    names = feature_names(made)
    sheet = Sheet(title, below, foot, max(1.6, 0.24 * len(order) + 0.5))
    axes = sheet.axes(MARGIN + 2.2, 0.1, WIDTH - 2 * MARGIN - 2.8, max(1.2, 0.24 * len(order)))
    places = np.arange(len(order))[::-1]
    axes.barh(places, array[order], color=[BLUE if value >= 0 else ORANGE for value in array[order]], height=0.65)
    labels = [names[index] if index < len(names) else f"number {index}" for index in order]
    axes.set_yticks(places, [label if len(label) <= 26 else label[:25] + "…" for label in labels])
    axes.axvline(0, color=RULE, linewidth=0.8)
    axes.set_xlabel(SCALES[attribution.method], fontsize=9.5, color=FAINT)
    plot_style(axes)
    axes.tick_params(axis="y", labelsize=9.5, colors=INK, length=0)
    return sheet.png()


def feature_names(made: Explanation) -> list[str]:
    """What the numbers of a vector are called, where the run was trained on a table."""
    layout = made.run._reading(False).layout
    columns = getattr(layout, "inputs", {}) if layout is not None else {}
    own = columns.get(made.input) if isinstance(columns, dict) else None
    names = [str(getattr(column, "name", column)) for column in own or ()]
    section = made.run.spec.inputs[made.input]
    return names if len(names) == section.type.shape[-1] else []


def _laid_over(axes: Axes, pixels: np.ndarray, shares: np.ndarray) -> Any:
    """A map over a grey image, the more to be seen the larger it is."""
    height, width = pixels.shape[:2]
    grey = pixels[..., :3].astype(np.float64).mean(-1) / 255
    axes.imshow(0.35 + 0.65 * grey, cmap="gray", vmin=0, vmax=1, interpolation=interpolation_of(pixels))
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    shown = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, alpha=0.6, interpolation="bilinear", extent=extent)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    bare(axes)
    return shown


def cam_picture(made: Explanation, sample: Sample) -> bytes:
    cam = sample.cam
    assert cam is not None
    title = f"Grad-CAM of {cam.path}: {sample.explained.what}"
    size = "×".join(map(str, cam.map.shape))
    foot = f"ReLU(Σ α_k A_k), α_k the mean of ∂F/∂A_k; channel {cam.strongest} speaks most for it"
    if sample.pixels is None or cam.map.ndim != 2:
        sheet = Sheet(title, about(made, sample), foot, 2.4)
        axes = sheet.axes(MARGIN + 0.55, 0.1, WIDTH - 2 * MARGIN - 0.6, 1.8)
        axes.fill_between(np.arange(len(cam.map)), cam.map, color=BLUE, step="mid")
        axes.set_xlabel(f"position of {cam.path}", fontsize=9.5, color=FAINT)
        axes.set_xlim(0, max(len(cam.map) - 1, 1))
        plot_style(axes)
        return sheet.png()
    body = 3.3
    sheet = Sheet(title, about(made, sample), foot, body)
    side = (WIDTH - 2 * MARGIN - 1.3) / 3
    wide, high = fit_within(sample.pixels.shape, side, body - 0.3)
    first = sheet.axes(MARGIN, 0.3, wide, high)
    draw_pixels(first, sample.pixels)
    caption(first, "the image")
    middle = sheet.axes(MARGIN + side + 0.2, 0.3, *fit_within(cam.map.shape, side, body - 0.3))
    middle.imshow(cam.shares, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    bare(middle)
    caption(middle, f"the map, {size}")
    last = sheet.axes(MARGIN + 2 * (side + 0.2), 0.3, wide, high)
    shown = _laid_over(last, sample.pixels, cam.shares)
    caption(last, "over the image")
    for axes in (first, last):
        draw_ring(axes, sample)
    shown.set_alpha(1)
    colour_bar(sheet, shown, MARGIN + 2 * (side + 0.2) + wide + 0.12, 0.3, high, "of the largest")
    shown.set_alpha(0.6)
    return sheet.png()

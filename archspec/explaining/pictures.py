"""Each thing that an explanation shows as a picture of its own, in the size of a slide."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from archspec.explaining.attack_pictures import attack_picture
from archspec.explaining.attribution_pictures import attribution_picture, cam_picture, overview_picture
from archspec.explaining.explanation import Explanation, Sample
from archspec.explaining.layer_pictures import activations_picture, filters_picture
from archspec.explaining.panels import called, draw_bars, draw_classes, draw_input, said_of
from archspec.explaining.sheet import (
    MARGIN,
    WIDTH,
    Sheet,
    caption,
    draw_map,
    draw_pixels,
    exact_png,
    fit_within,
    scale_of,
)
from archspec.explaining.unit_pictures import fields_picture, unit_picture, visualised_picture
from archspec.spec.network import ImageInput


def pictures_of(made: Explanation) -> dict[str, bytes]:
    """PNGs by the names of their files, each saying what it shows."""
    found: dict[str, bytes] = {}
    if made.filters is not None:
        found[f"filters-{_plain(made.filters.path)}.png"] = filters_picture(made, made.filters)
    for sample, stem in zip(made.samples, stems(made), strict=True):
        found[f"{stem}-seen.png"] = _seen(made, sample)
        if len(sample.attributions) > 1 and made.takes == "image":
            found[f"{stem}-attributions.png"] = overview_picture(made, sample)
        for method, attribution in sample.attributions.items():
            found[f"{stem}-{method}.png"] = attribution_picture(made, sample, attribution)
        if sample.cam is not None:
            found[f"{stem}-gradcam-{_plain(sample.cam.path)}.png"] = cam_picture(made, sample)
        for path in shown_layers(made):
            if path in sample.activations:
                found[f"{stem}-activations-{_plain(path)}.png"] = activations_picture(made, sample, path)
        for method, attack in sample.attacks.items():
            found[f"{stem}-{method}.png"] = attack_picture(made, sample, attack)
            found[f"{stem}-{method}-image.png"] = exact_png(attack.pixels[attack.part])
    for unit in made.units:
        name = re.sub(r"[^\w.-]+", "-", unit.name)
        if unit.patches or (unit.seen is not None and "unit" in made.methods):
            found[f"unit-{name}.png"] = unit_picture(made, unit)
        if unit.visualised is not None:
            found[f"unit-{name}-visualisation.png"] = visualised_picture(made, unit)
    if made.fields:
        found["effective-fields.png"] = fields_picture(made)
    return found


def shown_layers(made: Explanation) -> list[str]:
    """The layers whose activations have pictures: those that were asked for, or the first with kernels and the one of
    Grad-CAM."""
    if made.shown:
        return list(made.shown)
    chosen = [made.filters.path] if made.filters is not None else []
    chosen += [sample.cam.path for sample in made.samples[:1] if sample.cam is not None]
    return list(dict.fromkeys(chosen)) or [path for path, shape in made.layers.items() if len(shape) > 1][:1]


def stems(made: Explanation) -> list[str]:
    """What the files of each sample begin with: its own name, numbered where several are alike."""
    names = [_plain(Path(sample.name).stem) or "sample" for sample in made.samples]
    names = [f"sample-{name}" if name.isdigit() else name for name in names]
    seen: Counter[str] = Counter()
    made_names = []
    for name in names:
        seen[name] += 1
        made_names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return made_names


def _plain(path: str) -> str:
    return re.sub(r"[^\w.-]+", "-", path).strip("-")


def _seen(made: Explanation, sample: Sample) -> bytes:
    own = next(item for item in sample.answers if item.output == sample.explained.output)
    title = f"{made.name}: what it sees and says of {called(sample)}"
    below = f"the {made.takes} as the network sees it" + (f": {sample.fitted}" if sample.fitted else "")
    body = 4.0
    others = [item for item in sample.answers if item is not own]
    foot = "; ".join(f"output {item.output}: {said_of(item).removeprefix('predicted: ')}" for item in others)
    sheet = Sheet(title, below, foot, body)
    draw_input(made, sample, sheet, MARGIN, 0.1, 4.3, body - 0.2)
    if own.mask is not None and own.mask.ndim == 2:
        draw_classes(sheet, own, 4.95, 0.1, body - 0.2)
    elif own.rated:
        high = min(body - 0.8, 0.5 * len(own.rated[:8]) + 0.2)
        draw_bars(sheet.axes(6.3, 0.4, WIDTH - 6.3 - MARGIN - 0.5, high), own)
    elif own.value is not None and own.value.ndim == 3:
        wide, high = fit_within(own.value.shape, 4.3, body - 0.5)
        axes = sheet.axes(5.2, 0.35, wide, high)
        shown = _made_again(made, own.value)
        if shown is not None:
            draw_pixels(axes, shown)
        else:
            draw_map(axes, own.value[..., 0], scale_of(own.value[..., 0]))
        caption(axes, f"{own.output}, as the network gives it")
    return sheet.png()


def _made_again(made: Explanation, value: np.ndarray) -> np.ndarray | None:
    """A reconstruction as bytes."""
    from archspec.inference.presenting import as_images

    section = made.run.spec.inputs[made.input]
    if not isinstance(section, ImageInput) or value.shape != section.type.shape:
        return None
    images = as_images(value[None], section)
    return None if images is None else images[0]

"""From what was computed of samples to predictions, by the way in which an answer is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from archspec.graph import Graph
from archspec.images.fitting import Plan, unfitted_labels
from archspec.images.numbers import mean_of, reordered
from archspec.inference.forward import Computed
from archspec.inference.given import Reading
from archspec.inference.predictions import Classes, Labels, Masks, Numbers, Predictions, Remade
from archspec.inference.shown import Shown
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput


def predictions_of(
    shown: Shown,
    rows: Sequence[Computed],
    reading: Reading,
    graph: Graph,
    inputs: Mapping[str, Input],
    classes: Sequence[str],
) -> Predictions:
    """The predictions for samples, of each of which `Forward.whole` has computed all."""
    names = tuple(reading.names[row.place] for row in rows)
    notes = tuple(dict.fromkeys(reading.notes))
    outputs = {name: np.stack([row.values[0][name] for row in rows]) for name in rows[0].values[0]}
    values = np.stack([row.values[1] for row in rows])
    if shown.answer == "mask":
        masks = [placed_mask(row.values[1].argmax(-1), row.plan, whole_size(inputs, values.ndim - 2)) for row in rows]
        return Masks(names, outputs, notes, values, tuple(classes), shown.likely, masks)
    if shown.answer == "labels":
        return Labels(names, outputs, notes, values, tuple(classes), shown.likely, shown.threshold)
    if shown.answer == "numbers":
        return Numbers(names, outputs, notes, values, tuple(shown.value_names))
    if shown.answer == "image":
        source = inputs[shown.made_again or next(iter(inputs))]
        return Remade(names, outputs, notes, values, as_images(values, source))
    return Classes(names, outputs, notes, values, tuple(classes), shown.likely)


def whole_size(inputs: Mapping[str, Input], axes: int) -> tuple[int, ...] | None:
    """The height and width of the image, or with one axis the length of the signal, that a mask is of."""
    return next((input.type.spatial for input in inputs.values() if len(input.type.spatial) == axes), None)


def placed_mask(mask: np.ndarray, way: Plan | None, size: tuple[int, ...] | None) -> np.ndarray:
    """The classes of an output's pixels as the image itself lay, or of its positions as the signal does.

    An output that is smaller than its input stands for the middle; what the output says nothing of is −1.
    """
    if size is not None and mask.shape != size:
        corner = [(whole - own) // 2 for whole, own in zip(size, mask.shape, strict=True)]
        wide = np.full(size, -1, mask.dtype)
        wide[tuple(slice(at, at + own) for at, own in zip(corner, mask.shape, strict=True))] = mask
        mask = wide
    return mask if way is None or mask.ndim != 2 else unfitted_labels(mask, way)


def as_images(values: np.ndarray, input: Input) -> np.ndarray | None:
    """Numbers as a network takes them as bytes (N, height, width, channels); None where the input is no image."""
    if not isinstance(input, ImageInput):
        return None
    x = values.astype(np.float32)
    if input.std is not None:
        x = x * np.asarray(input.std, np.float32)
    mean = mean_of(input)
    if mean is not None:
        x = x + mean
    x = reordered(x, input)
    low, high = input.range
    return np.asarray(np.clip(np.rint((x - low) * (255 / (high - low))), 0, 255).astype(np.uint8))

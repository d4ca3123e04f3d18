"""A contact sheet: samples of the training part as the first epoch sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Data, as_array
from archspec.diagnostics import DataError
from archspec.images.numbers import mean_colour, scaled
from archspec.images.sheets import Cell, sheet
from archspec.spec.network import ImageInput
from archspec.tasks import Head
from archspec.training.augmentation import Changed, augmented, epoch_key
from archspec.training.steps import classes_of, computed, maps_of

if TYPE_CHECKING:
    from archspec.loading import Spec

SAMPLES = 24
"""Pictures on a sheet."""


def contact_sheet(data: Data, spec: Spec, heads: Sequence[Head]) -> bytes:
    """A PNG of training samples at the network's size, augmented as in the first epoch, with their labels and masks.

    They are taken in turn from all classes, evenly over the part. Of several images the first is drawn. Raises
    `DataError` where no input is an image.
    """
    recipe = spec.train
    assert recipe is not None
    images = {name: input for name, input in spec.inputs.items() if isinstance(input, ImageInput)}
    if not images:
        raise DataError(
            "E113", f"{spec.name} takes no images, of which a sheet could be drawn", help=["without --sheet"]
        )
    places = chosen(data)
    raw = {name: values[places] for name, values in data.train.inputs.items()}
    targets = {name: values[places] for name, values in data.train.targets.items()}
    changed = Changed(
        {name: mean_colour(input) for name, input in images.items()},
        maps_of(heads, targets),
        classes_of(heads, targets),
    )
    inputs = {name: jnp.asarray(array) for name, array in raw.items()}
    inputs |= {name: scaled(inputs[name], input) for name, input in images.items()}
    asked = computed({name: jnp.asarray(array) for name, array in targets.items()})
    if recipe.augment:
        key = epoch_key(recipe.seed, jnp.asarray(0))
        inputs, asked = augmented(inputs, asked, jnp.asarray(places, jnp.int32), recipe.augment, changed, key)
    shown = np.asarray(jax.device_get(inputs[next(iter(images))]))
    masks = [name for name in sorted(changed.maps) if targets[name].ndim == 3]
    mask = np.asarray(jax.device_get(asked[masks[0]])) if masks else None
    cells = [
        Cell(shown[row], _caption(data, int(place)), None if mask is None else mask[row])
        for row, place in enumerate(places)
    ]
    ways = "augmented as in the first epoch" if recipe.augment else "as they are trained on"
    return sheet(cells, f"{data.name}: samples to train on, {ways}")


def chosen(data: Data) -> np.ndarray:
    """The samples (n,) of a sheet: one of each class in turn where samples have one, and evenly otherwise."""
    count, number = len(data.train), min(SAMPLES, len(data.train))
    labels = next((data.train.targets[name] for name in data.classes if data.train.targets[name].ndim == 1), None)
    if labels is None:
        return np.linspace(0, count - 1, number).astype(np.int32)
    own = as_array(labels)
    classes = np.unique(own)
    if len(classes) > number:
        classes = classes[np.linspace(0, len(classes) - 1, number).astype(int)]
    each = -(-number // len(classes))
    members = [np.flatnonzero(own == label) for label in classes]
    spread = [group[np.unique(np.linspace(0, len(group) - 1, each).astype(int))] for group in members]
    turns = [group[turn] for turn in range(each) for group in spread if turn < len(group)]
    return np.array(turns[:number], np.int32)


def _caption(data: Data, place: int) -> str:
    """A sample's number and file, and what it is labelled as, as far as that is a word or two."""
    split = data.train
    words = [f"{place}:"]
    for name, values in split.targets.items():
        if values.ndim != 1:
            continue
        label, classes = as_array(values)[place], data.classes.get(name, ())
        if np.issubdtype(values.dtype, np.integer):
            words.append(classes[label] if 0 <= label < len(classes) else f"{name} {label}")
        else:
            words.append(f"{name} {label:.4g}")
    if split.names:
        words.append(Path(split.names[place]).name)
    return "  ".join(words)

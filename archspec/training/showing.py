"""What augmentation makes of one sample, drawn as a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.augmentations import Mixing
from archspec.data import Data, Reading, as_array, loaded
from archspec.diagnostics import DataError, count
from archspec.images.files import MODES, read_pixels
from archspec.images.fitting import fitted_images, plan
from archspec.images.numbers import mean_colour, scaled
from archspec.images.sheets import Cell, sheet
from archspec.spec.network import ImageInput
from archspec.training.augmentation import Changed, Trace, augmented, epoch_key
from archspec.training.checks import check_data, counted, fitted, matched
from archspec.training.reading import read_once
from archspec.training.steps import classes_of, computed, maps_of

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train

Named = dict[str, np.ndarray]


class Shown(NamedTuple):
    """A sample and one that it may be mixed with, (2, …) each: their numbers, inputs and targets."""

    name: str
    numbers: np.ndarray
    inputs: Named
    targets: Named


def augmented_sheet(spec: Spec, which: str, times: int) -> bytes:
    """A PNG of a sample as it is, and as it is trained on in each of the first epochs, with what happened to it.

    `which` is an image file, or a sample's number in the training part. Raises `SpecError` and `DataError`.
    """
    recipe = spec.train
    images = {name: input for name, input in spec.inputs.items() if isinstance(input, ImageInput)}
    if recipe is None or not recipe.augment:
        raise DataError(
            "E561", f"{spec.name} has no `augment` in `train`", help=["--set 'train.augment=[horizontal_flip]'"]
        )
    if not images:
        raise DataError("E561", f"{spec.name} takes no images")
    is_number = which.isascii() and which.isdigit() and not Path(which).exists()
    mixes = any(isinstance(kind, Mixing) for kind in recipe.augment)
    data = _data(spec, recipe) if is_number or mixes else None
    if is_number:
        assert data is not None
        shown = _of_data(data, int(which))
    else:
        shown = _of_file(spec, recipe, images, Path(which), data)
    return sheet(list(_cells(spec, recipe, images, shown, times)), f"{shown.name}, augmented by {spec.name}")


def _data(spec: Spec, recipe: Train) -> Data:
    """The data as they are trained on: without what is left out, so that numbers are those of training."""
    graph = spec.graph()
    once = partial(read_once, spec=spec, dataset=recipe.dataset, progress=True)
    try:
        data = loaded(recipe.dataset, recipe.validation, recipe.seed, once, Reading(recipe.stream, recipe.workers))
    except DataError as error:
        raise spec.data_error(error) from None
    data = matched(counted(data, graph, spec), spec, graph)
    check_data(data, spec, graph)
    return data.map(lambda split: fitted(split, spec.inputs))


def _of_data(data: Data, number: int) -> Shown:
    total = len(data.train)
    if number >= total:
        raise DataError(
            "E561",
            f"there is no sample {number:,} to train on in {data.name}",
            help=[f"it has {count(total, 'sample')}, from 0 to {total - 1:,}"],
        )
    places = np.array([number, (number + 1) % total])
    parts = [{name: as_array(values[places]) for name, values in part.items()} for part in
             (data.train.inputs, data.train.targets)]  # fmt: skip
    file = f" ({data.train.names[number]})" if data.train.names else ""
    return Shown(f"sample {number:,} of {data.name}{file}", places.astype(np.int32), *parts)


def _of_file(spec: Spec, recipe: Train, images: Mapping[str, ImageInput], path: Path, data: Data | None) -> Shown:
    """An image of a file as sample 0, for every input that is an image; what it is mixed with is the data's."""
    if len(images) > 1:
        raise DataError("E561", f"{spec.name} takes several images", help=["give the number of a training sample"])
    ((name, input),) = images.items()
    pixels = read_pixels(path, MODES.get(input.channels, "RGB"))
    way = plan((pixels.shape[0], pixels.shape[1]), input, recipe.dataset.preparation)
    own = fitted_images(pixels[None], way)
    if own.shape[-1] != input.channels:
        raise DataError("E561", f"image files have 1, 3 or 4 channels, and the input has {input.channels}")
    other = own[:, :, ::-1] if data is None else as_array(data.train.inputs[name][np.arange(1)])
    if other.dtype != np.uint8:
        low, high = input.range
        other = np.rint((other - low) / (high - low) * 255).astype(np.uint8)
    return Shown(path.name, np.array([0, 1], np.int32), {name: np.concatenate([own, other])}, {})


def _cells(spec: Spec, recipe: Train, images: Mapping[str, ImageInput], shown: Shown, times: int) -> Iterator[Cell]:
    chain, heads = recipe.augment or (), spec.heads() if shown.targets else ()
    changed = Changed(
        {name: mean_colour(input) for name, input in images.items()},
        maps_of(heads, shown.targets),
        classes_of(heads, shown.targets),
    )

    @jax.jit
    def made(epoch: jax.Array) -> tuple[Any, Any, list[Trace]]:
        traces: list[Trace] = []
        inputs = {name: jnp.asarray(array) for name, array in shown.inputs.items()}
        inputs |= {name: scaled(inputs[name], input) for name, input in images.items()}
        targets = computed({name: jnp.asarray(array) for name, array in shown.targets.items()})
        key = epoch_key(recipe.seed, epoch)
        return *augmented(inputs, targets, jnp.asarray(shown.numbers), chain, changed, key, traces), traces

    masks = [name for name in sorted(changed.maps) if shown.targets[name].ndim == 3]
    mask = shown.targets[masks[0]][0] if masks else None
    name, *others = images
    before = [np.asarray(scaled(jnp.asarray(shown.inputs[own][0]), images[own])) for own in images]
    yield Cell(_beside(before[0], before[1:]), "as it is", mask)
    for epoch in range(times):
        inputs, targets, traces = jax.device_get(made(jnp.asarray(epoch)))
        words = [kind.said(jax.tree.map(lambda value: value[0], trace.drawn), inputs[name].shape[1:3])
                 for kind, trace in zip(chain, traces, strict=True) if trace.happens[0]]  # fmt: skip
        own = _beside(inputs[name][0], [inputs[other][0] for other in others])
        caption = f"epoch {epoch + 1}: {', '.join(words) or 'as it is'}"
        yield Cell(own, caption, targets[masks[0]][0] if masks else None)


def _beside(image: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """All images of a sample side by side, as far as they are of one height and as many channels."""
    alike = [other for other in others if other.shape[0] == image.shape[0] and other.shape[2] == image.shape[2]]
    return np.concatenate([image, *alike], 1)

"""Images as arrays: checked against the spec, brought to its size, turned into numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Data, Split
from archspec.diagnostics import DataError, count
from archspec.graph import Graph
from archspec.spec.network import Input
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.losses import Loss
    from archspec.spec.train import Train


CHUNK_BYTES = 2**27
"""Images that are resized at once are no more than this, as numbers."""


def check_data(data: Data, spec: Spec, graph: Graph) -> None:
    """Checks task, classes, value range and image size against the spec, before the first step.

    Raises `SpecError`; each message names what the data has and what the spec says.
    """
    dataset = spec.train.dataset if spec.train else None
    fields = type(dataset).model_fields if dataset else {}
    try:
        _check_task(data, spec)
        check_outputs(spec, graph)
        for output in graph.outputs:
            kind = graph.output_type(output)
            if kind.channels != data.class_count:
                stray = dataset.stray(kind.channels) if dataset and data.class_count > kind.channels else None
                raise DataError(
                    "E501",
                    f"{data.name} has {data.class_count} class{'' if data.class_count == 1 else 'es'}, but output "
                    f"`{output.name}` of {graph.name} has {count(kind.channels, 'channel' if kind.is_map else 'unit')}",
                    notes=[stray] if stray else [],
                    help=[
                        *(["if the label is a mistake, correct the mask"] if stray else []),
                        *(
                            ["`labels` in the dataset lists the pixel values that are classes"]
                            if stray and "labels" in fields
                            else []
                        ),
                        *([f"--set args.classes={data.class_count}"] if "classes" in graph.args else []),
                    ],
                )
        for split in (data.train, data.test):
            _check_range(data.name, split, spec.input)
            _check_size(data.name, split, spec.input, has_grey="grey" in fields)
    except DataError as error:
        raise spec.data_error(error) from None


def fitted_loss(spec: Spec, recipe: Train, data: Data) -> Loss:
    """The recipe's loss with what it takes from the training labels. Raises `SpecError` where they do not fit it."""
    # Labels of images do not change with the images' size; those of pixels do.
    split = data.train if data.train.labels.ndim == 1 else fitted(data.train, spec.input)
    try:
        return recipe.loss.fitted(split.labels, data.class_count)
    except DataError as error:
        raise error.located(spec.place("train", "loss")) from None


def check_outputs(spec: Spec, graph: Graph) -> None:
    """Checks that the outputs are what the task needs. Raises `DataError`."""
    for output in graph.outputs:
        kind = graph.output_type(output)
        if spec.header.task == "segmentation":
            _check_map(output.name, kind, spec.input)
        elif kind.is_map:
            raise DataError(
                "E501",
                f"output `{output.name}` is a map of {kind}, but classification needs one number per class",
                help=["end with `flatten` or `global_avg_pool`, then `dense`", "or `task: segmentation`"],
            )


def _check_task(data: Data, spec: Spec) -> None:
    of_pixels = data.train.labels.ndim > 1
    if of_pixels != (spec.header.task == "segmentation"):
        has, other = ("pixel", "segmentation") if of_pixels else ("image", "classification")
        raise DataError(
            "E501",
            f"{data.name} has a label per {has}, but the task is {spec.header.task}",
            help=[f"`task: {other}`, or other data"],
        )


def _check_map(name: str, kind: TensorType, input: Input) -> None:
    if not kind.is_map or kind.shape[:2] != (input.height, input.width):
        raise DataError(
            "E501",
            f"output `{name}` is {kind}, but segmentation needs a map of the input's {input.height}×{input.width}",
            help=["end with `resize: {like: input}`, or `crop: {like: input}`"],
        )


def _check_range(name: str, split: Split, input: Input) -> None:
    if split.images.dtype == np.uint8:
        return
    low, high = float(split.images.min()), float(split.images.max())
    if low < input.range[0] or high > input.range[1]:
        raise DataError(
            "E502",
            f"pixels of {name} run from {low:.4g} to {high:.4g}, but the input's range is "
            f"{input.range[0]:.4g} to {input.range[1]:.4g}",
            help=[f"--set 'input.range=[{low:.4g}, {high:.4g}]'", "or scale the data"],
        )


def _check_size(name: str, split: Split, input: Input, *, has_grey: bool = False) -> None:
    height, width, channels = split.images.shape[1:]
    if channels != input.channels:
        raise DataError(
            "E503",
            f"images of {name} have {count(channels, 'channel')}, but the input has {input.channels}",
            help=[
                f"--set input.channels={channels}",
                *(
                    ["`grey: true` in the dataset reads them as one channel"]
                    if has_grey and input.channels == 1
                    else []
                ),
            ],
        )
    if (height, width) == (input.height, input.width) or input.fit in ("resize", "crop"):
        return
    message = f"images of {name} are {height}×{width}, but the input is {input.height}×{input.width}"
    if input.fit == "exact":
        fits = height <= input.height and width <= input.width
        raise DataError(
            "E503",
            message,
            help=[
                f"--input {height}x{width}",
                *(["--set input.fit=pad centres them on a border"] if fits else []),
                "--set input.fit=resize scales them",
            ],
        )
    if height > input.height or width > input.width:
        raise DataError(
            "E503",
            f"{message}: a border makes them no smaller",
            help=["--set input.fit=resize", f"--input {height}x{width}"],
        )


def fitted(split: Split, input: Input) -> Split:
    """Images (N, H, W, C) at the input's size, and labels of pixels with them.

    As they are, on a border of the range's low value that has no label, resized, or scaled and cut out in the middle.
    """
    images, labels = split.images, split.labels
    of_pixels = labels.ndim > 1
    height, width = images.shape[1:3]
    if (height, width) == (input.height, input.width):
        return split
    if input.fit == "pad":
        low = 0 if images.dtype == np.uint8 else input.range[0]
        over = (input.height - height, input.width - width)
        sides = [(size // 2, size - size // 2) for size in over]
        images = np.pad(images, [(0, 0), *sides, (0, 0)], constant_values=low)
        return Split(images, np.pad(labels, [(0, 0), *sides], constant_values=-1) if of_pixels else labels)
    size, corner = (input.height, input.width), (0, 0)
    if input.fit == "crop":
        size, corner = crop_box((height, width), input)
    images = resized(images, *size, input.interpolation)
    if of_pixels:
        rows, columns = (
            (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, (height, width), strict=True)
        )
        labels = labels[:, rows][:, :, columns]
    top, left = corner
    part = np.s_[:, top : top + input.height, left : left + input.width]
    return Split(images[part], labels[part] if of_pixels else labels)


def crop_box(size: tuple[int, int], input: Input) -> tuple[tuple[int, int], tuple[int, int]]:
    """For `fit: crop`: the height and width that an image is scaled to, and where its middle begins."""
    side = input.short_side or max(input.height, input.width)
    short = min(size)
    scaled = tuple(side if extent == short else side * extent // short for extent in size)
    corner = tuple(round((have - want) / 2) for have, want in zip(scaled, (input.height, input.width), strict=True))
    return (scaled[0], scaled[1]), (corner[0], corner[1])


def resized(images: np.ndarray, height: int, width: int, interpolation: str = "bilinear") -> np.ndarray:
    """Images (N, H, W, C) resized, antialiased when they shrink, in their own type."""
    shape = (height, width, images.shape[-1])
    way = {"bilinear": "bilinear", "bicubic": "cubic"}[interpolation]
    parts = []
    chunk = max(1, CHUNK_BYTES // (4 * max(images[0].size, height * width * images.shape[-1])))
    for start in range(0, len(images), chunk):
        part = jnp.asarray(images[start : start + chunk], jnp.float32)
        made = np.asarray(jax.image.resize(part, (part.shape[0], *shape), way))
        parts.append(np.rint(made).clip(0, 255).astype(np.uint8) if images.dtype == np.uint8 else made)
    return np.concatenate(parts)


def normalised(images: jax.Array, input: Input) -> jax.Array:
    """Pixels as the numbers that the network expects; runs inside the compiled step.

    Bytes are scaled linearly into the input's range, then mean and standard deviation are applied.
    """
    x = images.astype(jnp.float32)
    low, high = input.range
    if images.dtype == jnp.uint8:
        x = x * ((high - low) / 255)
        x = x + low if low else x
    if input.mean is not None:
        x = x - np.asarray(input.mean, np.float32)
    if input.std is not None:
        x = x / np.asarray(input.std, np.float32)
    return x

"""Data against a spec: task, classes, range of the pixels, sizes; and images of a split at the input's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archspec.data import Data, Split
from archspec.diagnostics import DataError, count
from archspec.graph import Graph
from archspec.images.fitting import fitted_images, fitted_labels, plan
from archspec.spec.network import ImageInput
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.losses import Loss
    from archspec.spec.train import Train


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
        _check_range(data, spec.input)
        for split in (data.train, data.test):
            _check_size(data.name, split, spec.input, has_grey="grey" in fields)
    except DataError as error:
        raise spec.data_error(error) from None


def counted(data: Data, graph: Graph) -> Data:
    """The data with classes counted from 0, where labels that count from 1 are all that keeps them from fitting.

    That is so where the data have one class more than every output, their classes have no names, and no label is 0.
    """
    outputs = [graph.output_type(output).channels for output in graph.outputs]
    numbers = data.class_names == tuple(map(str, range(data.class_count)))
    if not numbers or any(channels != data.class_count - 1 for channels in outputs):
        return data
    if any((split.labels == 0).any() for split in (data.train, data.test)):
        return data
    splits = [
        Split(split.images, np.where(split.labels > 0, split.labels - 1, -1).astype(split.labels.dtype), split.names)
        for split in (data.train, data.test)
    ]
    last = data.class_count - 1
    notes = [note for note in data.notes if " of 1 class: 0" not in note]
    note = f"no label of {data.name} is 0: labels 1 to {last} are taken as the {last} classes of {graph.name}"
    return Data(data.name, splits[0], splits[1], data.class_names[1:], (*notes, note))


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


def _check_map(name: str, kind: TensorType, input: ImageInput) -> None:
    if not kind.is_map or kind.shape[:2] != (input.height, input.width):
        raise DataError(
            "E501",
            f"output `{name}` is {kind}, but segmentation needs a map of the input's {input.height}×{input.width}",
            help=["end with `resize: {like: input}`, or `crop: {like: input}`"],
        )


def _check_range(data: Data, input: ImageInput) -> None:
    splits = [split.images for split in (data.train, data.test) if split.images.dtype != np.uint8]
    if not splits:
        return
    low, high = min(float(images.min()) for images in splits), max(float(images.max()) for images in splits)
    if low >= input.range[0] and high <= input.range[1]:
        return
    floor, ceiling = outward(low, high)
    raise DataError(
        "E502",
        f"pixels of {data.name} run from {low:.4g} to {high:.4g}, but the input's range is "
        f"{input.range[0]:.4g} to {input.range[1]:.4g}",
        help=[f"--set 'input.range=[{floor}, {ceiling}]'", "or scale the data"],
    )


def outward(low: float, high: float) -> tuple[str, str]:
    """Two numbers of about four figures, as text, that a range lies between: low rounded down and high rounded up."""
    from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

    largest = max(abs(low), abs(high))
    step = Decimal(1).scaleb(Decimal(largest).adjusted() - 3) if largest else Decimal(1)
    floor = Decimal(low).quantize(step, ROUND_FLOOR)
    ceiling = Decimal(high).quantize(step, ROUND_CEILING)
    if floor == ceiling:  # all pixels are alike
        ceiling += step
    # Not 1E+3, which some readers take for text.
    return tuple(f"{number.normalize():f}" if number else "0" for number in (floor, ceiling))  # type: ignore[return-value]


def _check_size(name: str, split: Split, input: ImageInput, *, has_grey: bool = False) -> None:
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


def fitted(split: Split, input: ImageInput) -> Split:
    """Images (N, H, W, C) at the input's size by the one rule of fitting, and labels of pixels with them."""
    height, width = split.images.shape[1:3]
    way = plan((height, width), input)
    if not way.steps:
        return split
    images = fitted_images(split.images, way, 0 if split.images.dtype == np.uint8 else input.range[0])
    return Split(images, fitted_labels(split.labels, way) if split.labels.ndim > 1 else split.labels)

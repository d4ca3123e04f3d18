"""What a network does to numbers before its first layer, as nodes: pixels from 0 to 255 in, normalised numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from archspec.diagnostics import count
from archspec.exporting.onnx.scribe import BATCH, Scribe, sizes_of
from archspec.exporting.subject import Subject
from archspec.images.numbers import mean_of
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput


def preprocessed(subject: Subject, scribe: Scribe, names: dict[int, str], notes: list[str]) -> list[ValueInfoProto]:
    """Writes the nodes of every input, puts what they give in the inputs' place among `names`, and gives the inputs.

    Images are bytes: of each channel a pixel p becomes p·a + b. Signals and vectors are numbers, of which the mean is
    subtracted, and which are divided by the standard deviation.
    """
    inputs = []
    for place, item in enumerate(subject.graph.inputs):
        input = subject.spec.inputs[item.name]
        is_image = isinstance(input, ImageInput)
        kind = TensorProto.UINT8 if is_image else TensorProto.FLOAT
        inputs.append(helper.make_tensor_value_info(item.name, kind, (BATCH, *sizes_of(item.type))))
        names[-1 - place] = _written(scribe, item.name, input)
    images = sum(isinstance(input, ImageInput) for input in subject.spec.inputs.values())
    if images:
        notes.append(
            f"{count(images, 'input')} of images: pixels are bytes from 0 to 255, red, green and blue in this order "
            "where there are three; images of another size are fitted before the model"
        )
    return inputs


def beside(subject: Subject, notes: list[str]) -> None:
    """Says what of an input's preparation the file does not have where it is not in the graph."""
    for name, input in subject.spec.inputs.items():
        if isinstance(input, ImageInput) and input.mean_image is not None:
            notes.append(
                f"the mean image of `{name}`, which is subtracted before the model, is not in the file; "
                "--with-preprocessing puts it into the graph"
            )


def _written(scribe: Scribe, name: str, input: Input) -> str:
    value = name
    channels, rank = input.type.channels, len(input.type.spatial)
    factor, summand = np.ones(channels), np.zeros(channels)  # channels last, of each place where the mean is an image

    def op(kind: str, part: str, *others: str, **attributes: Any) -> str:
        own = f"preprocessing/{name}/{part}"
        scribe.graph.node.append(helper.make_node(kind, [value, *others], [own], name=own, **attributes))
        return own

    def numbers(part: str, array: np.ndarray) -> str:
        whole = array if array.ndim > 1 else array.reshape(*(1 for _ in range(rank)), channels)
        shaped = np.moveaxis(whole.astype(np.float32), -1, 0)
        return scribe.keep(f"preprocessing.{name}.{part}", shaped)

    if isinstance(input, ImageInput):
        value = op("Cast", "numbers", to=TensorProto.FLOAT)
        if input.order == "bgr":
            value = op("Gather", "order", scribe.keep(f"preprocessing.{name}.order", np.array([2, 1, 0])), axis=1)
        low, high = input.range
        factor, summand = factor * (high - low) / 255, summand + low
    mean = mean_of(input)
    if mean is not None:
        summand = summand - mean.astype(np.float64)
    if input.std is not None:
        std = np.asarray(input.std, np.float64)
        factor, summand = factor / std, summand / std
    if (factor != 1).any():
        value = op("Mul", "scaled", numbers("factor", factor))
    if summand.any():
        value = op("Add", "shifted", numbers("summand", summand))
    return value

"""How numbers of pixels become what a network takes: the function `preprocess` of a file of source code."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archspec.exporting.source.layout import fitted
from archspec.exporting.subject import Subject
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.types import TensorType


class Scaling(NamedTuple):
    """How a framework has the function: its type of arrays, a constant of a number for each channel as an array that
    goes with one of the type, and the statements that it begins with, told whether the network takes blue first.
    """

    array: str
    constant: Callable[[str, TensorType], str]
    begin: Callable[[bool], list[str]]


def preprocessing(
    subject: Subject, way: Scaling, axes: Callable[[TensorType], str]
) -> tuple[list[str], list[list[str]]]:
    """Constants, and the function that makes of pixels what the network takes, where it takes one thing."""
    if len(subject.graph.inputs) != 1:
        return [], []
    image = next(iter(subject.spec.inputs.values()))
    text, constants = scaling(image)
    if not text:
        return [], []
    lines = [line for name, values in constants for line in fitted(f"{name} = {values!r}")]
    for name, _ in constants:
        text = text.replace(name, way.constant(name, image.type))
    shape = axes(image.type)
    doc = f"Numbers as the network takes them, of (batch, {shape})"
    if image.type.is_map:
        colours = f", {order_of(image)} in the end" if is_reversed(image) else ""
        doc = f"Pixels from 0 to 255, (batch, {shape}), as the network takes them{colours}"
    head = f"def preprocess(x: {way.array}) -> {way.array}:"
    body = [f"    {line}" for line in way.begin(is_reversed(image))]
    return lines, [[head, f'    """{doc}."""', *body, *fitted(f"return {text}", 4)]]


def scaling(image: Input) -> tuple[str, list[tuple[str, tuple[float, ...]]]]:
    """What becomes of an input's numbers `x`, as an expression, and the constants in it; "" where nothing does."""
    if has_mean_image(image):
        return "", []
    constants: list[tuple[str, tuple[float, ...]]] = []
    text = "x"
    if isinstance(image, ImageInput):
        low, high = image.range
        text = "x" if (low, high) == (0, 255) else "x / 255" if high - low == 1 else f"x * ({high - low!r} / 255)"
        if low:
            text += f" + {low!r}" if low > 0 else f" - {-low!r}"
    mean, std = image.mean, image.std
    if mean is not None:
        constants.append(("MEAN", _each(mean, image.type.channels)))
        text = f"{text} - MEAN"
    if std is not None:
        constants.append(("STD", _each(std, image.type.channels)))
        text = f"({text}) / STD" if " " in text else f"{text} / STD"
    return ("" if text == "x" and not _is_bgr(image) else text), constants


def has_mean_image(image: Input) -> bool:
    """Whether a picture is subtracted, which source code has no room for."""
    return getattr(image, "mean_image", None) is not None


def _is_bgr(image: Input) -> bool:
    return getattr(image, "order", "rgb") == "bgr"


def order_of(image: Input) -> str:
    """The order of an image's colours."""
    return "blue, green, red" if _is_bgr(image) else "red, green, blue"


def is_reversed(image: Input) -> bool:
    """Whether the network takes blue first."""
    return _is_bgr(image) and image.type.channels == 3


def _each(values: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,) * channels

"""Layers of several inputs."""

from __future__ import annotations

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At
from archspec.layers import Layer
from archspec.layers.add import Add
from archspec.layers.average import Average
from archspec.layers.concat import Concat
from archspec.layers.maximum import Maximum
from archspec.layers.multiply import Multiply
from archspec.layers.subtract import Subtract


@emits(Add)
def _add(layer: Add, at: At) -> str:
    return at.op("Add" if len(at.inputs) == 2 else "Sum", *at.inputs)


_CALLED: dict[type[Layer], str] = {Average: "Mean", Maximum: "Max", Subtract: "Sub"}


@emits(*_CALLED)
def _plain(layer: Layer, at: At) -> str:
    return at.op(_CALLED[type(layer)], *at.inputs)


@emits(Concat)
def _concat(layer: Concat, at: At) -> str:
    return at.op("Concat", *at.inputs, axis=1)


@emits(Multiply)
def _multiply(layer: Multiply, at: At) -> str:
    """Two by two; gates of one place or one channel are broadcast."""
    product, *rest = at.inputs
    for number, other in enumerate(rest, 1):
        product = at.op("Mul", product, other, part="" if number == len(rest) else f"product{number}")
    return product

"""Arrays in Keras's order of axes and back: this package's own, but for transposed and depthwise convolutions.

Maps are channels last in both, so a flattened map has one order. A transposed convolution's kernel is (H, W, O, I)
there and (H, W, I, O) here; a depthwise one's (H, W, C, M) there and (H, W, 1, C·M) here, the same numbers in the same
order.
"""

from __future__ import annotations

from math import prod

import numpy as np

from archspec.graph import Node
from archspec.layers import Weight
from archspec.weights.layout import LayoutError, shape_text


def keras_shape(node: Node, weight: Weight) -> tuple[int, ...]:
    """The shape that Keras's layer has for an array."""
    if weight.axes in ("HWio", "Lio"):
        *sizes, inner, outer = weight.shape
        return (*sizes, outer, inner)
    if _is_depthwise(node, weight):
        *sizes, _, filters = weight.shape
        channels = node.input_types[0].channels
        return (*sizes, channels, filters // channels)
    return weight.shape


def from_keras(array: np.ndarray, node: Node, weight: Weight) -> np.ndarray:
    """An array of Keras's layout in this package's. Raises `LayoutError` where its shape does not fit.

    Beside the layer's usual shape it may have that of a dense layer for a convolution over the whole map, and the other
    way round, and axes of 1 before a number for each channel, which `PReLU` has for the axes that it shares.
    """
    wanted = keras_shape(node, weight)
    if array.shape == wanted:
        if weight.axes in ("HWio", "Lio"):
            array = np.swapaxes(array, -1, -2)
        return np.ascontiguousarray(array.reshape(weight.shape))
    if array.size == weight.size and _is_alike(array.shape, weight):
        return array.reshape(weight.shape)
    raise LayoutError(f"is {shape_text(array.shape)}, not {shape_text(wanted)}")


def _is_alike(shape: tuple[int, ...], weight: Weight) -> bool:
    """Whether an array of another shape than usual has the same numbers in the same order."""
    if weight.axes in ("C", "O"):
        return set(shape[:-1]) <= {1}
    if weight.axes in ("CO", "IO", "HWIO", "LIO"):
        # All axes but the last are those of a map that is flattened channels last, in both.
        dense = len(shape) == 2 or weight.axes in ("CO", "IO")
        return dense and shape[-1] == weight.shape[-1]
    if weight.name in ("kernel", "bias") and not weight.axes:
        # A locally connected layer's, whose places and taps are one axis each.
        return shape[-1] == weight.shape[-1] and (weight.name == "bias" or shape[:1] == (prod(weight.shape[:2]),))
    return False


def to_keras(array: np.ndarray, node: Node, weight: Weight) -> np.ndarray:
    """An array of this package's layout in Keras's."""
    if weight.axes in ("HWio", "Lio"):
        array = np.swapaxes(array, -1, -2)
    return np.ascontiguousarray(array).reshape(keras_shape(node, weight))


def _is_depthwise(node: Node, weight: Weight) -> bool:
    return node.kind == "depthwise_conv" and weight.name == "kernel"

"""Keras's layers by name, and what each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.importing.keras import activations, windows
from archspec.importing.keras.activations import activated
from archspec.importing.keras.description import LayerOf
from archspec.importing.keras.functions import OPERATIONS
from archspec.importing.keras.making import Handler, Making, NoneSuchError, changed
from archspec.importing.keras.network import Network

_RUNS = "is Python code, which is never run: put layers of the language in its place"
WITHOUT = {
    "Lambda": _RUNS,
    "TFOpLambda": "is an operation of TensorFlow's by name, outside of any layer",
    "SlicingOpLambda": "is an operation of TensorFlow's by name, outside of any layer",
    "TensorFlowOpLayer": "is an operation of TensorFlow's by name, outside of any layer",
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "Bidirectional"), "is recurrent"),
    "TimeDistributed": "calls a layer for each step of a sequence",
    "Embedding": "takes whole numbers",
    "MultiHeadAttention": "has biases and a width for each head that `self_attention` has in other arrays",
}
"""Why there is nothing like them, where the name alone does not say."""
ONLY_TRAINING = (
    *("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"),
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
)


def call_layer(
    network: Network,
    layer: LayerOf,
    number: int,
    inputs: Sequence[str],
    arguments: Sequence[Any],
    scope: tuple[str, ...],
) -> str:
    """Adds what a layer's call computes to the operations; gives the result's value."""
    making = Making(network, layer, number, inputs, arguments, scope)
    try:
        if layer.custom:
            raise NoneSuchError(f"is a class of its author's own, {layer.custom[:80]}: {_RUNS.partition(', ')[2]}")
        handler = _handler(layer, arguments)
        if handler is None:
            beside = layer.kind in HANDLERS and any(value is not None for value in arguments)
            raise NoneSuchError("is called with other things than tensors" if beside else WITHOUT.get(layer.kind, ""))
        if handler is not windows.max_pool and any(name in network.least for name in inputs):
            raise NoneSuchError("takes a map that is padded with −∞, as only max_pool does")
        handler(making)
    except NoneSuchError as error:
        making.made, making.values = [], making.inputs
        making.emit(None, values=_real(network, inputs), why=str(error))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
        making.made, making.values = [], making.inputs
        making.emit(
            None, values=_real(network, inputs), why=f"has a description that is not understood: {str(error)[:100]}"
        )
    network.operations += making.made
    (value,) = making.values
    network.ranks[value] = making.rank
    return value


def _real(network: Network, inputs: Sequence[str]) -> list[str]:
    """The values, those padded with −∞ without that."""
    return [network.least[name][0] if name in network.least else name for name in inputs]


def _handler(layer: LayerOf, arguments: Sequence[Any]) -> Handler | None:
    """What makes operations of a layer, or of an operation of `keras.ops`, which takes numbers beside tensors."""
    if layer.module.startswith(("keras.src.ops", "keras.ops")) or any(value is not None for value in arguments):
        return OPERATIONS.get(layer.kind)
    return HANDLERS.get(layer.kind)


def _dense(making: Making) -> None:
    units = making.whole("units", "output_dim")
    bias = bool(making.get("use_bias", "bias", default=True))
    kernel = making.array("kernel")
    if making.network.order == "channels_first":
        kernel = changed(kernel, kernel.shape[::-1], np.transpose) if kernel is not None else None
        if making.rank > 2:
            raise NoneSuchError("runs over columns instead of channels")
    arrays = making.arrays(kernel=kernel, bias=making.array("bias") if bias else None)
    making.emit("dense", {"units": units, **({} if bias else {"bias": False})}, arrays, shared=True)
    activated(making, making.get("activation"))


def _flatten(making: Making) -> None:
    if making.get("data_format") == "channels_first" and making.rank > 2:
        # Keras brings the channels behind the places first.
        making.emit("transpose", {"axes": (0, *range(2, making.rank), 1)}, unnamed=True)
    making.emit("flatten")
    making.rank = 2


def _reshape(making: Making) -> None:
    shape = making.get("target_shape", "dims")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise NoneSuchError(f"has the shape {str(shape)[:60]}")
    making.emit("reshape", {"shape": (0, *shape)})
    making.rank = len(shape) + 1


def _permute(making: Making) -> None:
    making.emit("transpose", {"axes": (0, *(int(axis) for axis in making.get("dims")))})


def _axis(making: Making, *, usual: int = -1) -> int:
    axis = making.get("axis", default=usual)
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if type(axis) is not int:
        raise NoneSuchError(f"runs along the axes {str(axis)[:60]}")
    return axis + making.rank if axis < 0 else axis


def _channels(making: Making) -> int:
    first = making.network.order == "channels_first" and making.rank > 2
    return 1 if first else making.rank - 1


def _batch_norm(making: Making) -> None:
    if making.get("mode", default=0) not in (0, 2):
        raise NoneSuchError(f"has mode: {making.get('mode')}, which normalises each sample by itself")
    axis = _axis(making)
    if axis != _channels(making):
        raise NoneSuchError(f"normalises along axis {axis} of {making.rank}, which is not the channels'")
    scale, center = bool(making.get("scale", default=True)), bool(making.get("center", default=True))
    epsilon, momentum = making.real("epsilon", default=1e-3), making.real("momentum", default=0.99)
    fields: dict[str, Any] = {"epsilon": epsilon, "momentum": momentum}
    fields |= {} if scale else {"scale": False}
    fields |= {} if center else {"bias": False}
    arrays = making.arrays(
        scale=making.array("gamma") if scale else None,
        bias=making.array("beta") if center else None,
        mean=making.array("moving_mean"),
        var=making.array("moving_variance"),
    )
    making.emit("batch_norm", fields, arrays, shared=True)


def _norm_flags(making: Making) -> tuple[dict[str, Any], dict[str, Any]]:
    scale, center = bool(making.get("scale", default=True)), bool(making.get("center", default=True))
    fields: dict[str, Any] = {"epsilon": making.real("epsilon", default=1e-3)}
    fields |= {} if scale else {"scale": False}
    fields |= {} if center else {"bias": False}
    own = {"scale": making.array("gamma") if scale else None, "bias": making.array("beta") if center else None}
    return fields, making.arrays(**own)


def _layer_norm(making: Making) -> None:
    if making.get("rms_scaling"):
        raise NoneSuchError("divides by the root of the mean of squares alone")
    axis = making.get("axis", default=-1)
    axes = sorted(
        number + making.rank if number < 0 else number for number in (axis if isinstance(axis, list) else [axis])
    )
    fields, arrays = _norm_flags(making)
    if axes == list(range(1, making.rank)) and making.rank > 2:
        fields["axes"] = "all"
        if making.network.order == "channels_first" and arrays:
            raise NoneSuchError("has a factor for each number of a map whose channels come first")
    elif axes != [_channels(making)]:
        raise NoneSuchError(f"normalises along the axes {axes} of {making.rank}")
    making.emit("layer_norm", fields, arrays, shared=True)


def _group_norm(making: Making) -> None:
    if _axis(making) != _channels(making):
        raise NoneSuchError(f"has groups along axis {_axis(making)} of {making.rank}, which is not the channels'")
    groups = making.whole("groups", default=32)
    fields, arrays = _norm_flags(making)
    if groups == -1:
        fields = {"epsilon": fields["epsilon"], **{name: True for name in ("scale", "bias") if fields.get(name, True)}}
        making.emit("instance_norm", fields, arrays, shared=True)
    else:
        making.emit("group_norm", {"groups": groups, **fields}, arrays, shared=True)


def _unit_norm(making: Making) -> None:
    # x·(max(Σx², 10⁻¹²))^−½: a length of 10⁻⁶ is the least that is divided by.
    making.emit("l2_normalise", {"axis": _axis(making), "epsilon": 1e-6})


def _join(kind: str) -> Handler:
    def join(making: Making) -> None:
        making.emit(kind)

    return join


def _concatenate(making: Making) -> None:
    axis = making.get("axis", "concat_axis", default=-1)
    if type(axis) is not int:
        raise NoneSuchError(f"joins along {str(axis)[:60]}")
    making.emit("concat", {"axis": axis})


def _merge(making: Making) -> None:
    """Keras 1's layer for all of them."""
    mode = making.get("mode")
    kinds = {"sum": "add", "mul": "multiply", "ave": "average", "max": "maximum"}
    if mode == "concat":
        _concatenate(making)
    elif mode in kinds:
        making.emit(kinds[mode])
    else:
        raise NoneSuchError(f"joins by {str(mode)[:60]}")


def _dropout(making: Making) -> None:
    making.emit("dropout", {"rate": making.real("rate", "p", default=0.5)})


def _spatial_dropout(making: Making) -> None:
    making.emit("spatial_dropout", {"rate": making.real("rate", "p", default=0.5)})


def _only_training(making: Making) -> None:
    making.network.tell("{layers} that work in training alone (noise, augmentation) are left out")
    making.emit("identity")


def _sides(making: Making, name: str) -> list[list[int]]:
    """Numbers for both sides of each axis of places: one for all, one for each, or a pair for each."""
    value = making.get(name, default=1)
    listed = value if isinstance(value, list) else [value] * making.axes
    if making.axes == 1 and len(listed) == 2:
        listed = [listed]
    sides = [list(side) if isinstance(side, list) else [side, side] for side in listed]
    if making.axes == 2 and len(listed) == 4:  # Keras 1: top, bottom, left, right
        sides = [listed[:2], listed[2:]]
    whole = all(len(side) == 2 and all(type(n) is int and 0 <= n < 2**31 for n in side) for side in sides)
    if len(sides) != making.axes or not whole:
        raise NoneSuchError(f"has {name}: {str(value)[:60]}")
    return sides


def _zero_padding(making: Making) -> None:
    making.check_order()
    making.emit("pad", {"sides": _sides(making, "padding")})


def _cropping(making: Making) -> None:
    making.check_order()
    making.emit("crop", {"sides": _sides(making, "cropping")})


def _up_sampling(making: Making) -> None:
    making.check_order()
    factors = making.sizes("size", "length", default=2)
    mode = making.get("interpolation", default="nearest")
    if mode == "nearest":
        making.emit("unpool", {"factor": factors[0] if len(set(factors)) == 1 else factors})
    elif mode == "bilinear":
        making.emit("resize", {"factor": factors[0] if len(set(factors)) == 1 else factors})
    else:
        raise NoneSuchError(f"interpolates by {str(mode)[:60]}")


def _resizing(making: Making) -> None:
    making.check_order()
    extra = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    if making.get("interpolation", default="bilinear") != "bilinear" or any(making.get(name) for name in extra):
        raise NoneSuchError("resizes otherwise than by bilinear interpolation of the whole map")
    making.emit("resize", {"size": [making.whole("height"), making.whole("width")]})


def _rescaling(making: Making) -> None:
    for kind, name, usual in (("multiply", "scale", 1.0), ("add", "offset", 0.0)):
        numbers = np.asarray(making.get(name, default=usual), np.float64)
        if numbers.ndim > 1 or not np.isfinite(numbers).all():
            raise NoneSuchError(f"has {name} of the shape {list(numbers.shape)}")
        if (numbers != usual).any():
            making.emit(kind, values=(making.values[0], making.constant(_broadcast(making, numbers))))
    if not making.made:
        making.emit("identity")


def _broadcast(making: Making, numbers: np.ndarray) -> np.ndarray:
    """One number for each channel where the file has the channels."""
    first = making.network.order == "channels_first" and numbers.size > 1
    return numbers.reshape(-1, *(1 for _ in range(making.axes))) if first else numbers


def _normalization(making: Making) -> None:
    """(x − mean)/√variance, the root 10⁻⁷ or more; the numbers stand in the description or among the arrays."""
    if _axis(making) != _channels(making) or making.get("invert"):
        raise NoneSuchError("normalises along another axis than the channels', or the other way round")
    numbers = {}
    for name in ("mean", "variance"):
        tensor, value = making.array(name), making.get(name)
        if value is None and tensor is None:
            making.network.tell(
                "{Normalization layers} have no numbers in the file: they are batch_norm without weights"
            )
            making.emit("batch_norm", {"epsilon": 1e-14, "scale": False, "bias": False})
            return
        numbers[name] = np.asarray(value if value is not None else tensor.load(), np.float64).reshape(-1)  # type: ignore[union-attr]
    making.array("count")
    root = np.maximum(np.sqrt(np.maximum(numbers["variance"], 0)), 1e-7)
    for kind, own in (("subtract", numbers["mean"]), ("divide", root)):
        making.emit(kind, values=(making.values[0], making.constant(_broadcast(making, own))))


HANDLERS: dict[str, Handler] = {
    **activations.LAYERS,
    **dict.fromkeys(("Conv1D", "Conv2D", "Convolution1D", "Convolution2D", "AtrousConvolution2D"), windows.conv),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), windows.depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D", "SeparableConvolution2D"), windows.separable),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Deconvolution2D"), windows.transposed),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "MaxPool1D", "MaxPool2D"), windows.max_pool),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D"), windows.avg_pool),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), windows.global_avg_pool),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), windows.global_max_pool),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), _cropping),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _up_sampling),
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D"), _spatial_dropout),
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization"), _batch_norm),
    **dict.fromkeys(ONLY_TRAINING, _only_training),
    "Add": _join("add"),
    "Subtract": _join("subtract"),
    "Multiply": _join("multiply"),
    "Average": _join("average"),
    "Maximum": _join("maximum"),
    "Concatenate": _concatenate,
    "Merge": _merge,
    "Dense": _dense,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Dropout": _dropout,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "UnitNormalization": _unit_norm,
    "Resizing": _resizing,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Identity": _join("identity"),
}
"""What each of Keras's layers becomes, by its name in any version."""

"""Convolutions and poolings: windows that TensorFlow's rules place.

`padding: same` is TensorFlow's: ⌈W/S⌉ windows, and where their padding is odd the larger half behind. That is
`same_upper` here, which the back end writes as `same` where the two are equal.
"""

from __future__ import annotations

from typing import Any

from archspec.importing.keras.activations import activated
from archspec.importing.keras.making import Making, NoneSuchError, changed
from archspec.weights.tensors import Tensor


def _padding(making: Making) -> dict[str, Any]:
    said = making.get("padding", "border_mode", default="valid")
    if said == "valid":
        return {}
    if said == "same":
        return {"pad": "same_upper"}
    if said == "causal" and making.axes == 1:
        return {"pad": "causal"}
    raise NoneSuchError(f"has padding: {str(said)[:60]}")


def _numbers(values: list[int]) -> int | list[int]:
    return values[0] if len(set(values)) == 1 else values


def _kernel_size(making: Making) -> list[int]:
    if making.get("kernel_size") is None and making.get("nb_row") is not None:
        return [making.whole("nb_row"), making.whole("nb_col")]
    return making.sizes("kernel_size", "filter_length")


def _window(making: Making, dilated: tuple[str, ...] = ("dilation_rate", "atrous_rate")) -> dict[str, Any]:
    strides = making.sizes("strides", "subsample", "subsample_length", default=1)
    spread = making.sizes(*dilated, default=1)
    fields: dict[str, Any] = {"kernel": _numbers(_kernel_size(making))}
    fields |= {"stride": _numbers(strides)} if set(strides) != {1} else {}
    fields |= {"dilation": _numbers(spread)} if set(spread) != {1} else {}
    return fields | _padding(making)


def _bias(making: Making) -> bool:
    return bool(making.get("use_bias", "bias", default=True))


def _laid(making: Making, kernel: Tensor | None) -> Tensor | None:
    """A kernel (places, I, O) as the file's order of axes has it."""
    if kernel is None or making.network.order == "channels_last":
        return kernel
    places = range(len(kernel.shape) - 2)
    axes = (len(kernel.shape) - 1, len(kernel.shape) - 2, *places)
    return changed(kernel, [kernel.shape[axis] for axis in axes], lambda array: array.transpose(axes))


def conv(making: Making) -> None:
    making.check_order()
    groups = making.whole("groups", default=1)
    bias = _bias(making)
    fields = {"filters": making.whole("filters", "nb_filter"), **_window(making)}
    fields |= {"groups": groups} if groups != 1 else {}
    fields |= {} if bias else {"bias": False}
    kernel = _laid(making, making.array("kernel"))
    making.emit("conv", fields, making.arrays(kernel=kernel, bias=making.array("bias") if bias else None), shared=True)
    activated(making, making.get("activation"))


def _depthwise(making: Making, word: tuple[str, ...], *, bias: bool, part: str = "") -> None:
    """A convolution of each channel, whose kernel is (places, C, M) in Keras."""
    multiplier = making.whole("depth_multiplier", default=1)
    fields = _window(making)
    fields |= {"multiplier": multiplier} if multiplier != 1 else {}
    fields |= {} if bias else {"bias": False}
    kernel = making.array(*word)
    if kernel is not None:
        *places, inner, outer = kernel.shape
        shape = (*places, 1, inner * outer)
        kernel = _laid(making, changed(kernel, shape, lambda array: array.reshape(shape)))
    own = making.array("bias") if bias else None
    making.emit("depthwise_conv", fields, making.arrays(kernel=kernel, bias=own), part=part, shared=True)


def depthwise(making: Making) -> None:
    making.check_order()
    _depthwise(making, ("kernel", "depthwise_kernel"), bias=_bias(making))
    activated(making, making.get("activation"))


def separable(making: Making) -> None:
    making.check_order()
    bias = _bias(making)
    _depthwise(making, ("depthwise_kernel",), bias=False, part="depthwise")
    fields: dict[str, Any] = {"filters": making.whole("filters", "nb_filter"), "kernel": 1}
    fields |= {} if bias else {"bias": False}
    kernel = _laid(making, making.array("pointwise_kernel"))
    own = making.array("bias") if bias else None
    making.emit("conv", fields, making.arrays(kernel=kernel, bias=own), part="pointwise", shared=True)
    activated(making, making.get("activation"))


def transposed(making: Making) -> None:
    """A transposed convolution, as the gradient of TensorFlow's convolution has its sizes.

    `valid` gives (W − 1)·S + max(F, S) pixels, `same` W·S; with `output_padding` p (W − 1)·S + F + p, less 2·⌊F/2⌋ in
    `same`. What `same` takes away is halved, the larger half behind.
    """
    making.check_order()
    kernel_size = _kernel_size(making)
    strides = making.sizes("strides", "subsample", default=1)
    spread = making.sizes("dilation_rate", default=1)
    if set(spread) != {1}:
        raise NoneSuchError("is a dilated transposed convolution, which Keras's back ends place differently")
    padding = making.get("padding", "border_mode", default="valid")
    if padding not in ("valid", "same"):
        raise NoneSuchError(f"has padding: {str(padding)[:60]}")
    added = [None] * making.axes if making.get("output_padding") is None else making.sizes("output_padding")
    taken, more = [], []
    for size, step, own in zip(kernel_size, strides, added, strict=True):
        if own is None:
            spare = size - step if padding == "same" else min(0, size - step)
        else:
            spare = 2 * (size // 2) - own if padding == "same" else -own
        taken.append([max(spare, 0) // 2, max(spare, 0) - max(spare, 0) // 2])
        more.append(max(-spare, 0))
    bias = _bias(making)
    fields: dict[str, Any] = {"filters": making.whole("filters", "nb_filter"), "kernel": _numbers(kernel_size)}
    fields |= {"stride": _numbers(strides)} if set(strides) != {1} else {}
    fields |= {"pad": taken} if any(map(any, taken)) else {}
    fields |= {"output_pad": _numbers(more)} if any(more) else {}
    fields |= {} if bias else {"bias": False}
    kernel = making.array("kernel")
    if kernel is not None:
        # (places, O, I) in Keras; (places, I, O) here and (I, O, places) in PyTorch.
        rank = len(kernel.shape)
        places = tuple(range(rank - 2))
        last = making.network.order == "channels_last"
        axes = (*places, rank - 1, rank - 2) if last else (rank - 1, rank - 2, *places)
        kernel = changed(kernel, [kernel.shape[axis] for axis in axes], lambda array: array.transpose(axes))
    own_bias = making.array("bias") if bias else None
    making.emit("transposed_conv", fields, making.arrays(kernel=kernel, bias=own_bias), shared=True)
    activated(making, making.get("activation"))


def _pool(making: Making, kind: str) -> None:
    making.check_order()
    size = making.sizes("pool_size", "pool_length", default=2)
    strides = making.sizes("strides", "stride", default=size)
    fields: dict[str, Any] = {"window": _numbers(size), "stride": _numbers(strides), **_padding(making)}
    if making.inputs[0] in making.network.least:
        source, sides = making.network.least[making.inputs[0]]
        channels = 1 if making.first else making.rank - 1
        if "pad" in fields or any(sides[0]) or any(sides[channels]):
            raise NoneSuchError("pads with −∞ twice, or along channels")
        fields["pad"] = [side for place, side in enumerate(sides) if place not in (0, channels)]
        making.values = (source,)
    if kind == "avg_pool" and "pad" in fields:
        fields["count_pad"] = False  # TensorFlow's mean is of what is there
    making.emit(kind, fields)


def max_pool(making: Making) -> None:
    _pool(making, "max_pool")


def avg_pool(making: Making) -> None:
    _pool(making, "avg_pool")


def _global(making: Making, kind: str) -> None:
    making.check_order()
    keep = bool(making.get("keepdims", default=False))
    making.emit(kind, {"keep_dims": True} if keep else {})
    making.rank = making.rank if keep else 2


def global_avg_pool(making: Making) -> None:
    _global(making, "global_avg_pool")


def global_max_pool(making: Making) -> None:
    _global(making, "global_max_pool")

"""Caffe's layers that change values where they stand: functions, normalisations, factors and summands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from archspec.importing.caffe.network import Network
from archspec.weights.tensors import Tensor


def take_relu(x: Network) -> None:
    slope = x.layer.inner("relu_param").number("negative_slope")
    x.give(x.add("leaky_relu", {"slope": slope}, shape=x.shape()) if slope else x.add("relu", shape=x.shape()))


def take_prelu(x: Network) -> None:
    own = x.layer.inner("prelu_param")
    fields: dict[str, Any] = {"shared": True} if own.flag("channel_shared", False) else {}
    filler = own.inner("filler")
    if filler.text("type", "constant") == "constant":
        fields["slope"] = filler.number("value", 0.25 if "filler" not in own else 0.0)
    x.give(x.add("prelu", {**fields, **x.shared()}, shape=x.shape()))


def take_elu(x: Network) -> None:
    x.give(x.add("elu", {"alpha": x.layer.inner("elu_param").number("alpha", 1.0)}, shape=x.shape()))


def take_dropout(x: Network) -> None:
    rate = x.layer.inner("dropout_param").number("dropout_ratio", 0.5)
    x.give(x.add("dropout", {"rate": rate}, shape=x.shape()))


def take_lrn(x: Network) -> None:
    own = x.layer.inner("lrn_param")
    if own.word("norm_region", "ACROSS_CHANNELS") not in ("ACROSS_CHANNELS", "0"):
        x.unknown("normalises by the pixels around within each channel (`WITHIN_CHANNEL`)")
        return
    fields = {
        "size": own.whole("local_size", 5, low=1),
        "alpha": own.number("alpha", 1.0),
        "beta": own.number("beta", 0.75),
        "k": own.number("k", 1.0),
    }
    x.give(x.add("lrn", fields, shape=x.shape()))


def take_softmax(x: Network) -> None:
    axis = x.layer.inner("softmax_param").whole("axis", 1, low=-10)
    x.give(x.add("softmax", {"axis": axis}, shape=x.shape()))


def take_batch_norm(x: Network) -> None:
    own = x.layer.inner("batch_norm_param")
    fields = {
        "epsilon": own.number("eps", 1e-5),
        "momentum": own.number("moving_average_fraction", 0.999),
        "scale": False,
        "bias": False,
    }
    x.give(x.add("batch_norm", {**fields, **x.shared()}, shape=x.shape()))


def take_bn(x: Network) -> None:
    """BN of the forks that SegNet and ENet came with: factors and summands in one layer, epsilon 1e-9."""
    own = x.layer.inner("bn_param")
    epsilon = own.number("var_eps", own.number("eps", 1e-9))
    if own.word("bn_mode") == "INFERENCE":
        x.said["{BN} of mode INFERENCE have their statistics within factors and summands: mean 0 and variance 1"] += 1
    x.give(x.add("batch_norm", {"epsilon": epsilon, **x.shared()}, shape=x.shape()))


def take_scale(x: Network) -> None:
    own = x.layer.inner("scale_param")
    bias = own.flag("bias_term", False)
    if len(x.bottoms) > 1:
        if bias:
            x.unknown("multiplies by a value and adds trained summands")
            return
        _gate(x, x.bottoms[0], x.bottoms[1])
        return
    if own.whole("axis", 1, low=-10) != 1 or own.whole("num_axes", 1, low=-1) != 1:
        x.unknown("has a factor for each of several axes")
        return
    before = next((item for item in x.operations if item.outputs[0] == x.bottoms[0]), None)
    if before is not None and before.kind == "batch_norm" and before.fields.get("scale") is False:
        # The BatchNorm before is left as it is for layers that take it too; where there are none, it goes.
        fields = {name: value for name, value in before.fields.items() if name not in ("scale", "bias", "weights")}
        fields |= {} if bias else {"bias": False}
        value = x.add("batch_norm", {**fields, **x.shared()}, before.inputs, shape=before.shape)
        x.operations[-1] = replace(x.operations[-1], name=before.name)
        x.merged[x.bottoms[0]] = value
        x.said["{pairs} of BatchNorm and Scale are one batch_norm each"] += 1
        x.give(value)
        return
    if not bias:
        filler = own.inner("filler").number("value", 1.0)
        x.give(x.add("layer_scale", {"initial": filler, **x.shared()}, shape=x.shape()))
        return
    shape = x.shape()
    if shape is not None and len(shape) == 1:
        x.unknown("multiplies and adds to each feature")
        return
    x.said["{Scale} without BatchNorm are convolutions of each channel with a kernel of 1"] += 1
    x.give(x.add("depthwise_conv", {"kernel": [1, 1], **x.shared()}, shape=shape))


def _gate(x: Network, value: str, gate: str) -> None:
    """A map times one factor for each channel, which may be a vector."""
    shape, own = x.shapes.get(value), x.shapes.get(gate)
    if shape is not None and own is not None and len(own) == 1 < len(shape):
        gate = x.add("reshape", {"shape": [0, own[0], *[1] * (len(shape) - 1)]}, [gate], shape=(own[0], 1, 1))
    x.give(x.add("multiply", inputs=[value, gate], shape=shape))


def take_axpy(x: Network) -> None:
    """Axpy of SENet's fork: gates times a map, plus a map."""
    gate, value, other = x.bottoms
    tops, x.tops = x.tops, []
    product = x.add("multiply", inputs=[value, gate], shape=x.shapes.get(value))
    x.tops = tops
    x.give(x.add("add", inputs=[product, other], shape=x.shapes.get(other)))


def take_power(x: Network) -> None:
    """(shift + scale·x)^power."""
    own = x.layer.inner("power_param")
    power, scale, shift = own.number("power", 1.0), own.number("scale", 1.0), own.number("shift", 0.0)
    if power not in (1.0, 2.0):
        x.unknown(f"takes a power of {power:g}")
        return
    value, shape = x.bottoms[0], x.shape()
    if scale != 1.0:
        value = x.add("scale", {"factor": scale}, [value], shape=shape)
    for kind, number in (("add", shift), ("power", power)):
        if number != (0.0 if kind == "add" else 1.0):
            name = f"{x.name}:{kind}"
            x.constants[name] = Tensor.of(np.array(number, np.float32))
            value = x.add(kind, inputs=[value, name], shape=shape)
    x.give(value)


def take_normalize(x: Network) -> None:
    """Normalize of SSD's fork: over channels, times a trained factor for each of them."""
    own = x.layer.inner("norm_param")
    if own.flag("across_spatial", True) or own.flag("channel_shared", True):
        x.unknown("normalises over a whole map, or has one factor for all channels")
        return
    # x/√(Σ x² + eps) there, x/max(√Σ x², √eps) here: the same but for vectors about as short as √eps.
    epsilon = float(f"{max(own.number('eps', 1e-10), 0.0) ** 0.5:.6g}") or 1e-12
    value = x.add("l2_normalise", {"epsilon": epsilon}, shape=x.shape())
    filler = own.inner("scale_filler").number("value", 1.0)
    x.give(x.add("layer_scale", {"initial": filler}, [value], shape=x.shape()))


def take_clip(x: Network) -> None:
    own = x.layer.inner("clip_param")
    x.give(x.add("clip", {"low": own.number("min"), "high": own.number("max")}, shape=x.shape()))

"""Element-wise layers and softmax: one node each, or a few where the opset has no such function."""

from __future__ import annotations

from math import pi, sqrt

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At
from archspec.layers import Layer
from archspec.layers.dropout import Dropout
from archspec.layers.elu import Elu
from archspec.layers.gelu import Gelu
from archspec.layers.hard_sigmoid import HardSigmoid
from archspec.layers.hard_swish import HardSwish
from archspec.layers.identity import Identity
from archspec.layers.leaky_relu import LeakyRelu
from archspec.layers.log_softmax import LogSoftmax
from archspec.layers.mish import Mish
from archspec.layers.prelu import Prelu
from archspec.layers.relu import Relu
from archspec.layers.relu6 import Relu6
from archspec.layers.scale import Scale
from archspec.layers.scaled_tanh import ScaledTanh
from archspec.layers.sigmoid import Sigmoid
from archspec.layers.silu import Silu
from archspec.layers.softmax import Softmax
from archspec.layers.softplus import Softplus
from archspec.layers.spatial_dropout import SpatialDropout
from archspec.layers.stochastic_depth import StochasticDepth
from archspec.layers.tanh import Tanh

_CALLED: dict[type[Layer], str] = {
    Relu: "Relu",
    Sigmoid: "Sigmoid",
    Tanh: "Tanh",
    HardSwish: "HardSwish",
    Identity: "Identity",
    SpatialDropout: "Identity",
    StochasticDepth: "Identity",
}
"""Layers that are one node without settings; those that evaluation leaves out change nothing."""


@emits(*_CALLED)
def _plain(layer: Layer, at: At) -> str:
    return at.op(_CALLED[type(layer)], at.x)


@emits(Dropout)
def _dropout(layer: Dropout, at: At) -> str:
    return at.op("Dropout", at.x, at.number("ratio", layer.rate))


@emits(Relu6)
def _relu6(layer: Relu6, at: At) -> str:
    return at.op("Clip", at.x, at.number("low", 0), at.number("high", 6))


@emits(Elu)
def _elu(layer: Elu, at: At) -> str:
    return at.op("Elu", at.x, alpha=layer.alpha)


@emits(LeakyRelu)
def _leaky(layer: LeakyRelu, at: At) -> str:
    return at.op("LeakyRelu", at.x, alpha=layer.slope)


@emits(HardSigmoid)
def _hard_sigmoid(layer: HardSigmoid, at: At) -> str:
    return at.op("HardSigmoid", at.x, alpha=1 / 6, beta=0.5)


@emits(Softmax)
def _softmax(layer: Softmax, at: At) -> str:
    return at.op("Softmax", at.x, axis=1)


@emits(LogSoftmax)
def _log_softmax(layer: LogSoftmax, at: At) -> str:
    return at.op("LogSoftmax", at.x, axis=1)


@emits(Prelu)
def _prelu(layer: Prelu, at: At) -> str:
    return at.op("PRelu", at.x, at.weight("slope", ones=at.rank))


@emits(Scale)
def _scale(layer: Scale, at: At) -> str:
    return at.op("Mul", at.x, at.number("factor", layer.factor))


@emits(Silu)
def _silu(layer: Silu, at: At) -> str:
    return at.op("Mul", at.x, at.op("Sigmoid", at.x, part="sigmoid"))


@emits(Mish)
def _mish(layer: Mish, at: At) -> str:
    return at.op("Mul", at.x, at.op("Tanh", at.op("Softplus", at.x, part="softplus"), part="tanh"))


@emits(ScaledTanh)
def _scaled_tanh(layer: ScaledTanh, at: At) -> str:
    inner = at.op("Mul", at.x, at.number("slope", layer.slope), part="inner")
    return at.op("Mul", at.op("Tanh", inner, part="tanh"), at.number("amplitude", layer.amplitude))


@emits(Gelu)
def _gelu(layer: Gelu, at: At) -> str:
    """x·(1 + erf(x/√2))/2, or x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2."""
    half, one = at.number("half", 0.5), at.number("one", 1.0)
    if layer.approximate:
        square = at.op("Mul", at.x, at.x, part="square")
        cubic = at.op("Mul", square, at.number("cubic", 0.044715), part="cubic")
        inner = at.op("Mul", at.op("Add", cubic, one, part="plus"), at.x, part="inner")
        bent = at.op("Tanh", at.op("Mul", inner, at.number("root", sqrt(2 / pi)), part="scaled"), part="tanh")
    else:
        bent = at.op("Erf", at.op("Mul", at.x, at.number("root", 1 / sqrt(2)), part="scaled"), part="erf")
    return at.op("Mul", at.op("Mul", at.x, half, part="half"), at.op("Add", bent, one, part="share"))


@emits(Softplus)
def _softplus(layer: Softplus, at: At) -> str:
    """log(1 + exp(beta·x))/beta."""
    if layer.beta == 1:
        return at.op("Softplus", at.x)
    beta = at.number("beta", layer.beta)
    return at.op("Div", at.op("Softplus", at.op("Mul", at.x, beta, part="scaled"), part="softplus"), beta)

"""What other tools print for the same network: their counting rules, a function of a node each.

The rules are those of the tools' sources: torchvision 0.28 (`_ops` of its weights), fvcore 0.1.5, timm 1.0 (its results
files are made with fvcore), torchinfo 1.8 and ptflops 0.7.5 with its default backend. What a tool does not know counts
for nothing there, as it does not here. The rule of one paper's table stands beside them, that of SENet's Table 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.graph import Graph, Node

CONVOLUTIONS = ("conv", "transposed_conv", "partial_conv", "depthwise_conv")
WEIGHTED = (*CONVOLUTIONS, "dense")
OWN_NORMS = ("layer_norm", "group_norm", "instance_norm")
"""Normalisations by a sample's own statistics, which evaluation computes too."""
POOLS = ("max_pool", "avg_pool", "global_avg_pool", "adaptive_avg_pool", "global_max_pool", "adaptive_max_pool")


class Convention:
    """A tool's way to count.

    `count` gives a node's operations for one sample in a mode ("eval" or "train"), `word` is what the tool calls them.
    `summary` gives the names and values that the tool prints of a whole network for a batch.
    """

    def __init__(
        self,
        name: str,
        word: str,
        rule: str,
        count: Callable[[Node, str], int],
        summary: Callable[[Graph, int, int], list[tuple[str, str]]],
    ) -> None:
        self.name = name
        self.word = word
        self.rule = rule
        self.count = count
        self.summary = summary


def multiply_adds(node: Node, mode: str) -> int:
    """torchvision: multiply–adds of convolutions and dense layers."""
    return node.cost.macs


def fvcore(node: Node, mode: str) -> int:
    """Multiply–adds, and estimates for normalisation, adaptive pooling and resizing."""
    layer: Any = node.layer
    if node.kind == "batch_norm":
        per_element = (1 if mode == "eval" else 4) + bool(layer.scale)
        return per_element * node.output.size
    if node.kind in OWN_NORMS:
        return (4 + bool(layer.scale)) * node.output.size
    if node.kind in ("global_avg_pool", "adaptive_avg_pool"):
        return node.input_types[0].size
    if node.kind == "resize":
        return (4 if layer.mode == "bilinear" else 1) * node.output.size
    if node.kind == "unpool" and layer.mode == "nearest":
        return node.output.size
    return node.cost.macs


def timm(node: Node, mode: str) -> int:
    """fvcore's count in evaluation, whatever the mode.

    What gates squeeze is a mean of the tensor in timm, not an adaptive pooling, and fvcore does not know that.
    """
    layer: Any = node.layer
    return 0 if node.kind == "global_avg_pool" and layer.keep_dims else fvcore(node, "eval")


def torchinfo(node: Node, mode: str) -> int:
    """Each parameter of a convolution once an output position, each other one once a sample."""
    positions = prod(node.output.spatial) if node.kind in CONVOLUTIONS else 1
    return (node.uses("trainable") + node.uses("frozen")) * positions  # shared ones at each use


def ptflops(node: Node, mode: str) -> int:
    """Multiply–adds, biases, normalisation, activations and pooling.

    Activations, pooling and resizing count twice where the tool counts both PyTorch's module and the function that the
    module calls. ReLU6 calls hardtanh, which it does not know, and `like` needs the function, which has no module.
    """
    layer: Any = node.layer
    size = node.output.size
    if node.kind in WEIGHTED:
        return node.cost.macs + (size if layer.bias else 0)
    if node.kind == "batch_norm" or node.kind in OWN_NORMS:
        return (2 if layer.scale else 1) * size
    if node.kind in POOLS:
        return 2 * node.input_types[0].size
    if node.kind in ("relu", "elu", "prelu", "gelu"):
        return 2 * size
    if node.kind in ("silu", "softmax", "relu6", "leaky_relu"):
        return size
    if node.kind == "resize":
        return size if layer.like is not None else size + _interpolated(node.input_types[0].size, size, layer.factor)
    if node.kind == "unpool" and layer.mode == "nearest":
        return 2 * size
    if node.kind == "lrn":
        # PyTorch makes it of a product, an average pooling over the padded channels, a factor and a summand.
        padded = node.output.channels + int(layer.size) - 1
        return 3 * size + size // node.output.channels * padded
    return 0


def senet(node: Node, mode: str) -> int:
    """The rule that the figures of Hu et al. 2018, Table 2, follow; the paper does not state it.

    Multiply–adds, and one operation an element of sums and products of maps: shortcuts, and the scaling of channels.
    Multiplications and additions are two operations in what squeeze-and-excitation does with a vector, convolutions of
    1×1 maps here, and one elsewhere. Of the multiples of those two terms no other whole numbers give the figures.
    """
    if node.kind in ("add", "multiply"):
        return node.output.size * (len(node.inputs) - 1)
    return node.cost.macs * (2 if node.kind in CONVOLUTIONS and prod(node.output.spatial) == 1 else 1)


def _interpolated(before: int, after: int, factor: tuple[float, float] | None) -> int:
    """What ptflops counts for F.interpolate: the output's elements, with a factor the input's times the factors.

    Of two factors it takes the whole part of the product.
    """
    if factor is None:
        return after
    down, across = factor
    return int(before * down**2) if down == across else before * int(down * across)


def total(convention: Convention, graph: Graph, batch: int = 1, mode: str | None = None) -> int:
    """A tool's count of a whole network, in the graph's mode unless another one is given."""
    return batch * sum(convention.count(node, mode or graph.mode) for node in graph.nodes)


def _millions(value: float) -> str:
    return f"{value / 1e6:.2f}"


def _giga(value: float, digits: int) -> str:
    return f"{value / 1e9:.{digits}f}"


def _scaled(value: int, units: Sequence[tuple[float, float, str]]) -> tuple[float, str]:
    """The value in the first unit whose least value it reaches; units are that, the unit's size and its sign."""
    return next(((value / size, sign) for least, size, sign in units if value >= least), (value, ""))


_SIZES = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]


def _torchvision_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    return [("num_params", f"{graph.params}"), ("_ops (GFLOPS)", _giga(count, 3))]


def _fvcore_number(value: int) -> str:
    """fvcore goes to the next unit from a tenth of it on, and leaves out zeros at the end."""
    number, sign = _scaled(
        value, [(size / 10 + 1, size, sign) for size, sign in ((1e15, "P"), *_SIZES[:-1], (1e3, "K"))]
    )
    return (f"{number:.3f}".rstrip("0").rstrip(".") if sign else str(value)) + sign


def _fvcore_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    return [("#parameters", _fvcore_number(graph.params)), ("#flops", _fvcore_number(count))]


def _timm_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    outputs = batch * sum(node.output.size for node in graph.nodes if node.kind in WEIGHTED)
    return [
        ("param_count (M)", _millions(graph.params)),
        ("gmacs", _giga(count, 2)),
        ("macts (M)", _millions(outputs)),
    ]


def _torchinfo_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    sizes = torchinfo_bytes(graph, batch)
    trainable = graph.count("trainable")
    mult_adds, unit = _scaled(count, [(size, size, sign) for size, sign in _SIZES])
    return [
        ("Total params", f"{graph.params:,}"),
        ("Trainable params", f"{trainable:,}"),
        ("Non-trainable params", f"{graph.params - trainable:,}"),
        (
            f"Total mult-adds ({unit})" if unit else "Total mult-adds",
            f"{mult_adds:,.{0 if mult_adds % 1 == 0 else 2}f}",
        ),
        *((f"{name} (MB)", _millions(value)) for name, value in sizes.items()),
        ("Estimated Total Size (MB)", _millions(sum(sizes.values()))),
    ]


def torchinfo_bytes(graph: Graph, batch: int) -> dict[str, int]:
    """torchinfo's sizes in bytes: outputs of layers with parameters count twice, for forward and backward."""

    def outputs(nodes: Iterable[Node]) -> int:
        return sum(_float32(node.output) for node in nodes if node.uses("trainable") + node.uses("frozen"))

    return {
        "Input size": batch * sum(_float32(item.type) for item in graph.inputs),
        "Forward/backward pass size": 2 * batch * outputs(graph.nodes),
        "Params size": 4 * graph.params,
    }


def _float32(value: TensorType) -> int:
    return 4 * value.size


def _ptflops_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    macs, unit = _scaled(count, [(1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e3, 1e3, "K")])
    params, sign = _scaled(graph.params, [(1e6, 1e6, "M"), (1e3, 1e3, "k")])
    return [
        ("Computational complexity", f"{round(macs, 2)} {unit}Mac"),
        ("Number of parameters", f"{round(params, 2)} {sign}".rstrip()),
    ]


def _senet_summary(graph: Graph, count: int, batch: int) -> list[tuple[str, str]]:
    return [("GFLOPs", _giga(count, 2))]


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(
            "torchvision",
            "FLOPs",
            "multiply–adds of convolutions and dense layers, called FLOPs there",
            multiply_adds,
            _torchvision_summary,
        ),
        Convention(
            "fvcore",
            "FLOPs",
            "multiply–adds; batch normalisation 2 an element (5 in training), other normalisation 5, adaptive average "
            "pooling 1 an input element, bilinear resizing 4 an output element, nearest 1",
            fvcore,
            _fvcore_summary,
        ),
        Convention(
            "timm",
            "MACs",
            "fvcore's count in evaluation without the means that gates take, called MACs there",
            timm,
            _timm_summary,
        ),
        Convention(
            "torchinfo",
            "mult-adds",
            "every parameter of a convolution once an output position, of other layers once a sample",
            torchinfo,
            _torchinfo_summary,
        ),
        Convention(
            "ptflops",
            "Macs",
            "multiply–adds and biases; batch normalisation 2 an element; pooling, resizing and most activations twice",
            ptflops,
            _ptflops_summary,
        ),
        Convention(
            "senet",
            "FLOPs",
            "multiply–adds, those of 1×1 maps twice, and 1 an element of sums and products: Hu et al. 2018, Table 2",
            senet,
            _senet_summary,
        ),
    )
}
"""The conventions by the names that `--convention` takes."""

"""How layers compute, as plain data: what the page's script needs to take a position of an output apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archspec.graph import Graph, Node
from archspec.layers.add import Add
from archspec.layers.avg_pool import AvgPool
from archspec.layers.batch_norm import BatchNorm
from archspec.layers.conv import Conv
from archspec.layers.dense import Dense
from archspec.layers.depthwise_conv import DepthwiseConv
from archspec.layers.global_avg_pool import GlobalAvgPool
from archspec.layers.global_max_pool import GlobalMaxPool
from archspec.layers.max_pool import MaxPool
from archspec.layers.max_unpool import MaxUnpool
from archspec.layers.relu import Relu
from archspec.layers.transposed_conv import TransposedConv


def form_of(node: Node) -> dict[str, Any] | None:
    """The form of a node's layer, as `Form` of static/walk.js has it; None of a kind that is not taken apart there.

    A class derived from one of these computes otherwise, as far as anybody knows here.
    """
    layer, x = node.layer, node.input_types[0]
    kind = type(layer)
    if kind in (Conv, DepthwiseConv):
        assert isinstance(layer, (Conv, DepthwiseConv))
        groups = layer.groups if isinstance(layer, Conv) else x.channels
        return {"op": "conv", **_windows(layer, x), "groups": groups, **_named(node, weights="kernel", bias="bias")}
    if isinstance(layer, TransposedConv) and kind is TransposedConv:
        return {
            "op": "transposed",
            "kernel": layer.kernel[: len(x.spatial)],
            "stride": layer.stride[: len(x.spatial)],
            "dilation": layer.dilation[: len(x.spatial)],
            "before": [before for before, _ in layer.pad[: len(x.spatial)]],
            "groups": layer.groups,
            **_named(node, weights="kernel", bias="bias"),
        }
    if kind is MaxPool:
        return {"op": "max", **_windows(layer, x)}
    if isinstance(layer, AvgPool) and kind is AvgPool:
        return {"op": "mean", **_windows(layer, x), "divisors": layer.divisors(x)}
    if kind in (GlobalAvgPool, GlobalMaxPool):
        ones, zeros = [1] * len(x.spatial), [0] * len(x.spatial)
        whole = {"kernel": x.spatial, "stride": ones, "before": zeros, "dilation": ones}
        if kind is GlobalMaxPool:
            return {"op": "max", **whole}
        return {"op": "mean", **whole, "divisors": [[size] for size in x.spatial]}
    if kind is MaxUnpool:
        taps = node.input_types[1].taps
        assert taps is not None
        return {
            "op": "unpool",
            "kernel": taps.window,
            "stride": taps.stride,
            "before": taps.before,
            "dilation": taps.dilation,
        }
    if isinstance(layer, BatchNorm) and kind is BatchNorm:
        names = _named(node, scale="scale", bias="bias", mean="mean", variance="var")
        return {"op": "batch_norm", "epsilon": layer.epsilon, **names}
    if kind is Dense:
        return {"op": "dense", **_named(node, weights="kernel", bias="bias")}
    if kind is Relu:
        return {"op": "relu"}
    if kind is Add and all(own.shape == node.output.shape for own in node.input_types):
        return {"op": "add"}
    return None


def taken_by(graph: Graph, node: Node, form: dict[str, Any]) -> list[int]:
    """The numbers of the nodes, or inputs, whose values the terms of a form are made of, in the form's order."""
    if form["op"] == "unpool":
        # In place of the indices, what the pooling found its maxima in.
        return [node.inputs[0], graph.nodes[node.inputs[1]].inputs[0]]
    return list(node.inputs)


def piece_of(
    form: dict[str, Any],
    at: Sequence[int],
    channel: int,
    inputs: Sequence[np.ndarray],
    arrays: Mapping[str, np.ndarray],
) -> dict[str, Any] | None:
    """What one unit is computed from, cut out: a form of which position `place` of channel 0 is this unit.

    With it are the parts of inputs and arrays that it takes, the arrays by their use. None of an unpooling, whose
    windows lie elsewhere.
    """
    op, x = form["op"], inputs[0]
    size = len(at) if op not in ("max", "mean") else len(form["kernel"])
    own: dict[str, Any] = {"op": op}
    parts, used, place, first = [x], {}, [0] * len(at), 0
    if op in ("conv", "max", "mean"):
        where = list(at) or [0] * size
        begin = [own_at * step - pad for own_at, step, pad in zip(where, form["stride"], form["before"], strict=True)]
        extent = [(taps - 1) * gap + 1 for taps, gap in zip(form["kernel"], form["dilation"], strict=True)]
        cut = tuple(
            slice(max(0, low), max(0, low, min(end, low + reach)))
            for low, reach, end in zip(begin, extent, x.shape[:-1], strict=True)
        )
        own |= {name: list(form[name]) for name in ("kernel", "stride", "dilation")}
        own["before"] = [part.start - low for part, low in zip(cut, begin, strict=True)]
        if op == "conv":
            first, inner = _group(form, channel, x, arrays[form["weights"]].shape[-1] // form["groups"])
            parts = [x[(*cut, slice(first, first + inner))]]
            used["weights"] = arrays[form["weights"]][..., channel : channel + 1]
        else:
            parts = [x[(*cut, slice(channel, channel + 1))]]
        if op == "mean":
            own["divisors"] = [[counts[here]] for counts, here in zip(form["divisors"], where, strict=True)]
    elif op == "transposed":
        weights = arrays[form["weights"]]
        outer = weights.shape[-1]
        first, inner = _group(form, channel, x, outer)
        reach = [here + pad for here, pad in zip(at, form["before"], strict=True)]
        cut = tuple(
            slice(max(0, -(-(last - (taps - 1) * gap) // step)), max(0, min(end, last // step + 1)))
            for last, taps, gap, step, end in zip(
                reach, form["kernel"], form["dilation"], form["stride"], x.shape[:-1], strict=True
            )
        )
        own |= {name: list(form[name]) for name in ("kernel", "stride", "dilation")} | {"before": [0] * size}
        place = [last - part.start * step for last, part, step in zip(reach, cut, form["stride"], strict=True)]
        parts = [x[(*cut, slice(first, first + inner))]]
        used["weights"] = weights[..., first : first + inner, channel % outer : channel % outer + 1]
    elif op == "dense":
        used["weights"] = arrays[form["weights"]][:, channel : channel + 1]
    elif op in ("batch_norm", "relu", "add"):
        parts = [part[(*at, channel)].reshape([1] * part.ndim) for part in inputs]
        own |= {"epsilon": form["epsilon"]} if op == "batch_norm" else {}
    else:
        return None
    for use in ("bias", "scale", "mean", "variance"):
        if op != "mean" and form.get(use):
            used[use] = arrays[form[use]][channel : channel + 1]
    own |= {use: use for use in used} | {"groups": 1}
    return {
        "at": list(at),
        "channel": channel,
        "form": own,
        "place": place,
        "inputs": parts,
        "arrays": used,
        "first": first,
    }


def _group(form: dict[str, Any], channel: int, x: np.ndarray, outer: int) -> tuple[int, int]:
    """The first input channel that a filter sees, and how many."""
    inner = x.shape[-1] // form["groups"]
    return channel // outer * inner, inner


def _windows(layer: Any, x: Any) -> dict[str, Sequence[int]]:
    axes = layer.along(x)
    return {
        "kernel": [axis.taps for axis in axes],
        "stride": [axis.step for axis in axes],
        "before": [fit.before for fit in layer.fit(x)],
        "dilation": [axis.spread for axis in axes],
    }


def _named(node: Node, **names: str) -> dict[str, str | None]:
    """The arrays' names, None of those that the layer does without."""
    there = {weight.name for weight in node.arrays}
    return {use: f"{node.owner}.{name}" if name in there else None for use, name in names.items()}

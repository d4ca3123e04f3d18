"""Operators that normalise."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.diagnostics import count
from archspec.importing.onnx.context import Context, Handler
from archspec.importing.onnx.model import Node
from archspec.importing.operations import NotHere


def batch_norm(context: Context, node: Node) -> None:
    shape = context.shape(node)
    if len(shape) < 2:
        raise NotHere("its input has no channels")
    if node.attributes.get("training_mode"):
        context.notes["batch normalisations of training are taken as they are in evaluation"] += 1
    if node.attributes.get("spatial", 1) == 0:
        raise NotHere("it normalises each place by itself (spatial)")
    names = ("scale", "bias", "mean", "var")
    arrays = {name: context.array(node, index, name) for index, name in enumerate(names, 1)}
    if any(array.shape != (shape[1],) for array in arrays.values()):
        raise NotHere(f"its arrays are not of {count(shape[1], 'channel')}")
    fields = {"epsilon": node.attributes.get("epsilon", 1e-5), "momentum": node.attributes.get("momentum", 0.9)}
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "batch_norm", fields, inputs=inputs, shape=shape, arrays=arrays)


def instance_norm(context: Context, node: Node) -> None:
    shape = context.shape(node)
    arrays = {name: context.array(node, index, name) for index, name in ((1, "scale"), (2, "bias"))}
    if len(shape) not in (3, 4) or any(array.shape != (shape[1],) for array in arrays.values()):
        raise NotHere(f"its arrays are not of {count(shape[1], 'channel')}")
    fields = {"epsilon": node.attributes.get("epsilon", 1e-5), "scale": True, "bias": True}
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "instance_norm", fields, inputs=inputs, shape=shape, arrays=arrays)


def layer_norm(context: Context, node: Node) -> None:
    shape = context.shape(node)
    rank = len(shape)
    axis = node.attributes.get("axis", -1) % rank
    if len(node.outputs) > 1 and any(node.outputs[1:]):
        raise NotHere("its means or deviations are used")
    arrays = {"scale": context.array(node, 1, "scale")}
    if context.given(node, 2):
        arrays["bias"] = context.array(node, 2, "bias")
    if any(array.shape != shape[axis:] for array in arrays.values()):
        raise NotHere(f"its arrays are not of the shape {list(shape[axis:])}")
    fields: dict[str, Any] = {"epsilon": node.attributes.get("epsilon", 1e-5), "bias": "bias" in arrays}
    if axis == 1 and rank > 2:
        fields["axes"] = "all"
    elif axis == rank - 1:
        fields.update({} if axis == 1 else {"axis": axis})
    else:
        raise NotHere(f"it goes over the axes from {axis} on of {rank}")
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "layer_norm", fields, inputs=inputs, shape=shape, arrays=arrays)


def group_norm(context: Context, node: Node) -> None:
    shape = context.shape(node)
    groups = node.attributes.get("num_groups", 0)
    if groups < 1 or shape[1] % groups:
        raise NotHere(f"it has {count(groups, 'group')} for {count(shape[1], 'channel')}")
    arrays = {}
    for index, name in ((1, "scale"), (2, "bias")):
        array = context.array(node, index, name)
        if array.shape == (groups,) != (shape[1],):
            # Up to version 20 there is one number for a group.
            array = array.changed((shape[1],), lambda x: np.repeat(x, shape[1] // groups))
        if array.shape != (shape[1],):
            raise NotHere(f"its arrays are not of {count(shape[1], 'channel')}")
        arrays[name] = array
    fields = {"groups": groups, "epsilon": node.attributes.get("epsilon", 1e-5)}
    inputs = [context.taken(node.inputs[0])]
    context.emit(node, "group_norm", fields, inputs=inputs, shape=shape, arrays=arrays)


def l2_normalise(context: Context, node: Node) -> None:
    shape = context.shape(node)
    axis, order = node.attributes.get("axis", -1) % len(shape), node.attributes.get("p", 2)
    if order != 2:
        raise NotHere(f"it divides by the sum of powers of {order}")
    fields = {} if axis == 1 else {"axis": axis}
    context.emit(node, "l2_normalise", fields, inputs=[context.taken(node.inputs[0])], shape=shape)


NORMALISATIONS: dict[str, tuple[Handler, set[str]]] = {
    "BatchNormalization": (
        batch_norm,
        {"epsilon", "momentum", "spatial", "training_mode", "is_test", "consumed_inputs"},
    ),
    "InstanceNormalization": (instance_norm, {"epsilon"}),
    "LayerNormalization": (layer_norm, {"axis", "epsilon", "stash_type"}),
    "GroupNormalization": (group_norm, {"epsilon", "num_groups", "stash_type"}),
    "LpNormalization": (l2_normalise, {"axis", "p"}),
}
"""What becomes of an operator, and the attributes that it may have."""

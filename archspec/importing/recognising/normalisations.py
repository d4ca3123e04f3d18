"""Normalisations, which are sums, differences and roots in an order that all exporters share."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.importing.operations import Operation
from archspec.importing.recognising.work import Work, in_place, short
from archspec.weights.tensors import Tensor


def normalisation(work: Work, number: int, last: Operation) -> bool:
    """(x − mean)/√(mean((x − mean)²) + ε), with factors and summands behind it: a layer_norm."""
    if last.kind not in ("divide", "multiply") or len(last.inputs) != 2:
        return False
    for difference, root in (last.inputs, last.inputs[::-1]):
        pieces = [last]
        centred = work.made_by(difference, "subtract")
        under = work.made_by(root, "square_root") if last.kind == "divide" else work.made_by(root, "reciprocal")
        if centred is None or under is None or (last.kind == "divide" and difference != last.inputs[0]):
            continue
        pieces += [centred, under]
        if last.kind == "multiply":
            inner = work.made_by(under.inputs[0], "square_root")
            if inner is None:
                continue
            under = inner
            pieces.append(under)
        summed = work.made_by(under.inputs[0], "add")
        parts = work.split(summed) if summed is not None else None
        variance = work.made_by(parts[0], "mean") if parts is not None else None
        epsilon = work.number(parts[1]) if parts is not None else None
        mean = work.made_by(centred.inputs[1], "mean")
        if summed is None or variance is None or epsilon is None or mean is None or not epsilon > 0:
            continue
        square = work.made_by(variance.inputs[0], "power", "multiply")
        if square is None or mean.inputs[0] != centred.inputs[0]:
            continue
        # Exporters may make the difference twice.
        again = work.made_by(square.inputs[0], "subtract")
        if again is None or again.inputs != centred.inputs:
            continue
        by_two = square.kind == "power" and work.number(square.inputs[1]) == 2
        by_itself = square.kind == "multiply" and square.inputs[0] == square.inputs[1]
        axes = mean.fields.get("axes")
        if not (by_two or by_itself) or axes != variance.fields.get("axes"):
            continue
        if not (mean.fields.get("keep") and variance.fields.get("keep")):
            continue
        pieces += [summed, variance, mean, square, *([again] if again is not centred else [])]
        if work.inner(pieces, last) and _normalised(work, last, pieces, centred.inputs[0], list(axes or ()), epsilon):
            return True
    return False


def _normalised(work: Work, last: Operation, pieces: list[Operation], x: str, axes: list[int], epsilon: float) -> bool:
    shape = work.shapes.get(x)
    if shape is None:
        return False
    rank = len(shape)
    axes = sorted(axis % rank for axis in axes)
    arrays: dict[str, Tensor] = {}
    end = last
    for name, kind in (("scale", "multiply"), ("bias", "add")):
        taker = work.one_taker(end.outputs[0], kind)
        parts = work.split(taker) if taker is not None else None
        if taker is None or parts is None:
            continue
        tensor = work.constants[parts[1]]
        full = (1,) * (rank - len(tensor.shape)) + tensor.shape
        own = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
        if full != own:
            continue
        arrays[name] = tensor.shaped(tuple(shape[axis] for axis in axes))
        pieces.append(taker)
        end = taker
    fields: dict[str, Any] = {"epsilon": short(epsilon), "scale": "scale" in arrays, "bias": "bias" in arrays}
    if len(axes) == 1:
        fields.update(work.along(axes[0], rank))
    elif axes == list(range(1, rank)):
        fields["axes"] = "all"
    else:
        return False
    layer = in_place(end, "layer_norm", (x,), fields, arrays)
    work.put(end, pieces, layer)
    return True


def grouped(work: Work, number: int, norm: Operation) -> bool:
    """A map whose groups of channels are normalised as channels, and then is a map again: a group_norm."""
    if norm.kind != "instance_norm" or work.last:
        return False
    before = work.made_by(norm.inputs[0], "reshape")
    after = work.one_taker(norm.outputs[0], "reshape")
    if before is None or after is None:
        return False
    shape, inner = work.shapes.get(before.inputs[0]), work.shapes.get(before.outputs[0])
    if shape is None or inner is None or len(shape) < 3 or shape != work.shapes.get(after.outputs[0]):
        return False
    groups = inner[1]
    arrays = {name: np.asarray(norm.arrays[name].load()) for name in ("scale", "bias") if name in norm.arrays}
    # Of groups, and not of channels, numbers that are not 1 and 0 would be something else.
    if shape[1] % groups or (arrays["scale"] != 1).any() or (arrays["bias"] != 0).any():
        return False
    pieces = [before, norm, after]
    if not work.inner(pieces, after):
        return False
    end, own = after, {}
    for name, kind in (("scale", "multiply"), ("bias", "add")):
        taker = work.one_taker(end.outputs[0], kind)
        parts = work.split(taker) if taker is not None else None
        if taker is None or parts is None:
            break
        tensor = work.constants[parts[1]]
        full = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
        if full != tuple(size if axis == 1 else 1 for axis, size in enumerate(shape)):
            break
        own[name] = tensor.shaped((shape[1],))
        pieces.append(taker)
        end = taker
    fields = {
        "groups": groups,
        "epsilon": norm.fields.get("epsilon", 1e-5),
        "scale": "scale" in own,
        "bias": "bias" in own,
    }
    work.put(end, pieces, in_place(end, "group_norm", (before.inputs[0],), fields, own))
    return True


def unit_length(work: Work, number: int, last: Operation) -> bool:
    """x / max(‖x‖, ε)."""
    if last.kind != "divide" or len(last.inputs) != 2:
        return False
    x, below = last.inputs
    pieces, epsilon = [last], 1e-12
    bounded = work.made_by(below, "clip")
    if bounded is not None and bounded.fields.get("high") is None and bounded.fields.get("low"):
        pieces.append(bounded)
        epsilon, below = float(bounded.fields["low"]), bounded.inputs[0]
    length = work.made_by(below, "norm")
    shape = work.shapes.get(x)
    if length is None or shape is None or length.inputs[0] != x or not length.fields.get("keep"):
        return False
    axes = [axis % len(shape) for axis in length.fields["axes"]]
    pieces.append(length)
    if len(axes) != 1 or not work.inner(pieces, last):
        return False
    fields = {"epsilon": epsilon, **work.along(axes[0], len(shape))}
    work.put(last, pieces, in_place(last, "l2_normalise", (x,), fields, {}))
    return True


def response(work: Work, number: int, last: Operation) -> bool:
    """x / (k + alpha·mean of x² of neighbouring channels)^beta: an lrn."""
    if last.kind != "divide" or len(last.inputs) != 2:
        return False
    x, below = last.inputs
    power = work.made_by(below, "power")
    summed = work.made_by(power.inputs[0], "add") if power is not None else None
    parts = work.split(summed) if summed is not None else None
    scaled = work.made_by(parts[0], "multiply") if parts is not None else None
    own = work.split(scaled) if scaled is not None else None
    mean = work.made_by(own[0], "window_mean") if own is not None else None
    squared = work.made_by(mean.inputs[0], "multiply") if mean is not None else None
    if power is None or summed is None or parts is None or scaled is None or own is None:
        return False
    if mean is None or squared is None or squared.inputs != (x, x):
        return False
    k, alpha, beta = work.number(parts[1]), work.number(own[1]), work.number(power.inputs[1])
    pieces = [last, power, summed, scaled, mean, squared]
    if k is None or alpha is None or beta is None or not work.inner(pieces, last):
        return False
    fields = {"size": mean.fields["size"], "alpha": short(alpha), "beta": short(beta), "k": short(k)}
    work.put(last, pieces, in_place(last, "lrn", (x,), fields, {}))
    return True

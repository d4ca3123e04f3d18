"""Operations that a kind of ours is like: its fields as a person writes them, and its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.importing.draft import CannotError, Flow
from archspec.importing.operations import Operation
from archspec.importing.values import Values
from archspec.kinds import find_kind
from archspec.layers import Layer
from archspec.types import TensorType

PADDED_ALIKE = ("conv", "depthwise_conv", "partial_conv", "locally_connected")
"""Kinds whose padding of half the kernel one writes as `same`, whatever the stride is."""
POOLINGS = ("max_pool", "avg_pool", "subsample")
WITH_AXIS = ("concat", "softmax", "log_softmax", "layer_norm", "dense", "l2_normalise")
ANY_ORDER = ("dropout", "spatial_dropout", "stochastic_depth", "identity", "scale", "layer_scale", "batch_norm")
"""Kinds that do the same in whatever order the axes are, beside element-wise functions and joins."""
ALONG_CHANNELS = ("dense", "layer_norm", "l2_normalise", "softmax", "log_softmax")
"""Kinds that look at the channels of one place, so that they are the same in either order of axes."""


def handle(values: Values, operation: Operation) -> None:
    """Makes a layer of an operation. Raises `CannotError`."""
    kind, fields = operation.kind, dict(operation.fields)
    assert kind is not None
    made = find_kind("layers", kind)
    if made is None or not issubclass(made, Layer):
        raise CannotError(f"has no kind like it ({kind})")
    references = {}
    for name in made.references:
        if name in fields:
            references[name] = values.flow(str(fields.pop(name))).source
    flows = [values.made(name, operation) for name in operation.inputs]
    types = [values.type_of(flow) for flow in flows]
    axis = fields.pop("axis", None) if kind in WITH_AXIS else None
    last = _order(values, kind, made, flows, types)
    if axis is not None:
        _along_channels(int(axis), last, types)
    draft = values.draft
    if not operation.exact and (kind == "identity" or fields.get("rate") == 0.0):
        draft.said["{layers} that change nothing in evaluation are left out"] += 1
        values.give(operation, flows[0].source, flows[0].last)
        return
    if len(flows) == 1 and made.family == "join" and not operation.exact:
        draft.said["{joins} of one input are left out"] += 1
        values.give(operation, flows[0].source, flows[0].last)
        return
    arrays, ours = dict(operation.arrays), draft.last
    shares = _owner(values, operation, fields)
    first = types[0] if types else None
    if kind == "dense" and first is not None:
        if not first.is_vector and last:
            kind, fields, arrays = _pointwise(fields, arrays, first, draft.last)
            ours = True
            draft.said["{dense layers} at each place of a map are 1×1 convolutions"] += 1
        elif flows[0].last and not draft.last and "kernel" in arrays:
            kernel = arrays["kernel"]
            arrays["kernel"] = kernel.turned
            ours = True
    if kind == "conv" and first is not None and 1 < first.channels == fields.get("groups"):
        kind, fields = _depthwise(fields, first.channels)
    fields = fields if operation.exact else _padded(kind, fields, first)
    sources = [flow.source for flow in flows]
    source = draft.add(kind, fields, sources, operation, arrays=arrays, references=references, ours=ours, shares=shares)
    if fields.get("rounding") == "ceil" and not operation.exact:
        source = _floored(values, source)
    kind_made = draft.type_of(source)
    plain = kind_made is not None and kind_made.is_vector and not (first is not None and first.is_vector)
    values.give(operation, source, draft.last if plain or kind == "dense" else last)


def _order(
    values: Values, kind: str, made: type[Layer], flows: Sequence[Flow], types: Sequence[TensorType | None]
) -> bool:
    """Whether the file has channels last for the inputs. Raises `CannotError` where the kind cannot be meant so."""
    usual = values.draft.last
    ordered = {flow.last for flow, own in zip(flows, types, strict=True) if own is not None and len(own.shape) > 1}
    if not ordered:
        # Of vectors only what was flattened in this package's order, where the file has another, is not as usual.
        vectors = {flow.last for flow in flows}
        return vectors.pop() if len(vectors) == 1 else usual
    if len(ordered) > 1:
        raise CannotError("joins maps whose axes are in different orders")
    (last,) = ordered
    free = kind in (*ANY_ORDER, *ALONG_CHANNELS) or made.family in ("activation", "join")
    if last != usual and not free:
        raise CannotError("takes a map whose axes are in another order than the file's others")
    return last


def _along_channels(axis: int, last: bool, types: Sequence[TensorType | None]) -> None:
    """Raises `CannotError` where an axis, counted with the batch's, is not the channels'."""
    known = next((own for own in types if own is not None), None)
    if known is None:
        return
    rank = len(known.shape) + 1
    axis = axis + rank if axis < 0 else axis
    if axis != (rank - 1 if last or rank == 2 else 1):
        raise CannotError(f"runs along axis {axis} of {rank}, which is not the channels'")


def _owner(values: Values, operation: Operation, fields: dict[str, Any]) -> int | None:
    """The entry whose arrays an operation names as its own."""
    name = fields.pop("weights", None)
    if name is None:
        return None
    for number, entry in enumerate(values.draft.entries):
        own = entry.operation
        if name in (own.name, *own.outputs) and own is not operation and own.kind == operation.kind:
            return number if entry.shares is None else entry.shares
    raise CannotError(f"uses the arrays of `{str(name)[:60]}`, which was not imported")


def _pointwise(
    fields: dict[str, Any], arrays: dict[str, Any], kind: TensorType, ours: bool
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A dense layer over the channels of a map as a 1×1 convolution."""
    made = {("filters" if name == "units" else name): value for name, value in fields.items()}
    made["kernel"] = 1
    if "kernel" in arrays:
        kernel = arrays["kernel"]
        inner, outer = kernel.shape if ours else kernel.shape[::-1]
        shape = (1,) * len(kind.spatial) + (inner, outer)
        change = (lambda array: array.reshape(shape)) if ours else (lambda array: array.T.reshape(shape))
        arrays = {**arrays, "kernel": kernel.changed(shape, change)}
    return "conv", made, arrays


def _depthwise(fields: dict[str, Any], channels: int) -> tuple[str, dict[str, Any]]:
    """A convolution of as many groups as channels is one of each channel by itself."""
    filters = int(fields["filters"])
    if filters % channels:
        return "conv", fields
    made = {name: value for name, value in fields.items() if name not in ("filters", "groups")}
    return "depthwise_conv", {**made, **({"multiplier": filters // channels} if filters > channels else {})}


def _pair(value: Any, axes: int) -> list[int]:
    return [int(number) for number in value] if isinstance(value, (list, tuple)) else [int(value)] * axes


def _padded(kind: str, fields: dict[str, Any], x: TensorType | None) -> dict[str, Any]:
    """The fields with padding as one writes it: `same` where it is that, and nothing where there is none."""
    pad = fields.get("pad")
    sizes = fields.get("window", fields.get("kernel"))
    if pad is None or sizes is None or kind == "pad":
        return fields
    rest = {name: value for name, value in fields.items() if name != "pad"}
    axes = 1 if x is not None and x.is_signal else 2
    taps, spread = _pair(sizes, axes), _pair(fields.get("dilation", 1), axes)
    steps = _pair(fields.get("stride", sizes if kind in POOLINGS else 1), axes)
    extents = [(count - 1) * step + 1 for count, step in zip(taps, spread, strict=False)]
    if pad == "valid" or (not isinstance(pad, str) and not any(map(any, _sides(pad, axes)))):
        return rest
    if kind not in PADDED_ALIKE and kind not in POOLINGS:
        return fields
    usual = [(extent - 1) // 2 for extent in extents]
    odd = all(extent % 2 for extent in extents)
    if pad == "same_upper":
        fits = x is not None and not x.is_vector and odd
        if fits and all(_is_same(size, *own) for size, *own in zip(x.spatial, extents, steps, strict=False)):  # type: ignore[union-attr]
            return {**rest, "pad": "same"} if any(usual) else rest
        return fields
    if isinstance(pad, str) or not odd:
        return fields
    if _sides(pad, axes) != [(number, number) for number in usual]:
        return fields
    by_number = kind in POOLINGS and any(step > 1 for step in steps)
    return fields if by_number else {**rest, "pad": "same"}


def _is_same(size: int, extent: int, step: int) -> bool:
    """Whether TensorFlow's padding of half a window is as much on both sides, and ours gives as many windows."""
    total = max(0, (-(-size // step) - 1) * step + extent - size)
    half = (extent - 1) // 2
    return total == 2 * half


def _sides(pad: Any, axes: int) -> list[tuple[int, int]]:
    if isinstance(pad, int):
        return [(pad, pad)] * axes
    return [(side, side) if isinstance(side, int) else (side[0], side[1]) for side in pad]


def _floored(values: Values, source: int) -> int:
    """Takes `rounding: ceil` away from a pooling where it makes no difference, which is counted."""
    from archspec.importing.draft import layer_of

    entry = values.draft.entries[source]
    if entry.type is None or entry.layer is None:
        return source
    fields = {name: value for name, value in entry.fields.items() if name != "rounding"}
    layer = layer_of(entry.kind, fields)
    types = [values.draft.type_of(own) for own in entry.sources]
    known = [own for own in types if own is not None]
    try:
        same = layer.infer(*known) == entry.type
    except Exception:
        return source
    if same:
        entry.fields, entry.layer = fields, layer
        values.draft.said["{poolings} round their size up, which changes nothing at this input's size"] += 1
    return source

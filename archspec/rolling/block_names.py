"""What blocks and their arguments are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.kinds import STRUCTURE, builtin_kinds
from archspec.rolling.entries import Call, Layer, Parallel, Residual, layers_of
from archspec.rolling.environments import ANY, Argument, Body, Inexpressible
from archspec.rolling.formulas import Formula, Mixed
from archspec.rolling.marks import SIZES

if TYPE_CHECKING:
    from archspec.rolling.parts import Block


VAGUE = ("part", "stage", "mixed")
"""Names that say little, in whose place the calls' own is taken."""


def block_name(calls: list[Call], taken: set[str]) -> str:
    """A name for a block by what is in it, or by what its calls are called."""
    base = _base(calls[0])
    if base in VAGUE and all(call.name is not None for call in calls):
        stems = {(call.name or "").rstrip("0123456789").rstrip("_") for call in calls}
        stem = stems.pop()
        if not stems and len(stem) > 2 and stem not in (*STRUCTURE, *builtin_kinds("layers")):
            base = stem
    names = (base, *(f"{base}_{letter}" for letter in "bcdefghijkl"), *(f"{base}_{n}" for n in range(len(taken) + 2)))
    return next(name for name in names if name not in taken)


def _base(call: Call) -> str:
    first = call.body[0]
    layers = list(layers_of(call.body))
    kinds = [layer.kind for layer in layers]
    kernels = [layer.fields["kernel"] for layer in layers if layer.kind == "conv"]
    if isinstance(first, Layer) and len(call.body) <= 3 and all(e is None or isinstance(e, Layer) for e in call.body):
        return {"depthwise_conv": "depthwise", "dense": "dense_unit", "transposed_conv": "up"}.get(
            next((kind for kind in kinds if kind.endswith("conv") or kind == "dense"), ""), "unit"
        )
    if isinstance(first, Residual):
        inside = list(layers_of(first.body))
        if any(layer.kind == "depthwise_conv" for layer in inside):
            return "inverted_residual"
        kernels = [layer.fields["kernel"] for layer in inside if layer.kind == "conv"]
        if kernels[:3] == [1, 3, 1]:
            return "bottleneck"
        return "basic" if kernels[:2] == [3, 3] else "residual_block"
    if isinstance(first, Parallel):
        if first.join.kind == "multiply":
            return "se" if "global_avg_pool" in kinds else "gated"
        if first.join.kind == "concat":
            if len(first.branches) == 2 and not all(first.branches):
                return "dense_layer"
            return "inception" if len(first.branches) > 2 else "branches"
        return "sum_of"
    if "depthwise_conv" in kinds:
        return "inverted_residual" if call.row is not None else "separable"
    if call.row is not None:
        return "residual_block"
    if len(call.body) > 1 and isinstance(call.body[-1], Parallel) and call.body[-1].join.kind == "concat":
        return "fire" if kernels[:1] == [1] and len(kernels) == 3 else "mixed"
    if "transposed_conv" in kinds or "resize" in kinds or "max_unpool" in kinds:
        return "up"
    if any(kind.endswith("pool") for kind in kinds):
        return "transition" if kinds[0] == "batch_norm" else "stage"
    return "part"


def settle(block: Block, body: Body, layers: list[Any]) -> list[Any]:
    """Names a block's arguments, declares them, and puts their names into its layers."""
    texts = _named(body.arguments, block)
    return [_put(layer, texts) for layer in layers]


ORDER = ("filters", "units", "channels", "kernel", "window", "stride", "pad", "dilation", "groups", "activation")


def _named(arguments: list[Argument], block: Block) -> dict[int, str]:
    """The text that each argument is used by, by its number; they are declared in the block on the way."""
    texts: dict[int, str] = {}
    grouped: dict[str, list[Argument]] = {}
    filters = [a for a in arguments if a.field in SIZES]
    branches = {a.label for a in filters if a.label}
    if len(filters) > 3 and branches:
        for argument in filters:
            label = f"b{int(argument.label.split('.')[0]) + 1}" if argument.label else "filters"
            grouped.setdefault(label, []).append(argument)
    single = {id(a) for group in grouped.values() for a in group}
    plain = [a for a in arguments if id(a) not in single]
    counts: dict[str, int] = {}
    for argument in plain:
        counts[argument.field] = counts.get(argument.field, 0) + 1
    seen: dict[str, int] = {}
    for argument in plain:
        field = argument.field
        seen[field] = seen.get(field, 0) + 1
        name = field
        if field == "when":
            taken = [other.name for other in plain if other.name]
            name = next(n for n in (argument.label, *(f"{argument.label}{k}" for k in range(2, 99))) if n not in taken)
        elif field in SIZES and counts[field] > 1:
            last = seen[field] == counts[field]
            name = field if last else ("inner" if counts[field] == 2 else f"inner{seen[field]}")
        elif counts[field] > 1:
            name = f"{field}{seen[field]}"
        argument.name = name if name not in ("name", "from", "when", "weights", "input") else f"{name}_"
    for label, group in grouped.items():
        if len(group) == 1:
            group[0].name = label
            plain.append(group[0])
    plain.sort(key=lambda a: ORDER.index(a.field) if a.field in ORDER else len(ORDER))
    for label, group in sorted(grouped.items()):
        if len(group) == 1:
            plain.remove(group[0])
            texts[group[0].number] = label
            _declare(group[0], block)
        else:
            rows = [list(values) for values in zip(*(a.row for a in group), strict=True)]
            block.rows[label] = rows
            block.arguments[label] = Formula("type list")
            for place, argument in enumerate(group):
                texts[argument.number] = f"{label}[{place}]"
    for argument in plain:
        texts[argument.number] = argument.name
        _declare(argument, block)
    return texts


def _declare(argument: Argument, block: Block) -> None:
    row = argument.row
    types = {type(value) for value in row}
    if list in types:
        if not all(isinstance(value, (list, int)) for value in row):
            raise Inexpressible
        pair = all(isinstance(value, int) or len(value) == 2 for value in row) and all(
            isinstance(value, int) or all(isinstance(item, int) for item in value) for value in row
        )
        if not pair and int in types:
            raise Inexpressible
        word = "pair" if pair else "list"
        usual = argument.usual
        block.arguments[argument.name] = Formula(f"type {word}")
        if pair and row.count(usual) * 3 >= len(row):
            block.arguments[argument.name] = usual if isinstance(usual, list) else [usual, usual]
        row = [[value, value] if pair and isinstance(value, int) else value for value in row]
        block.rows[argument.name] = [_short(value) if pair else value for value in row]
        if pair and isinstance(block.arguments[argument.name], list):
            block.rows[argument.name] = row
        return
    if len(types) > 1 and types != {int, float}:
        raise Inexpressible
    usual = argument.usual
    common = [type(value) for value in row].count(type(usual)) and row.count(usual) * 2 >= len(row)
    spared = len(argument.used) < len(row)
    row = [value if place in argument.used else ANY for place, value in enumerate(row)]
    wide = argument.field in ("filters", "units", "channels") or argument.field.endswith("_list")
    block.rows[argument.name] = row
    if (spared or (common and not wide)) and not (types == {int, float} and isinstance(usual, int)):
        block.arguments[argument.name] = usual
    else:
        word = {int: "int", float: "float", bool: "bool", str: "str"}[float if float in types else next(iter(types))]
        block.arguments[argument.name] = Formula(f"type {word}")


def _short(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 2 and value[0] == value[1] else value


PLACE = re.compile("\x01([0-9]+)\x02")


def _put(value: Any, texts: Mapping[int, str]) -> Any:
    """What is written with the arguments' names in the places that were kept for them."""
    if isinstance(value, dict):
        return {_put(key, texts): _put(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_put(item, texts) for item in value]
    if isinstance(value, (Formula, Mixed)):
        return type(value)(PLACE.sub(lambda match: texts[int(match[1])], value))
    return value

"""Entries that stand for several layers: `split` and `separable_conv`."""

from __future__ import annotations

from collections.abc import Sequence as Many
from itertools import accumulate
from typing import TYPE_CHECKING

from archspec.diagnostics import Findings, did_you_mean, listed
from archspec.elaborate.placing import callers, one_of
from archspec.elaborate.scope import UNKNOWN, Context, Entry, Values
from archspec.elaborate.structure import fields, opened
from archspec.kinds import SEPARABLE, SPLIT_AXES
from archspec.located import Mapping, Scalar, Sequence, describe, is_null, locate, long_form
from archspec.spec.reading import FAILED, evaluate

if TYPE_CHECKING:
    from archspec.elaborate.entries import Expander
    from archspec.layers import Layer

MAX_PARTS = 10_000
"""Of a `split`."""


def split(x: Expander, entry: Entry, context: Context, values: Values) -> Values:
    """Divides one value into parts along an axis, each a slice with its number as name; gives them all, in order."""
    name = entry.name or context.scope.automatic(entry.kind)
    parts = divided(x, entry, context, values)
    inner = opened(x, entry, context, name)
    made: list[int] = []
    for number, layer in enumerate(parts or ()):
        part = Entry("slice", entry.kind_node, None, None, entry.name_node, entry.span, implied=True)
        made.extend(x.placer.add(layer, str(number), part, inner, values))
    for number in range(0 if parts else asked_parts(entry, context)):
        # Whoever takes a part of what is not known is passed over in silence.
        inner.scope.names[str(number)] = ((UNKNOWN,), entry.name_node.span)
    result = tuple(made) or (UNKNOWN,)
    x.placer.register(entry, name, result, context.scope)
    return result


def divided(x: Expander, entry: Entry, context: Context, values: Values) -> list[Layer] | None:
    """The slices that a split is made of; None with the reason reported, or where its input is unknown."""
    if entry.content is not None and not isinstance(entry.content, Mapping) and not is_null(entry.content):
        entry.content = long_form("parts", entry.content)
    content = fields(x, entry, ("parts", "sizes", "axis"), ()) if isinstance(entry.content, Mapping) else None
    if entry.content is None or is_null(entry.content):
        x.findings.error("E203", "split needs `parts` or `sizes`", entry.span, help=["for example `- split: 2`"])
    if content is None:
        return None
    given = {key: node for key in ("parts", "sizes", "axis") if (node := content.get(key)) is not None}
    read = {key: evaluate(node, context.sight, x.findings) for key, node in given.items()}
    if FAILED in read.values():
        return None
    if ("parts" in read) == ("sizes" in read):
        x.findings.error("E206", "split takes one of `parts` and `sizes`", entry.span)
        return None
    axis, key = read.get("axis", "channels"), "parts" if "parts" in read else "sizes"
    if axis not in SPLIT_AXES:
        hint = did_you_mean(str(axis), SPLIT_AXES)
        words = f"`axis` of split is {', '.join(SPLIT_AXES[:-1])} or {SPLIT_AXES[-1]}, not {describe(axis)}"
        x.findings.error("E206", words, given["axis"].span, help=[hint] if hint else [])
        return None
    wanted = [read[key]] if key == "parts" else read[key]
    least = 1 if key == "parts" else -1
    if not isinstance(wanted, list) or not wanted or not all(is_whole(item, least) for item in wanted):
        what = "a whole number of 1 or more" if key == "parts" else "a list of whole numbers, of which one may be -1"
        x.findings.error("E206", f"`{key}` of split is {what}, not {describe(read[key])}", given[key].span)
        return None
    if UNKNOWN in values:
        return None
    if len(values) != 1:
        x.findings.error(
            "E307",
            f"split takes one input, but has {len(values)}",
            entry.span,
            secondary=callers(context),
            help=one_of(values, context.scope),
        )
        return None
    kind = x.placer.type_of(values[0])
    names = {3: ("rows", "columns", "channels"), 2: ("length", "channels"), 1: ("channels",)}[len(kind.shape)]
    if axis not in names:
        words = f"split divides {axis}, but its input is {x.placer.origin(values[0])}"
        x.findings.error("E302", words, entry.span, secondary=callers(context))
        return None
    size = kind.shape[names.index(axis)]
    sizes = part_sizes(size, wanted[0] if key == "parts" else None, wanted)
    if sizes is None or len(sizes) > MAX_PARTS:
        asked = f"{wanted[0]} equal parts" if key == "parts" else f"parts of {listed(map(str, wanted))}"
        help = "`sizes` gives each part its own, -1 what is left" if key == "parts" else f"they add up to {size}"
        help = help if sizes is None else f"there are {MAX_PARTS:,} parts at most"
        x.findings.error(
            "E301",
            f"{size} {axis} cannot be split into {asked}",
            given[key].span,
            f"input is {x.placer.origin(values[0])}",
            secondary=callers(context),
            help=[help],
        )
        return None
    from archspec.layers.slice import Slice

    return [
        Slice.plain_default(**{axis: (end - own, end, 1)}) for own, end in zip(sizes, accumulate(sizes), strict=True)
    ]


def asked_parts(entry: Entry, context: Context) -> int:
    """How many parts a split that could not be made was to have, as far as it can be told."""
    written = entry.content if isinstance(entry.content, Mapping) else None
    parts, sizes = (written.get(key) if written else None for key in ("parts", "sizes"))
    if isinstance(sizes, Sequence):
        return min(len(sizes.items), MAX_PARTS)
    asked = evaluate(parts, context.sight, Findings()) if parts is not None else 0
    return min(asked, MAX_PARTS) if is_whole(asked, 1) else 0


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number from the least on, 0 left out."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least and value != 0


def part_sizes(size: int, parts: int | None, sizes: Many[int]) -> list[int] | None:
    """The sizes of equal parts, or of those asked for, where -1 is what is left; None where they do not add up."""
    if parts is not None:
        return None if size % parts else [size // parts] * min(parts, MAX_PARTS + 1)
    left = size - sum(own for own in sizes if own > 0)
    if sizes.count(-1) > 1 or (left != 0) != (-1 in sizes) or left < 0:
        return None
    return [left if own == -1 else own for own in sizes]


def separable_conv(x: Expander, entry: Entry, context: Context, values: Values) -> Values:
    """A convolution of each channel by itself, without bias, and a 1×1 convolution over its channels (Chollet 2017)."""
    known = list(dict.fromkeys(field for _, own in SEPARABLE.values() for field in own))
    # What is left out is the owner's, as it is of a layer.
    owner = entry.sharing.owner if entry.sharing is not None else None
    content = fields(x, entry, known, ("filters", "kernel") if owner is None else ())
    name = entry.name or context.scope.automatic(entry.kind)
    result: Values = (UNKNOWN,)
    if content is not None:
        inner = opened(x, entry, context, name)
        key = entry.kind_node
        result = values
        for part, (kind, own) in SEPARABLE.items():
            implied = {"bias": False} if part == "depthwise" else {"kernel": 1}
            given = {
                field: (Scalar(key.source, key.place, field), locate(value, key.source, key.place))
                for field, value in implied.items()
            }
            for field in own:
                written, value = content.key(field), content.get(field)
                if written is not None and value is not None:
                    given[field] = (written, value)
            own_entry = Entry(kind, key, Mapping(key.source, key.place, given), None, key, entry.span, implied=True)
            place = x.placer.places.get(f"{owner}.{part}")
            layer = x.read_layer(own_entry, context, x.placer.nodes[place] if place is not None else None)
            result = (UNKNOWN,) if layer is None else x.placer.add(layer, part, own_entry, inner, result)
    x.placer.register(entry, name, result, context.scope)
    return result

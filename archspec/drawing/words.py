"""How drawings write a layer's window, stride, factor and dilation, and which names say nothing."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeGuard

from archspec.graph import Node
from archspec.layers import Layer

RANGES = ("rows", "columns", "length", "channels")
"""Fields of a part that is taken of an axis: start, stop and step."""


def size(value: Any) -> str:
    """A size in pixels: `3×3`."""
    return "×".join(f"{number:g}" for number in value) if isinstance(value, (tuple, list)) else f"{value:g}"


def sized(node: Node, name: str) -> str:
    """A field that is a size, for the axes that the layer has: of a signal, which has one, one number. "" without."""
    value = getattr(node.layer, name, None)
    if not value:
        return ""
    return size(value[:1] if isinstance(value, (tuple, list)) and node.input_types[0].is_signal else value)


def window(node: Node) -> str:
    """The size of a kernel or a pooling's window, or nothing."""
    return sized(node, "kernel") or sized(node, "window")


def spacing(node: Node) -> list[str]:
    """What a layer makes smaller by, `/2`, or larger by, `×2`, and its dilation, where they are not 1."""
    layer, words = node.layer, []
    grows = node.output.spatial > node.input_types[0].spatial
    for name, sign in (
        ("stride", "×" if layer.family == "resize" else "/"),
        ("factor", "×"),
        ("block", "×" if grows else "/"),
        ("dilation", "dilation "),
    ):
        value = getattr(layer, name, None)
        if value and value not in ((1, 1), 1):
            same = isinstance(value, (tuple, list)) and len(set(value)) == 1
            words.append(sign + (size(value[0]) if same else sized(node, name)))
    return words


@cache
def range_fields(kind: type[Layer]) -> tuple[str, ...]:
    """The fields of a kind that may be a part of an axis."""
    return tuple(name for name in RANGES if name in kind.model_fields)


def is_range(value: Any) -> TypeGuard[tuple[int, int | None, int]]:
    """Whether a field's value is a part of an axis."""
    return isinstance(value, tuple) and len(value) == 3


def alike(layer: Layer) -> Layer:
    """A layer without what may differ among alike ones: the names in its fields, parts taken of an axis, such as the
    rows of an image one after the other, and how often it drops values in training.
    """
    kind = type(layer)
    dropped = {
        *layer.referred(),
        *(name for name in range_fields(kind) if is_range(getattr(layer, name))),
        *(["rate"] if "rate" in kind.model_fields else []),
    }
    return layer.model_copy(update=dict.fromkeys(dropped)) if dropped else layer


def ranges(node: Node) -> list[str]:
    """Parts that are taken of axes, as Python writes them: `channels 0:58`."""
    words = []
    for name in range_fields(type(node.layer)):
        value = getattr(node.layer, name)
        if is_range(value):
            start, stop, step = value
            words.append(f"{name} {start}:{'' if stop is None else stop}" + (f":{step}" if step != 1 else ""))
    return words


def is_counted(name: str, kind: str) -> bool:
    """Whether a name is the kind with a number, as unnamed layers have."""
    return name.startswith(kind) and name[len(kind) :].isdigit()


def spanned(first: str, last: str) -> str:
    """Two names as one, for all from the one to the other: `conv1–3`."""
    start, end = _common_ends(first, last)
    one, two = first[start : len(first) - end], last[start : len(last) - end]
    if start and one.isalnum() and two.isalnum() and max(len(one), len(two)) <= 3:
        return f"{first[:start]}{one}–{two}{first[len(first) - end :]}"
    return f"{first} – {last}"


def _common_ends(one: str, two: str) -> tuple[int, int]:
    """How many letters two names have in common at the beginning and at the end; a number is never taken apart."""
    shorter = min(len(one), len(two))
    start = next((at for at in range(shorter) if one[at] != two[at]), shorter)
    while start and one[start - 1].isdigit() and (one[start : start + 1] + two[start : start + 1]).isdigit():
        start -= 1
    end = next((at for at in range(shorter - start) if one[-1 - at] != two[-1 - at]), shorter - start)
    while end and one[-end].isdigit() and (one[-1 - end : -end] + two[-1 - end : -end]).isdigit():
        end -= 1
    return start, end

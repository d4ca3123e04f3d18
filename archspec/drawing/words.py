"""How drawings write a layer's window, stride, factor and dilation, and which names say nothing."""

from __future__ import annotations

from typing import Any

from archspec.layers import Layer


def size(value: Any) -> str:
    """A size in pixels: `3×3`."""
    return "×".join(f"{number:g}" for number in value) if isinstance(value, (tuple, list)) else f"{value:g}"


def window(layer: Layer) -> str:
    """The size of a kernel or a pooling's window, or nothing."""
    sides = getattr(layer, "kernel", None) or getattr(layer, "window", None)
    return size(sides) if sides else ""


def spacing(layer: Layer) -> list[str]:
    """What a layer makes smaller by, `/2`, or larger by, `×2`, and its dilation, where they are not 1."""
    words = []
    for name, sign in (
        ("stride", "×" if layer.family == "resize" else "/"),
        ("factor", "×"),
        ("dilation", "dilation "),
    ):
        value = getattr(layer, name, None)
        if value and value not in ((1, 1), 1):
            same = isinstance(value, (tuple, list)) and len(set(value)) == 1
            words.append(sign + size(value[0] if same else value))
    return words


def is_counted(name: str, kind: str) -> bool:
    """Whether a name is the kind with a number, as unnamed layers have."""
    return name.startswith(kind) and name[len(kind) :].isdigit()

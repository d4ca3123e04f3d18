"""Colours by what layers do. Families differ in lightness too, so they stay apart for the colour-blind."""

from __future__ import annotations

from typing import NamedTuple

from archspec.layer import Family


class Colours(NamedTuple):
    """Colours of one family: a light ground for text, a mid tone for marks, and a dark one for lines and letters."""

    light: str
    mid: str
    dark: str


FAMILIES: dict[Family, Colours] = {
    "convolution": Colours("#dbe8f4", "#a9c8e6", "#2b5c8a"),
    "pooling": Colours("#f8dccd", "#e08a5f", "#98441a"),
    "normalisation": Colours("#ece3f1", "#d8c6e3", "#6f4f8a"),
    "activation": Colours("#fbf3d2", "#f5e29a", "#7d6300"),
    "dense": Colours("#d3e9dd", "#7dbb9b", "#1f6646"),
    "join": Colours("#e4e7ea", "#b9c0c7", "#47525d"),
    "resize": Colours("#ead3e2", "#bd7fa7", "#7c3a64"),
    "other": Colours("#f3f4f5", "#dfe2e5", "#5b6570"),
}

WORDS: dict[Family, str] = {
    "convolution": "convolution",
    "pooling": "pooling",
    "normalisation": "normalisation",
    "activation": "activation",
    "dense": "dense",
    "join": "join",
    "resize": "upsampling, resizing",
    "other": "other",
}
"""What a legend calls them."""

INK = "#1f2933"
FAINT = "#5f6b76"
RULE = "#8a95a0"
"""Text, text beside it, and lines that stand for no family."""

BLOCK = Colours("#d3daec", "#8496c4", "#2f3f75")
"""A block of layers drawn as one."""

INPUT = Colours("#ffffff", "#fbfbfa", "#47525d")
"""The network's input."""

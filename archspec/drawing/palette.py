"""Colours by what layers do. All pairs of mid tones stay apart for red-blind and green-blind eyes too."""

from __future__ import annotations

from typing import NamedTuple

from archspec.layer import Family


class Colours(NamedTuple):
    """Colours of one family: a light ground for text, a mid tone for marks, and a dark one for lines and letters."""

    light: str
    mid: str
    dark: str


FAMILIES: dict[Family, Colours] = {
    "convolution": Colours("#deebf6", "#b2d6fa", "#2b5c8a"),
    "pooling": Colours("#f7dccb", "#d88a49", "#98441a"),
    "normalisation": Colours("#e2dbf1", "#7956ba", "#4a3580"),
    "activation": Colours("#fbf3d2", "#faeba0", "#7d6300"),
    "dense": Colours("#d3ead9", "#7fbc89", "#1f6646"),
    "join": Colours("#e3e6e7", "#a1aeb3", "#47525d"),
    "resize": Colours("#ecd5e4", "#a8619f", "#6f2f58"),
    "other": Colours("#f7f4f2", "#f8ede7", "#5b6570"),
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

BLOCK = Colours("#dde2f4", "#95a0e6", "#35437f")
"""A block of layers drawn as one."""

INPUT = Colours("#ffffff", "#fbfbfa", "#47525d")
"""The network's input."""

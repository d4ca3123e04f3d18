"""Colours by what layers do. All pairs of mid tones stay apart for red-blind and green-blind eyes too."""

from __future__ import annotations

from typing import NamedTuple

from archspec.layers import Family


class Colours(NamedTuple):
    """Colours of one family: a light ground for text, a mid tone for marks, and a dark one for lines and letters."""

    light: str
    mid: str
    dark: str


FAMILIES: dict[Family, Colours] = {
    "convolution": Colours("#deebf6", "#b0d2ed", "#2b5c8a"),
    "pooling": Colours("#f7dccb", "#dc8755", "#98441a"),
    "normalisation": Colours("#e2dbf1", "#7d62b5", "#4a3580"),
    "activation": Colours("#fbf3d2", "#f5e29a", "#7d6300"),
    "dense": Colours("#d3ead9", "#79bd8c", "#1f6646"),
    "join": Colours("#e3e6e7", "#a8b0b5", "#47525d"),
    "resize": Colours("#ecd5e4", "#af6997", "#6f2f58"),
    "other": Colours("#f7f4f2", "#efeae6", "#5b6570"),
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

BLOCK = Colours("#dde2f4", "#98a6da", "#35437f")
"""A block of layers drawn as one."""

INPUT = Colours("#ffffff", "#fbfbfa", "#47525d")
"""The network's input."""

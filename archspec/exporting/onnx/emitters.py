"""The table of what ONNX says of kinds: a function of a layer and the place that its nodes are written at."""

from __future__ import annotations

from archspec.exporting.targets import Emitters

emits = Emitters("onnx")
"""`@emits(Relu)` marks a function `(layer, at) -> str` that writes the nodes of a layer and gives its value's name."""

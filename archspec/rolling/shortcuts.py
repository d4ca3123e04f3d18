"""Shortcuts that the language makes by itself: a strided 1×1 convolution and batch normalisation."""

from __future__ import annotations

from typing import Any

from archspec.rolling.entries import Chain, Layer, Residual, chains_of
from archspec.rolling.found import Found
from archspec.rolling.reducing import default_of, tidy


def project(found: Found, chain: Chain) -> None:
    """Marks the shortcuts that `auto` stands for."""
    for entry in chain:
        if isinstance(entry, Residual) and entry.shortcut and is_projection(found, entry):
            entry.projected = True
            project(found, entry.body)
        elif entry is not None:
            for inner in chains_of(entry):
                project(found, inner)


def is_projection(found: Found, entry: Residual) -> bool:
    """Whether a shortcut is the strided 1×1 convolution and normalisation that the language makes by itfound."""
    parts = [part for part in entry.shortcut if isinstance(part, Layer)]
    if [part.kind for part in parts] != ["conv", "batch_norm"] or len(entry.shortcut) != 2:
        return False
    have, last = found.graph.source_type(entry.inputs[0]), entry.body[-1]
    assert last is not None
    want = found.graph.nodes[last.out].output
    if have == want or len(have.spatial) != len(want.spatial) or not have.spatial:
        return False
    strides = [(a - 1) // b + 1 for a, b in zip(have.spatial, want.spatial, strict=True)]
    conv = {"filters": want.channels, "kernel": 1, "stride": tidy(strides), "bias": False, "pad": "same"}
    given: tuple[dict[str, Any], ...] = (conv, {})
    for part, fields, kept in zip(parts, given, (("init",), ("epsilon", "momentum")), strict=True):
        cls = type(found.graph.nodes[part.out].layer)
        standing = {name: found.defaults.get(part.kind, {}).get(name, default_of(cls, name)) for name in kept}
        for name, value in part.fields.items():
            if value != fields.get(name, standing.get(name, default_of(cls, name))):
                return False
    return True

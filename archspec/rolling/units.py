"""Units: a convolution or dense layer, its normalisation and its activation."""

from __future__ import annotations

from archspec.rolling.entries import Call, Chain, Layer
from archspec.rolling.found import Found, Place, key_of, replace, written

WITH_WEIGHTS = ("conv", "depthwise_conv", "transposed_conv", "dense", "locally_connected")
"""Layers that a unit is made around."""

NORMS = ("batch_norm", "group_norm", "layer_norm", "instance_norm")

LEAST = 4
"""Units of a kind that are worth a block."""


def units(found: Found, chain: Chain) -> None:
    """Makes calls of units, where there are enough of them."""
    places: dict[object, list[Place]] = {}
    collect(found, chain, places)
    lists: dict[int, Chain] = {}
    changes: dict[int, list[tuple[int, int, Call]]] = {}
    for alike in places.values():
        if len(alike) < LEAST or key_of([place.entries for place in alike]) in found.banned:
            continue
        whole = max(place.end - place.start for place in alike)
        bodies = [place.entries for place in alike]
        if found.way.units == "conv":
            bodies = [[*body, *[None] * (whole - len(body))] for body in bodies]
        for place, call in zip(alike, found.new(bodies, unit=True), strict=True):
            lists[id(place.chain)] = place.chain
            changes.setdefault(id(place.chain), []).append((place.start, place.end, call))
    for key, inner in lists.items():
        replace(inner, changes[key])


def collect(found: Found, chain: Chain, places: dict[object, list[Place]]) -> None:
    """Finds the units of a list and of the lists in it, by what they have in common."""
    at = 0
    while at < len(chain):
        entry = chain[at]
        assert entry is not None
        for inner in written(entry):
            collect(found, inner, places)
        end = unit_end(found, chain, at)
        if end is None:
            at += 1
            continue
        parts = [layer for layer in chain[at:end] if isinstance(layer, Layer) and not layer.is_activation]
        key: tuple[object, ...] = tuple(found.marks.key(layer, None, False)[0::2] for layer in parts)
        if end - at > len(parts) and (found.way.units == "norm" or len(parts) == 1):
            key = (*key, "activation")
        places.setdefault(key, []).append(Place(chain, at, end))
        at = end


def unit_end(found: Found, chain: Chain, at: int) -> int | None:
    """Where the unit that begins at a place ends; None where none does."""
    kinds = ["conv", "norm", "activation"] if found.way.units == "conv" else ["norm", "activation", "conv"]
    end = at
    for kind in kinds:
        if end < len(chain) and is_part(found, chain, at, end, kind):
            end += 1
        elif kind != "activation" and (found.way.units != "conv" or kind == "conv"):
            return None
    return end if end - at > 1 else None


def is_part(found: Found, chain: Chain, start: int, at: int, kind: str) -> bool:
    """Whether an entry goes on a unit: of the kind, and the only one that takes what is before it."""
    entry = chain[at]
    if not isinstance(entry, Layer) or len(entry.inputs) != 1 or entry.references:
        return False
    if at > start:
        before = chain[at - 1]
        assert before is not None
        if entry.inputs != (before.out,) or found.uses[before.out] != 1:
            return False
    if kind == "activation":
        return entry.is_activation or entry.kind == "prelu"
    return entry.kind in (WITH_WEIGHTS if kind == "conv" else NORMS)

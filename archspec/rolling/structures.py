"""Blocks: structures that come more than once, with the activation behind them."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.rolling.entries import Call, Chain, Layer, Parallel, Residual
from archspec.rolling.found import Found, Place, inside, key_of, replace


def structures(found: Found, chain: Chain) -> None:
    """Makes calls of the structures in a list that are alike, outer ones first."""
    lists = [chain]
    while lists:
        places: dict[object, list[Place]] = {}
        for inner in lists:
            for at, entry in enumerate(inner):
                if isinstance(entry, (Parallel, Residual)):
                    end = at + 1
                    follower = inner[end] if end < len(inner) else None
                    if isinstance(follower, Layer) and follower.is_activation:
                        end += follower.inputs == (entry.out,) and found.uses[entry.out] == 1
                    mark = found.marks.chain(inner[at:end], entry.inputs[0])
                    places.setdefault(mark, []).append(Place(inner, at, end))
        changes: dict[int, list[tuple[int, int, Call]]] = {}
        for alike in places.values():
            for group in groups(found, alike):
                calls = found.block([place.entries for place in group])
                for place, call in zip(group, calls, strict=True):
                    changes.setdefault(id(place.chain), []).append((place.start, place.end, call))
        for inner in lists:
            replace(inner, changes.get(id(inner), ()))
        lists = [part for inner in lists for entry in inner for part in inside(entry, found)]


def groups(found: Found, places: list[Place]) -> Iterator[list[Place]]:
    """Those places together that one block can stand for without too many arguments."""
    if len(places) > 1 and found.fits([place.entries for place in places]):
        yield places
        return
    strict: dict[object, list[Place]] = {}
    for place in places:
        first = place.entries[0]
        assert first is not None
        strict.setdefault(found.marks.chain(place.entries, first.inputs[0], True), []).append(place)
    for group in strict.values():
        if len(group) > 1 and key_of([place.entries for place in group]) not in found.banned:
            yield group

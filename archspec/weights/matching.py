"""Which tensor of a file is which array of a network; nothing is matched silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count, listed
from archspec.graph import Graph
from archspec.weights.files import TensorFile
from archspec.weights.layout import LayoutError, from_torch, order_of, orders, shape_text
from archspec.weights.naming import Naming, Place, namings, tables

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What wrappers put before every name: data parallelism, compilation, a training script's own module."""
IGNORED = ("num_batches_tracked",)
"""Tensors that PyTorch keeps and nobody needs."""


@dataclass(frozen=True)
class Match:
    """What became of every tensor of a file and every array of a network.

    `arrays` are those matched, by their names here; `matched` says from which tensor. `missing` are arrays without a
    tensor, and what it would be called; `unexpected` tensors without an array; `misshaped` pairs whose shapes differ,
    with the reason.
    """

    naming: str
    same: tuple[str, ...]
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    matched: Mapping[str, str]
    missing: Mapping[str, str]
    unexpected: tuple[str, ...]
    misshaped: Mapping[str, str]

    @property
    def full(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def without(self, layers: Sequence[str], unexpected: Sequence[str]) -> Match:
        """The match less what belongs to some layers here, and some tensors."""
        left = {name for path in layers for name in (*self.matched, *self.missing, *self.misshaped) if _of(name, path)}
        return Match(
            self.naming,
            self.same,
            {name: value for name, value in self.arrays.items() if name not in left},
            {name: tensor for name, tensor in self.matched.items() if name not in left},
            {name: tensor for name, tensor in self.missing.items() if name not in left},
            tuple(name for name in self.unexpected if name not in unexpected),
            {name: reason for name, reason in self.misshaped.items() if name not in left},
        )

    @property
    def mostly_unexpected(self) -> bool:
        """Whether most of the file has no place here."""
        return len(self.matched) < len(self.unexpected) + len(self.misshaped)

    def lists(self) -> list[str]:
        """The four lists in words, long ones cut."""
        alike = f" (so are those of {listed(self.same)})" if self.same else ""
        lines = [f"{count(len(self.matched), 'tensor')} matched, named as {self.naming} has them{alike}"]
        for what, names in (
            ("missing from the file", [_both(tensor, name) for name, tensor in self.missing.items()]),
            ("unexpected", self.unexpected),
            ("of another shape", [f"{name} {reason}" for name, reason in self.misshaped.items()]),
        ):
            if names:
                lines.append(f"{len(names):,} {what}: {listed(names, 6)}")
        return lines

    def summary(self) -> str:
        """The lists, and what became of what did not match."""
        lines = self.lists()
        random = len(self.missing) + len(self.misshaped)
        if random:
            lines.append(f"{count(random, 'array')} {'was' if random == 1 else 'were'} drawn at random")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The match as plain data."""
        return {
            "names": self.naming,
            "matched": dict(self.matched),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "misshaped": dict(self.misshaped),
        }


def _both(tensor: str, name: str) -> str:
    return tensor if tensor == name else f"{tensor} ({name})"


def _of(name: str, path: str) -> bool:
    return name.rpartition(".")[0] == path


def match(graph: Graph, tables: Mapping[str, Mapping[str, str]], file: TensorFile, naming: str | None = None) -> Match:
    """Matches a file's tensors with a network's arrays, train-only ones included.

    Of the namings that there are, the one that knows most of the tensors is taken, unless one is asked for. Raises
    `DataError` where there is none of that name, or none knows any tensor.
    """
    known = namings(graph, tables)
    if naming is not None and naming not in known:
        raise DataError("E535", f"{graph.name} has no names `{naming[:60]}`", help=[f"there are {listed(known)}"])
    if not file.shapes:
        raise DataError("E532", f"{file.path} holds no tensors")
    names = _stripped(file.shapes, known)
    counts = {way: len(names.keys() & table.keys()) for way, table in known.items() if naming is None or way == naming}
    best = max(counts, key=lambda way: counts[way])
    if not counts[best]:
        raise DataError(
            "E536",
            f"no tensor of {file.path} is called as {graph.name} would have it",
            notes=[f"the file has {listed(list(file.shapes), 3)}; {graph.name} expects {listed(list(known[best]), 3)}"],
            help=named_alike(file),
        )
    same = tuple(way for way in counts if way != best and known[way].keys() == known[best].keys())
    found = _matched(best, same, known[best], names, file, graph)
    if not found.matched:
        raise DataError(
            "E536", f"no tensor of {file.path} fits {graph.name}", notes=found.lists(), help=named_alike(file)
        )
    return found


def check_finite(found: Match, path: Path) -> None:
    """Raises `DataError` where a matched array holds NaN or infinity."""
    broken = [found.matched[name] for name, array in found.arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise DataError(
            "E539",
            f"{path} has NaN or infinity in {count(len(broken), 'tensor')}: {listed(broken, 6)}",
            help=["the file is damaged, or the training that it comes from ran away"],
        )


def named_alike(file: TensorFile) -> list[str]:
    """Says which networks of the zoo have exactly the tensors of a file, by name and size, if any have."""
    from archspec.loading import load
    from archspec.zoo import zoo_variants

    alike = []
    for network, (_, variant) in zoo_variants().items():
        if variant is None:
            continue
        spec = load(network)
        graph = spec.graph()
        known = namings(graph, tables(spec))
        names = _stripped(file.shapes, known)
        wanted = {name for name in names if not name.endswith(IGNORED)}
        for table in known.values():
            if table.keys() == wanted and all(
                np.prod(file.shapes[names[name]]) == place.weight.size for name, place in table.items()
            ):
                alike.append(network)
                break
    return [f"its tensors are those of {listed(alike, 4)}"] if alike else []


def _stripped(shapes: Mapping[str, Any], known: Mapping[str, Naming]) -> dict[str, str]:
    """The file's names by what they are without a wrapper's prefix."""
    wanted = {name for table in known.values() for name in table}
    names = {name: name for name in shapes}
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names) and not wanted & names.keys():
            names = {name.removeprefix(prefix): written for name, written in names.items()}
    return names


def _matched(
    way: str, same: tuple[str, ...], table: Naming, names: Mapping[str, str], file: TensorFile, graph: Graph
) -> Match:
    layouts = orders(graph)
    arrays: dict[str, np.ndarray] = {}
    matched: dict[str, str] = {}
    misshaped: dict[str, str] = {}
    for name, place in table.items():
        if name not in names:
            continue
        try:
            arrays[place.name] = _laid(file.read(names[name]), place, layouts)
            matched[place.name] = names[name]
        except LayoutError as error:
            misshaped[place.name] = str(error)
    missing = {place.name: name for name, place in table.items() if name not in names}
    unexpected = tuple(written for name, written in names.items() if name not in table and not name.endswith(IGNORED))
    return Match(way, same, arrays, matched, missing, unexpected, misshaped)


def _laid(array: np.ndarray, place: Place, layouts: Mapping[str, Any]) -> np.ndarray:
    if place.torch:
        return from_torch(array, place.weight, order_of(place.node, layouts))
    if array.shape != place.weight.shape:
        raise LayoutError(f"is {shape_text(array.shape)}, not {shape_text(place.weight.shape)}")
    return array

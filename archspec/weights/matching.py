"""Which tensor of a file is which array of a network; nothing is matched silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count, listed
from archspec.graph import Graph
from archspec.weights.behind import behind
from archspec.weights.darknet_files import NAMES as ROW
from archspec.weights.darknet_files import in_order
from archspec.weights.keras_layout import from_keras, keras_shape
from archspec.weights.layout import LayoutError, from_torch, order_of, orders, shape_text, to_torch_shape
from archspec.weights.naming import PLAIN, Naming, Slot, Table, check_distinct, copies, fitting, namings, tables
from archspec.weights.tensors import TensorFile, odd_tensors
from archspec.weights.wrapping import IGNORED, Unwrapped, beginnings, check_one, unwrapped

PART = 2**22
"""Numbers of a tensor that are brought into their order at a time."""
OUTPUTS_LAST = ("HWIO", "LIO", "IO", "CO")
"""Axes of kernels that have the outputs first in PyTorch."""


@dataclass(frozen=True)
class Match:
    """What became of every tensor of a file and every array of a network.

    `arrays` are those matched, by their names here; `matched` says from which tensor. `missing` are arrays without a
    tensor, and what it would be called; `unexpected` tensors without an array; `misshaped` pairs whose shapes differ,
    with the reason. `stripped` says what was taken off how many names, `left` are tensors that lie elsewhere and are
    none of the network's, such as an optimiser's; `rounded` counts arrays whose numbers float32 cannot hold exactly.
    """

    naming: str
    same: tuple[str, ...]
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    matched: Mapping[str, str]
    missing: Mapping[str, str]
    unexpected: tuple[str, ...]
    misshaped: Mapping[str, str]
    stripped: Mapping[str, int] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    rounded: int = 0
    tied: int = 0
    """Tensors that are there again, equal, under the names of layers that use another one's arrays."""
    folded: int = 0
    """Tensors that are biases before a normalisation, and went into its mean."""

    @property
    def full(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def without(self, layers: Sequence[str], unexpected: Sequence[str]) -> Match:
        """The match less what belongs to some layers here, and some tensors."""
        left = {name for path in layers for name in (*self.matched, *self.missing, *self.misshaped) if _of(name, path)}
        return replace(
            self,
            arrays={name: value for name, value in self.arrays.items() if name not in left},
            matched={name: tensor for name, tensor in self.matched.items() if name not in left},
            missing={name: tensor for name, tensor in self.missing.items() if name not in left},
            unexpected=tuple(name for name in self.unexpected if name not in unexpected),
            misshaped={name: reason for name, reason in self.misshaped.items() if name not in left},
        )

    @property
    def mostly_unexpected(self) -> bool:
        """Whether most of the file has no place here."""
        return len(self.matched) < len(self.unexpected) + len(self.misshaped)

    def lists(self) -> list[str]:
        """What became of everything in words, long lists cut."""
        alike = f" (so are those of {listed(self.same)})" if self.same else ""
        lines = [f"{count(len(self.matched), 'tensor')} matched, named as {self.naming} has them{alike}"]
        for what, names in (
            ("missing from the file", [_both(tensor, name) for name, tensor in self.missing.items()]),
            ("unexpected", self.unexpected),
            ("of another shape", [f"{name} {reason}" for name, reason in self.misshaped.items()]),
        ):
            if names:
                lines.append(f"{len(names):,} {what}: {listed(names, 6)}")
        return [*lines, *self.asides()]

    def asides(self) -> list[str]:
        """What a full match took off names, left out, or rounded."""
        lines = [f"`{word}` was taken off {count(number, 'name')}" for word, number in self.stripped.items()]
        if self.left:
            verbs = ("lies", "was") if len(self.left) == 1 else ("lie", "were")
            places = _places(self.left, self.matched.values())
            shown = self.left if len(self.left) <= 3 else [f"{word} ({number:,})" for word, number in places.items()]
            lines.append(
                f"{count(len(self.left), 'tensor')} {verbs[0]} elsewhere in the file and {verbs[1]} left out: "
                f"{listed(shown, 6)}"
            )
        if self.tied:
            verbs = ("is", "has") if self.tied == 1 else ("are", "have")
            lines.append(
                f"{count(self.tied, 'tensor')} {verbs[0]} there again for layers that share arrays, and {verbs[1]} the "
                "same numbers"
            )
        if self.folded:
            verb = "was" if self.folded == 1 else "were"
            lines.append(
                f"{count(self.folded, 'bias')} of layers that have none here {verb} taken from the means of the "
                "normalisations behind them, which computes the same"
            )
        if self.rounded:
            lines.append(f"numbers of {count(self.rounded, 'tensor')} were rounded to float32")
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
            "stripped": dict(self.stripped),
            "left": list(self.left),
            "rounded": self.rounded,
            "tied": self.tied,
            "folded": self.folded,
        }


def _places(names: Sequence[str], others: Iterable[str]) -> Counter[str]:
    """Where tensors lie: the shortest beginnings of their names that no other names have, and how many have those."""
    taken = {name[:dot] for name in others for dot in _dots(name)}
    return Counter(next((name[:dot] for dot in _dots(name) if name[:dot] not in taken), name) for name in names)


def _dots(name: str) -> Iterator[int]:
    return (place for place, char in enumerate(name) if char == ".")


def _both(tensor: str, name: str) -> str:
    return tensor if tensor == name else f"{tensor} ({name})"


def _of(name: str, path: str) -> bool:
    return name.rpartition(".")[0] == path


def match(
    graph: Graph,
    tables: Mapping[str, Table],
    file: TensorFile,
    naming: str | None = None,
    prefix: str | None = None,
) -> Match:
    """Matches a file's tensors with a network's arrays, train-only ones included.

    Of the namings that there are, the one that knows most of the tensors is taken, unless one is asked for. What
    wrappers put around the names is taken off; `prefix` says what the names of the tensors begin with where several
    would do. Raises `DataError` where there is no naming of that name, none knows any tensor, it calls two arrays
    alike, the tensors are there several times, or their numbers cannot be taken.
    """
    known = namings(graph, tables)
    if naming is not None and naming not in known:
        raise DataError("E535", f"{graph.name} has no names `{naming[:60]}`", help=[f"there are {listed(known)}"])
    if file.row is not None:
        naming = naming or (ROW if ROW in tables else PLAIN)
        if naming not in fitting(tables, "pytorch"):
            raise DataError("E535", f"{file.path} has no names, and its numbers are in PyTorch's order, not {naming}'s")
        file = in_order(graph, known[naming], file)
    if not file.shapes:
        notes = [f"at its top are {listed(file.keys, 12)}"] if file.keys else []
        raise DataError("E532", f"{file.path} holds no tensors by name", notes=notes)
    again = copies(graph, tables)
    # Darknet's own files have no names, so a file with names is none of them, and not what that set stands for.
    asked = [way for way in fitting(tables, file.layout) if way != ROW] if naming is None else [naming]
    expected = {way: {**again[way], **known[way]} for way in asked}
    ways = {way: unwrapped(file, table.keys(), prefix) for way, table in expected.items()}
    counts = {way: names.known(expected[way]) for way, names in ways.items()}
    best = max(counts, key=lambda way: counts[way])
    if not counts[best]:
        words = [f"{word} ({number:,})" for word, number in beginnings(file.shapes).items()]
        raise DataError(
            "E536",
            f"no tensor of {file.path} is called as {graph.name} would have it",
            notes=[
                f"the file has {listed(list(file.shapes), 3)}; {graph.name} expects {listed(list(known[best]), 3)}",
                *([f"its tensors lie under {listed(words, 8)}"] if len(file.shapes) > 3 else []),
                *([f"at its top are {listed(file.keys, 8)}"] if file.containers else []),
            ],
            help=named_alike(file),
        )
    check_distinct(graph, tables, best)
    check_one(file, ways[best], expected[best])
    same = tuple(way for way in counts if way != best and known[way].keys() == known[best].keys())
    matched = _matched(best, same, known[best], again[best], ways[best], file, graph)
    matched = _sorted_out(matched, file, prefix)
    if not matched.matched:
        raise DataError(
            "E536", f"no tensor of {file.path} fits {graph.name}", notes=matched.lists(), help=named_alike(file)
        )
    return matched


def _sorted_out(matched: Match, file: TensorFile, prefix: str | None) -> Match:
    """The match with what lies elsewhere counted as unexpected where it may well be the network's.

    That is where something is missing, or most of what was saved together is left out.
    """
    if prefix is not None:
        return matched
    inside = {file.containers.get(tensor, "") for tensor in matched.matched.values()}
    beside = [name for name in matched.left if file.containers.get(name, "") in inside]
    if not beside or (matched.full and len(beside) <= len(matched.matched)):
        return matched
    left = tuple(name for name in matched.left if name not in set(beside))
    return replace(matched, unexpected=(*matched.unexpected, *beside), left=left)


def check_values(matched: Match, path: Path) -> None:
    """Raises `DataError` where a matched array holds NaN or infinity, or a variance is negative."""
    broken = [matched.matched[name] for name, array in matched.arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise DataError(
            "E539",
            f"{path} has NaN, infinity or more than float32 can hold in {count(len(broken), 'tensor')}: "
            f"{listed(broken, 6)}",
            help=["the file is damaged, or the training that it comes from ran away"],
        )
    below = [
        f"{matched.matched[name]} ({array.min():g})"
        for name, array in matched.arrays.items()
        if name.endswith(".var") and array.size and array.min() < 0
    ]
    if below:
        raise DataError(
            "E539",
            f"{path} has negative variances in {count(len(below), 'tensor')}: {listed(below, 6)}",
            help=["the file is damaged: a variance is 0 or more"],
        )


def named_alike(file: TensorFile) -> list[str]:
    """Says which networks of the zoo have exactly the tensors of a file, by name and size, if any have."""
    from archspec.loading import load
    from archspec.zoo import zoo_index, zoo_networks

    alike = []
    sizes = Counter(prod(shape) for shape in file.shapes.values())
    rows = {name: row for entry in zoo_index().values() for name, row in entry.networks.items()}
    for network in zoo_networks():
        if network in rows and not sizes.keys() >= set(rows[network].get("largest_arrays", ())):
            continue
        spec = load(network)
        graph = spec.graph()
        known = namings(graph, tables(spec))
        for table in known.values():
            if not Counter(place.weight.size for place in table.values()) <= sizes:
                continue
            names = unwrapped(file, table.keys()).names
            if table.keys() == {name for name in names if not name.endswith(IGNORED)} and all(
                np.prod(file.shapes[names[name]]) == place.weight.size for name, place in table.items()
            ):
                alike.append(network)
                break
    return [f"its tensors are those of {listed(alike, 4)}"] if alike else []


def _matched(
    way: str, same: tuple[str, ...], table: Naming, again: Naming, file_names: Unwrapped, file: TensorFile, graph: Graph
) -> Match:
    layouts = orders(graph)
    names = file_names.names
    here = {name: place for name, place in table.items() if name in names}
    # A shared array may stand under the names of all layers that use it, or of any of them.
    found = {place.name for place in here.values()}
    twice: dict[str, Slot] = {}
    for name, place in again.items():
        if name in names:
            (twice if place.name in found else here)[name] = place
            found.add(place.name)
    odd = {names[name]: fault for name in here if (fault := file.fault(names[name])) is not None}
    if odd:
        raise odd_tensors(file.path, odd)
    arrays: dict[str, np.ndarray] = {}
    matched: dict[str, str] = {}
    misshaped: dict[str, str] = {}
    rounded = 0
    for name, place in here.items():
        tensor = names[name]
        try:
            _check_size(file.shapes[tensor], place, layouts)
            arrays[place.name], is_rounded = _array(file, tensor, place, layouts)
        except LayoutError as error:
            misshaped[place.name] = str(error)
            continue
        matched[place.name] = tensor
        rounded += is_rounded
    tied = _tied(twice, matched, names, file)
    folded = _folded(arrays, table, names, file, graph)
    return Match(
        way,
        same,
        arrays,
        matched,
        missing={place.name: name for name, place in table.items() if place.name not in found},
        unexpected=tuple(
            written
            for name, written in names.items()
            if name not in table and name not in again and name not in folded and _counts(name)
        ),
        misshaped=misshaped,
        stripped=file_names.stripped,
        left=tuple(name for name in file_names.left if _counts(name)),
        rounded=rounded,
        tied=tied,
        folded=len(folded),
    )


def _folded(
    arrays: dict[str, np.ndarray], table: Naming, names: Mapping[str, str], file: TensorFile, graph: Graph
) -> set[str]:
    """The tensors that are biases of layers that have none here, before a normalisation, and are taken from its mean.

    y = (x + b − mean)/σ is y = (x − (mean − b))/σ: so Caffe's and older networks have them.
    """
    norms = behind(graph)
    found: set[str] = set()
    for name, place in table.items():
        norm = norms.get(place.node.path)
        bias = f"{name.rpartition('.')[0]}.bias"
        if norm is None or place.layout != "pytorch" or place.weight.name != "kernel":
            continue
        if bias in table or bias not in names:
            continue
        mean = arrays.get(f"{norm.owner}.mean")
        if mean is None or file.shapes[names[bias]] != mean.shape or file.fault(names[bias]) is not None:
            continue
        arrays[f"{norm.owner}.mean"] = mean - file.read(names[bias]).astype(np.float32)
        found.add(bias)
    return found


def _array(file: TensorFile, tensor: str, place: Slot, layouts: Mapping[str, Any]) -> tuple[np.ndarray, bool]:
    """A tensor as the array of its place, and whether float32 had to round its numbers.

    A large one is taken part by part of its first axis, the kernel's outputs, so that it is not twice in memory.
    """
    shape, weight = file.shapes[tensor], place.weight
    parts = weight.size // PART
    if (
        place.layout != "pytorch"
        or parts < 2
        or len(shape) < 2
        or shape[0] != weight.shape[-1]
        or weight.axes not in OUTPUTS_LAST
    ):
        return _laid_out(file.read(tensor), place, layouts)
    array = np.empty(weight.shape, np.float32)
    rounded = False
    ends = np.linspace(0, shape[0], min(parts, shape[0]) + 1).astype(int)
    for first, end in pairwise(ends.tolist()):
        own = place._replace(weight=weight._replace(shape=(*weight.shape[:-1], end - first)))
        array[..., first:end], is_rounded = _laid_out(file.read(tensor, first, end), own, layouts)
        rounded |= is_rounded
    return array, rounded


def _laid_out(own: np.ndarray, place: Slot, layouts: Mapping[str, Any]) -> tuple[np.ndarray, bool]:
    with np.errstate(over="ignore"):
        numbers = own.astype(np.float32)
    wider = own.dtype.itemsize > numbers.dtype.itemsize
    return _laid(numbers, place, layouts), wider and not np.array_equal(own, numbers, equal_nan=True)


def _tied(twice: Naming, matched: Mapping[str, str], names: Mapping[str, str], file: TensorFile) -> int:
    """How many tensors are those of arrays that others were taken for. Raises `DataError` where the two differ."""
    differ: list[str] = []
    equal = 0
    for name, place in twice.items():
        first, tensor = matched.get(place.name), names[name]
        if first is None:
            continue
        same = file.shapes[first] == file.shapes[tensor] and np.array_equal(
            file.read(first), file.read(tensor), equal_nan=True
        )
        equal += same
        if not same:
            differ.append(f"{first} and {tensor}")
    if differ:
        raise DataError(
            "E537",
            f"{file.path} has other numbers where the network shares arrays, in {count(len(differ), 'tensor')}: "
            f"{listed(differ, 4)}",
            help=["the weights are those of a network whose layers share nothing: leave `weights` or `tied` out"],
        )
    return equal


def _counts(name: str) -> bool:
    return not name.endswith(IGNORED)


def _check_size(shape: Sequence[int], place: Slot, layouts: Mapping[str, Any]) -> None:
    """Raises `LayoutError` for a tensor of another size than its array, which is then never read."""
    if prod(shape) != place.weight.size:
        wanted = place.weight.shape
        if place.layout == "pytorch":
            wanted = to_torch_shape(place.weight, order_of(place.node, layouts), place.form)
        elif place.layout == "keras":
            wanted = keras_shape(place.node, place.weight)
        raise LayoutError(f"is {shape_text(shape)}, not {shape_text(wanted)}")


def _laid(array: np.ndarray, place: Slot, layouts: Mapping[str, Any]) -> np.ndarray:
    if place.layout == "pytorch":
        return from_torch(array, place.weight, order_of(place.node, layouts), place.form)
    if place.layout == "keras":
        return from_keras(array, place.node, place.weight)
    if array.shape != place.weight.shape:
        raise LayoutError(f"is {shape_text(array.shape)}, not {shape_text(place.weight.shape)}")
    return array

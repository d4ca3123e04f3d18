"""How other frameworks call the tensors of a graph's nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError
from archspec.graph import Graph, Node
from archspec.layers import Weight
from archspec.patterns import FORM, PLACEHOLDER, STARS, compiled, rewritten
from archspec.weights.layout import has_form
from archspec.weights.tensors import Layout

if TYPE_CHECKING:
    from archspec.loading import Spec

NATIVE = "archspec"
"""The naming of this package: node path and attribute, arrays as they are."""
PLAIN = "pytorch"
"""Node paths with PyTorch's words for the arrays, in PyTorch's layout: what a spec without a table of names has."""
KERAS = "keras"
"""Node paths with Keras's words for the arrays, in Keras's layout, unless a spec has a table of that name."""

TORCH_WORDS = {"kernel": "weight", "scale": "weight", "slope": "weight", "mean": "running_mean", "var": "running_var"}
"""PyTorch's words for arrays; others are the same."""
KERAS_WORDS = {"scale": "gamma", "slope": "alpha", "mean": "moving_mean", "var": "moving_variance"}
"""Keras's words for arrays; others are the same, but for the `beta` of layers that normalise."""
WORDS: Mapping[Layout, Mapping[str, str]] = {"archspec": {}, "pytorch": TORCH_WORDS, "keras": KERAS_WORDS}


class Table(NamedTuple):
    """A table of names of a spec's, and whose words and order of axes its tensors have."""

    names: Mapping[str, str]
    layout: Layout = "pytorch"


class Slot(NamedTuple):
    """Where a tensor belongs: a node's array, and in whose layout it comes.

    `form` has the axes of its shape where that is not the usual one of the layer in PyTorch.
    """

    node: Node
    weight: Weight
    layout: Layout
    form: str = ""

    @property
    def name(self) -> str:
        """The array's name here."""
        return f"{self.node.owner}.{self.weight.name}"


Naming = dict[str, Slot]
"""Where each tensor of a file belongs, by the tensor's name."""


def tables(spec: Spec) -> dict[str, Table]:
    """The tables of names that a spec has."""
    return {name: Table(dict(weights.names), weights.layout) for name, weights in spec.weights.items()}


def _with_general(tables: Mapping[str, Table]) -> dict[str, Table]:
    """A spec's own tables in their order, then the general ways, by node paths alone."""
    # Keras's comes last: where nothing normalises it has the names that this package has, and other axes.
    general: dict[str, Table] = {PLAIN: Table({}), NATIVE: Table({}, "archspec"), KERAS: Table({}, "keras")}
    return {**tables, **{name: table for name, table in general.items() if name not in tables}}


def fitting(tables: Mapping[str, Table], layout: Layout | None) -> list[str]:
    """The ways of naming that tensors of a layout may have, in the order in which they are preferred."""
    return [name for name, table in _with_general(tables).items() if layout in (None, table.layout)]


def namings(graph: Graph, tables: Mapping[str, Table]) -> dict[str, Naming]:
    """Every way in which a file may call the tensors: the spec's own tables in their order, then the general ways."""
    places = _Places(graph)
    return {name: dict(_named(graph, table, places)) for name, table in _with_general(tables).items()}


def copies(graph: Graph, tables: Mapping[str, Table]) -> dict[str, Naming]:
    """Other names that files may have for shared arrays, by naming: those of the layers that use another one's.

    PyTorch's state dicts have a tied tensor under each of its names, and safetensors under one of them.
    """
    sharing = [node for node in graph.nodes if node.shares is not None]
    places = _Places(graph)
    return {
        name: dict(_named(graph, table, places, sharing)) if sharing else {}
        for name, table in _with_general(tables).items()
    }


def check_distinct(graph: Graph, tables: Mapping[str, Table], way: str) -> None:
    """Raises `DataError` where a naming calls two arrays alike: one of them would be left as it is, unseen."""
    if way == NATIVE:
        return
    known: Naming = {}
    for name, slot in _named(graph, _with_general(tables)[way], _Places(graph)):
        other = known.setdefault(name, slot)
        if other.name != slot.name:
            what = f"the names `{way[:60]}` of {graph.name} call two arrays {name[:200]}: {other.name} and {slot.name}"
            help = f"`weights: {{{way[:60]}: {{names: …}}}}` has to tell them apart"
            raise DataError("E535", what, help=[help if way in tables else f"--names {NATIVE} tells them apart"])


def _named(
    graph: Graph, table: Table, places: _Places, sharing: Sequence[Node] | None = None
) -> Iterator[tuple[str, Slot]]:
    """Each array and what a table calls it, of the layers that have them or of those that use them.

    A pattern with an array in brackets, `**.gamma[scale]`, gives the whole name of that array: a PyTorch parameter of a
    module itself has no word such as `weight` behind it. A name that ends with axes, `fc1[OI]`, says the shape of those
    arrays that may have it.
    """
    rules, layout = table
    layers = {pattern: name for pattern, name in rules.items() if not pattern.endswith("]")}
    arrays = [(*pattern[:-1].rpartition("[")[::2], name) for pattern, name in rules.items() if pattern.endswith("]")]
    for node in graph.nodes if sharing is None else sharing:
        name, form = _parted(_renamed(node.path, layers, places) or node.path)
        for weight in node.weights if sharing is None else node.arrays:
            own_rules = {pattern: name for pattern, array, name in arrays if array == weight.name}
            whole = _renamed(node.path, own_rules, places)
            if whole is not None:
                whole, own_form = _parted(whole)
                yield whole, Slot(node, weight, layout, own_form if has_form(weight, own_form) else "")
                continue
            # An array of a part of a layer, such as an attention's queries, stands under the part's name there too.
            part, dot, own = weight.name.rpartition(".")
            slot = Slot(node, weight, layout, form if has_form(weight, form) else "")
            yield f"{name}.{part}{dot}{_word(node, own, layout)}", slot


def _word(node: Node, array: str, layout: Layout) -> str:
    """What an array is called where a table does not give its whole name."""
    if layout == "keras" and array == "bias" and node.layer.family == "normalisation":
        return "beta"
    return WORDS[layout].get(array, array)


def _parted(name: str) -> tuple[str, str]:
    """A name that a table gives, and the axes that it ends with, or none."""
    form = FORM.search(name)
    return (name, "") if form is None else (name[: form.start()], form[1])


def _renamed(path: str, table: Mapping[str, str], places: _Places) -> str | None:
    """What the first pattern of a table that fits makes of a path; None where none does."""
    for pattern, replacement in table.items():
        if "{" not in replacement:
            renamed = rewritten(pattern, replacement, path)
        else:
            renamed = _with_places(pattern, replacement, path, places)
        if renamed is not None:
            return renamed
    return None


def _with_places(pattern: str, replacement: str, path: str, places: _Places) -> str | None:
    """The path as a rule renames it that has places in it; None where the pattern does not fit."""
    match = compiled(pattern).fullmatch(path)
    if match is None:
        return None
    taken = 0

    def filled(placeholder: re.Match[str]) -> str:
        nonlocal taken
        if placeholder[0] == "{number}":
            return str(places.numbers[path])
        wanted = len(STARS.findall(placeholder[0]))
        first, taken = taken + 1, taken + wanted
        if placeholder[1] is None:
            return str(match[first])
        names = path[match.start(first) : match.end(taken)].count(".") + 1
        place = places.place(path, match.start(first), names)
        return _letters(place) if placeholder[3] else str(place + int(placeholder[2] or 0))

    return PLACEHOLDER.sub(filled, replacement)


def _letters(place: int) -> str:
    """A place as a letter, from a; after z come aa, ab, …"""
    before, last = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("a") + last)


class _Places:
    """Places of layers and scopes, counted from 0 in the graph's order."""

    def __init__(self, graph: Graph) -> None:
        self._paths = [node.path for node in graph.nodes]
        self.numbers: dict[str, int] = {}
        """Each layer's place among the layers of its scope: its index in a PyTorch Sequential."""
        counts: dict[str, int] = {}
        for path in self._paths:
            scope = path.rpartition(".")[0]
            self.numbers[path] = counts.get(scope, 0)
            counts[scope] = self.numbers[path] + 1
        self._known: dict[tuple[str, int], dict[str, int]] = {}

    def place(self, path: str, start: int, names: int) -> int:
        """The place of the names that begin at a character of a path, among those that other paths have there."""
        before = path[:start]
        known = self._known.setdefault((before, names), {})
        if not known:
            for other in self._paths:
                if other.startswith(before):
                    known.setdefault(_first(other[start:], names), len(known))
        return known[_first(path[start:], names)]


def _first(path: str, names: int) -> str:
    return ".".join(path.split(".")[:names])

"""A file of source code as a whole: the classes of a network, what they need, the weights beside them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archspec.exporting.source import heading
from archspec.exporting.source.classes import Form, Tree, classes_of
from archspec.exporting.source.forms import Context
from archspec.exporting.source.layout import fitted
from archspec.exporting.source.modules import Dialect, Writer, described
from archspec.exporting.source.pixels import Scaling, preprocessing
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Emitters, Written
from archspec.graph import Node
from archspec.types import TensorType
from archspec.weights.files import write_tensors
from archspec.writing import write

Lines = list[str]


@dataclass(frozen=True)
class Language:
    """A framework as a file has it: `forms` say what its layers are, `helpers` have the text of functions and classes
    that layers need, `reserved` the names that a file has itself, and `imports` the lines for what a text uses.
    """

    forms: Emitters
    helpers: Mapping[str, str]
    reserved: Collection[str]
    axes: heading.Axes
    imports: Callable[[str], Lines]
    scaling: Scaling

    def shape(self, between: str) -> Callable[[TensorType], str]:
        """What writes the axes of a sample."""
        return lambda kind: between.join(map(str, self.axes(kind)))


def tree_of(language: Language, context: Context) -> Tree:
    """The classes of a network."""

    def describe(node: Node) -> Form:
        function = language.forms.find(node.layer)
        assert function is not None, f"{node.kind} is checked before"
        made: Form = function(node.layer, node, context)
        return made

    return classes_of(context.graph, describe, frozenset({*language.reserved, *language.helpers}))


def definitions(tree: Tree, language: Language, dialect: Dialect, array: Callable[[str], str] = str) -> list[Lines]:
    """The lines of each helper and class; `array` gives the framework's word for an array of a layer."""
    writer = Writer(tree, dialect)
    parts = [language.helpers[name].strip("\n").split("\n") for name in tree.helpers]
    for own in tree.classes:
        ending = _ties(tree, writer, array) if own is tree.network else []
        parts.append(writer.text(own, described(own, tree), ending))
    return parts


def _ties(tree: Tree, writer: Writer, array: Callable[[str], str]) -> Lines:
    """Arrays of layers that are those of others, which are no one module with them."""
    lines = []
    for node, owner in tree.ties:
        mine, theirs = (writer.at(tuple(path.split("."))) for path in (node.path, owner))
        for weight in node.arrays:
            name = array(weight.name)
            lines += fitted(f"{mine}.{name} = {theirs}.{name}", 8)
    return lines


def text_of(language: Language, subject: Subject, file: Path, definitions: Sequence[Lines], load: Lines) -> str:
    """The text of a file; `load` is the function that gives the network with its weights."""
    constants, scaled = preprocessing(subject, language.scaling, language.shape(", "))
    docs = heading.docstring(subject, language.axes, file.with_suffix(".safetensors").name)
    known = [*constants, 'WEIGHTS = Path(__file__).with_suffix(".safetensors")']
    return assembled(language, docs, known, [*definitions, *scaled, load])


def assembled(language: Language, docs: Lines, known: Lines, parts: Sequence[Lines]) -> str:
    """The text of a file with all that it imports."""
    body = "\n".join(line for part in parts for line in ["", "", *part])
    return "\n".join([*docs, "", *language.imports(body), "", *known, body]) + "\n"


def written(
    subject: Subject, file: Path, text: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, str], notes: Lines
) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    weights = file.with_suffix(".safetensors")
    notes = [*heading.left_out(subject), *notes]
    write_tensors(weights, arrays, {**about, "network": subject.graph.name})
    write(file, text)
    return Written((file, weights), tuple(notes), {"lines": text.count("\n"), "tensors": len(arrays)})

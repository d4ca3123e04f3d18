"""A network as a plain module of flax.nnx, with its weights beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from archspec import lower
from archspec.exporting.source import heading
from archspec.exporting.source.classes import Form, Tree, classes_of
from archspec.exporting.source.flax_helpers import HELPERS
from archspec.exporting.source.flax_places import FORMS
from archspec.exporting.source.forms import Context
from archspec.exporting.source.layout import fitted
from archspec.exporting.source.modules import Dialect, Writer, described
from archspec.exporting.source.naming import attribute
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph, Node
from archspec.types import TensorType
from archspec.weights.files import write_tensors
from archspec.writing import write as write_file

_RESERVED = frozenset({"Path", "jax", "jnp", "lax", "load", "load_file", "math", "nnx", "np", "preprocess"})


class _Taken:
    """What a module of Flax's has already, so that no layer may be called so: as the compiled network has it."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and lower.attribute(name) != name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


TAKEN = _Taken()

DIALECT = Dialect(
    base="nnx.Module",
    call="__call__",
    array="jax.Array",
    super_init=False,
    extra="rngs: nnx.Rngs",
    passed="rngs=rngs",
    taken=TAKEN,
    list_of="nnx.List({list})",
    chain_of="",
    set_item="setattr({holder}, {name}, {value})",
    get_item="getattr({holder}, {name})",
    empty="nnx.Module()",
    nothing="nnx.Sequential()",
    shape=lambda kind: "×".join(map(str, kind.shape)),
    reserved=_RESERVED,
)
supports = FORMS.supports


def write(subject: Subject, file: Path) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    text, _ = source(subject, file)
    arrays = weights_of(subject.graph, subject.arrays)
    weights = file.with_suffix(".safetensors")
    notes = heading.left_out(subject)
    write_tensors(weights, arrays, {"network": subject.graph.name})
    write_file(file, text)
    return Written((file, weights), tuple(notes), {"lines": text.count("\n"), "tensors": len(arrays)})


def tree_of(graph: Graph) -> Tree:
    """The classes of a network."""
    context = Context(graph)

    def describe(node: Node) -> Form:
        function = FORMS.find(node.layer)
        assert function is not None, f"{node.kind} is checked before"
        made: Form = function(node.layer, node, context)
        return made

    return classes_of(graph, describe, _RESERVED | set(HELPERS))


def source(subject: Subject, file: Path) -> tuple[str, Tree]:
    """The text of the module, and the classes in it."""
    graph = subject.graph
    tree = tree_of(graph)
    constants, scaled = _preprocessing(subject)
    weights = file.with_suffix(".safetensors").name
    shapes = {item.name: f"(batch, {_axes(item.type)})" for item in graph.inputs}
    shapes |= {output.name: f"(batch, {_axes(graph.output_type(output))})" for output in graph.outputs}
    docs = heading.docstring(subject, shapes, weights, "")
    known = [*constants, 'WEIGHTS = Path(__file__).with_suffix(".safetensors")']
    return assembled(docs, known, [*definitions(tree), *scaled, _load(tree.network.name)]), tree


def definitions(tree: Tree) -> list[list[str]]:
    """The lines of each helper and class."""
    writer = Writer(tree, DIALECT)
    parts = [HELPERS[name].strip("\n").split("\n") for name in tree.helpers]
    for own in tree.classes:
        ending = _ties(tree, writer) if own is tree.network else []
        parts.append(writer.text(own, described(own, tree), ending))
    return parts


def assembled(docs: list[str], known: list[str], parts: list[list[str]]) -> str:
    """The text of a file with all that it imports."""
    body = "\n".join(line for part in parts for line in ["", "", *part])
    imports = ["import math"] if re.search(r"\bmath\.", body) else []
    imports += ["from pathlib import Path", "", "import jax"]
    imports += ["import jax.numpy as jnp"] if re.search(r"\bjnp\.", body) else []
    imports += ["import numpy as np"] if re.search(r"\bnp\.", body) else []
    imports += ["from flax import nnx"]
    imports += ["from jax import lax"] if re.search(r"\blax\.", body) else []
    imports += ["from safetensors.numpy import load_file"]
    return "\n".join([*docs, "", *imports, "", *known, body]) + "\n"


def _axes(kind: TensorType) -> str:
    return ", ".join(map(str, kind.shape))


def _ties(tree: Tree, writer: Writer) -> list[str]:
    """Arrays of layers that are those of others, which are no one module with them."""
    lines = []
    for node, owner in tree.ties:
        for weight in node.arrays:
            mine, theirs = (writer.at(tuple(path.split("."))) for path in (node.path, owner))
            lines += fitted(f"{mine}.{weight.name} = {theirs}.{weight.name}", 8)
    return lines


def _preprocessing(subject: Subject) -> tuple[list[str], list[list[str]]]:
    """Constants, and the function that makes of pixels what the network takes, where it takes one thing."""
    if len(subject.graph.inputs) != 1:
        return [], []
    image = next(iter(subject.spec.inputs.values()))
    text, constants = heading.scaling(image)
    if not text:
        return [], []
    lines = [line for name, values in constants for line in fitted(f"{name} = {values!r}")]
    for name, _ in constants:
        text = text.replace(name, f"jnp.array({name})")
    doc = f"Numbers as the network takes them, of (batch, {_axes(image.type)})"
    if image.type.is_map:
        colours = f", {heading.order_of(image)} in the end" if heading.is_reversed(image) else ""
        doc = f"Pixels from 0 to 255, (batch, {_axes(image.type)}), as the network takes them{colours}"
    body = ["    x = x[..., ::-1]"] if heading.is_reversed(image) else []
    head = "def preprocess(x: jax.Array) -> jax.Array:"
    return lines, [[head, f'    """{doc}."""', *body, *fitted(f"return {text}", 4)]]


def _load(name: str) -> list[str]:
    return f'''def load(path: str | Path = WEIGHTS) -> {name}:
    """The network with the weights of a file, for evaluation."""
    network = {name}(rngs=nnx.Rngs(0))
    arrays = load_file(path)
    state = nnx.to_flat_state(nnx.state(network, (nnx.Param, nnx.BatchStat)))
    names = {{".".join(map(str, place)) for place, _ in state}}
    if names != arrays.keys():
        raise ValueError(f"not the network's weights: {{sorted(names ^ arrays.keys())}}")
    for place, variable in state:
        variable[...] = arrays[".".join(map(str, place))]
    network.eval()
    return network'''.split("\n")


def weights_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by the paths of the module's variables."""
    found = {}
    for node in graph.nodes:
        for weight in node.weights:
            path = ".".join(attribute(name, TAKEN) for name in node.path.split("."))
            found[f"{path}.{weight.name}"] = np.asarray(arrays[f"{node.owner}.{weight.name}"])
    return found

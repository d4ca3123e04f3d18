"""A network as a plain module of flax.nnx, with its weights beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from archspec import lower
from archspec.exporting.source import files
from archspec.exporting.source.classes import Tree
from archspec.exporting.source.flax_helpers import HELPERS
from archspec.exporting.source.flax_places import FORMS
from archspec.exporting.source.forms import Context
from archspec.exporting.source.modules import Dialect
from archspec.exporting.source.naming import attribute
from archspec.exporting.source.pixels import Scaling
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph

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


def _imports(body: str) -> list[str]:
    """The lines that import what a text uses."""
    lines = ["import math"] if re.search(r"\bmath\.", body) else []
    lines += ["from pathlib import Path", "", "import jax"]
    lines += ["import jax.numpy as jnp"] if re.search(r"\bjnp\.", body) else []
    lines += ["import numpy as np"] if re.search(r"\bnp\.", body) else []
    lines += ["from flax import nnx"]
    lines += ["from jax import lax"] if re.search(r"\blax\.", body) else []
    return [*lines, "from safetensors.numpy import load_file"]


LANGUAGE = files.Language(
    forms=FORMS,
    helpers=HELPERS,
    reserved=_RESERVED,
    axes=lambda kind: kind.shape,
    imports=_imports,
    scaling=Scaling(
        array="jax.Array",
        constant=lambda name, kind: f"jnp.array({name})",
        begin=lambda bgr: ["x = x[..., ::-1]"] if bgr else [],
    ),
)

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
    shape=LANGUAGE.shape("×"),
    reserved=_RESERVED,
)
supports = FORMS.supports


def write(subject: Subject, file: Path) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    text, _ = source(subject, file)
    return files.written(subject, file, text, weights_of(subject.graph, subject.arrays), {}, [])


def tree_of(graph: Graph) -> Tree:
    """The classes of a network."""
    return files.tree_of(LANGUAGE, Context(graph))


def source(subject: Subject, file: Path) -> tuple[str, Tree]:
    """The text of the module, and the classes in it."""
    tree = tree_of(subject.graph)
    return files.text_of(LANGUAGE, subject, file, definitions(tree), _load(tree.network.name)), tree


def definitions(tree: Tree) -> list[list[str]]:
    """The lines of each helper and class."""
    return files.definitions(tree, LANGUAGE, DIALECT)


def assembled(docs: list[str], known: list[str], parts: list[list[str]]) -> str:
    """The text of a file with all that it imports."""
    return files.assembled(LANGUAGE, docs, known, parts)


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

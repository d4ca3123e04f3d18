"""A network as a plain PyTorch module, with its weights beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.exporting.source import heading
from archspec.exporting.source.classes import Form, Tree, classes_of
from archspec.exporting.source.forms import Context
from archspec.exporting.source.layout import fitted
from archspec.exporting.source.modules import Dialect, Writer, described
from archspec.exporting.source.naming import attribute
from archspec.exporting.source.torch_helpers import HELPERS
from archspec.exporting.source.torch_places import FORMS
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph, Node
from archspec.types import TensorType
from archspec.weights.files import write_tensors
from archspec.weights.layout import LayoutError, Order, is_plain, order_of, orders, orders_after, to_torch
from archspec.weights.naming import TORCH_WORDS
from archspec.writing import write as write_file

_NAMES = """
add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval extra_repr
float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict T_destination to to_empty train training type xpu zero_grad
"""
TAKEN = frozenset(_NAMES.split())
"""What a module of PyTorch's has already, so that no layer may be called so."""
_RESERVED = frozenset({"F", "Path", "Tensor", "itertools", "load", "load_file", "math", "nn", "preprocess", "torch"})


def shape_text(kind: TensorType) -> str:
    """Axes of one sample as PyTorch has them."""
    return "×".join(map(str, (kind.channels, *kind.spatial)))


DIALECT = Dialect(
    base="nn.Module",
    call="forward",
    array="Tensor",
    super_init=True,
    extra="",
    passed="",
    taken=TAKEN,
    list_of="nn.ModuleList({list})",
    chain_of="nn.Sequential({0})",
    set_item="{holder}.add_module({name}, {value})",
    get_item="{holder}.get_submodule({name})",
    empty="nn.Module()",
    nothing="nn.Identity()",
    shape=shape_text,
    reserved=_RESERVED,
)

supports = FORMS.supports


def write(subject: Subject, file: Path) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    first = channels_first(subject.graph)
    text, tree = source(subject, file, first=first)
    arrays = state_dict(subject.graph, tree, subject.arrays, first=first)
    weights = file.with_suffix(".safetensors")
    notes = heading.left_out(subject)
    if not first:
        notes.append("flattened maps have their channels last, as here: a layer looks at the order of their features")
    write_tensors(weights, arrays, {"format": "pt", "network": subject.graph.name})
    write_file(file, text)
    return Written((file, weights), tuple(notes), {"lines": text.count("\n"), "tensors": len(arrays)})


def tree_of(graph: Graph, *, first: bool) -> Tree:
    """The classes of a network; `first` says that flattened maps have their channels first."""
    context = Context(graph, channels_first=first)

    def describe(node: Node) -> Form:
        function = FORMS.find(node.layer)
        assert function is not None, f"{node.kind} is checked before"
        made: Form = function(node.layer, node, context)
        return made

    return classes_of(graph, describe, _RESERVED | set(HELPERS))


def source(subject: Subject, file: Path, *, first: bool) -> tuple[str, Tree]:
    """The text of the module, and the classes in it."""
    graph = subject.graph
    tree = tree_of(graph, first=first)
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
    return "\n".join([*docs, "", *_imports(body), "", *known, body]) + "\n"


def _axes(kind: TensorType) -> str:
    return ", ".join(map(str, (kind.channels, *kind.spatial)))


def _imports(body: str) -> list[str]:
    own = [f"import {name}" for name in ("itertools", "math") if re.search(rf"\b{name}\.", body)]
    functional = ["import torch.nn.functional as F"] if re.search(r"\bF\.", body) else []
    torch = ["import torch"] if re.search(r"\btorch\.", body) else []
    return [
        *own,
        "from pathlib import Path",
        "",
        *torch,
        *functional,
        "from safetensors.torch import load_file",
        "from torch import Tensor, nn",
    ]


def _ties(tree: Tree, writer: Writer) -> list[str]:
    """Arrays of layers that are those of others, which are no one module with them."""
    lines = []
    for node, owner in tree.ties:
        for weight in node.arrays:
            name = _array(weight.name)
            mine, theirs = (writer.at(tuple(path.split("."))) for path in (node.path, owner))
            lines += fitted(f"{mine}.{name} = {theirs}.{name}", 8)
    return lines


def _preprocessing(subject: Subject) -> tuple[list[str], list[list[str]]]:
    """Constants, and the function that makes of pixels what the network takes, where it takes one thing."""
    if len(subject.graph.inputs) != 1:
        return [], []
    image = next(iter(subject.spec.inputs.values()))
    text, constants = heading.scaling(image)
    if not text:
        return [], []
    axes = ", 1" * len(image.type.spatial)
    lines = [line for name, values in constants for line in fitted(f"{name} = {values!r}")]
    for name, _ in constants:
        text = text.replace(name, f"x.new_tensor({name}).view(-1{axes})")
    shape = _axes(image.type)
    doc = f"Numbers as the network takes them, of (batch, {shape})"
    if image.type.is_map:
        colours = f", {heading.order_of(image)} in the end" if heading.is_reversed(image) else ""
        doc = f"Pixels from 0 to 255, (batch, {shape}), as the network takes them{colours}"
    body = ["    x = x.flip(1)"] if heading.is_reversed(image) else []
    return lines, [["def preprocess(x: Tensor) -> Tensor:", f'    """{doc}."""', *body, *fitted(f"return {text}", 4)]]


def _load(name: str) -> list[str]:
    return [
        f"def load(path: str | Path = WEIGHTS) -> {name}:",
        '    """The network with the weights of a file, for evaluation."""',
        f"    network = {name}()",
        "    network.load_state_dict(load_file(path))",
        "    return network.eval()",
    ]


def _array(name: str) -> str:
    """PyTorch's word for an array of a layer."""
    part, dot, own = name.rpartition(".")
    return f"{part}{dot}{TORCH_WORDS.get(own, own)}"


def state_dict(graph: Graph, tree: Tree, arrays: Mapping[str, np.ndarray], *, first: bool) -> dict[str, np.ndarray]:
    """The arrays as the module's state dict has them. Arrays that are tied stand under each of their names."""
    known = orders(graph) if first else {}
    tied = {node.path for node, _ in tree.ties}
    found = {}
    for node in graph.nodes:
        if not node.counted and node.path not in tied:
            continue
        plain: Order = ((1, 1, node.input_types[0].channels),)
        order = order_of(node, known) if first else plain
        path = ".".join(attribute(name, TAKEN) for name in node.path.split("."))
        for weight in node.arrays:
            array = to_torch(arrays[f"{node.owner}.{weight.name}"], weight, order)
            found[f"{path}.{_array(weight.name)}"] = array
    return found


_ORDERLY = frozenset(
    {
        "dense",
        "concat",
        "batch_norm",
        "layer_norm",
        "layer_scale",
        "prelu",
        "l2_normalise",
        "dropout",
        "stochastic_depth",
    }
    | {"identity", "scale", "flatten"}
)
"""Kinds beside activations and joins that may take flattened maps in PyTorch's order: their arrays are turned alike."""


def channels_first(graph: Graph) -> bool:
    """Whether flattened maps may have their channels first, as PyTorch flattens: the usual way.

    They may not where a layer looks at the order of their features, or the network gives them.
    """
    known = orders(graph)
    made = orders_after(graph)
    for node in graph.nodes:
        kinds = zip(node.inputs, node.input_types, strict=True)
        taken = {made[source] for source, kind in kinds if kind.is_vector}
        if all(map(is_plain, taken)):
            continue
        if node.kind not in _ORDERLY and node.layer.family not in ("activation", "join"):
            return False
        if len(taken) > 1 and node.kind != "concat":
            return False
        try:
            for weight in node.arrays:
                to_torch(np.empty(weight.shape, np.float32), weight, order_of(node, known))
        except LayoutError:
            return False
    return all(is_plain(made[output.node]) for output in graph.outputs if graph.output_type(output).is_vector)

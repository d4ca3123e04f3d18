"""A network as a plain PyTorch module, with its weights beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.exporting.source import files
from archspec.exporting.source.classes import Tree
from archspec.exporting.source.forms import Context
from archspec.exporting.source.modules import Dialect
from archspec.exporting.source.naming import attribute
from archspec.exporting.source.pixels import Scaling
from archspec.exporting.source.torch_helpers import HELPERS
from archspec.exporting.source.torch_places import FORMS
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph
from archspec.types import TensorType
from archspec.weights.layout import LayoutError, Order, is_plain, order_of, orders, orders_after, to_torch
from archspec.weights.naming import TORCH_WORDS

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


def _imports(body: str) -> list[str]:
    """The lines that import what a text uses."""
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


def _constant(name: str, kind: TensorType) -> str:
    """A number for each channel, of whatever type the pixels are."""
    return f"x.new_tensor({name}).view(-1{', 1' * len(kind.spatial)})"


LANGUAGE = files.Language(
    forms=FORMS,
    helpers=HELPERS,
    reserved=_RESERVED,
    axes=lambda kind: (kind.channels, *kind.spatial),
    imports=_imports,
    scaling=Scaling(array="Tensor", constant=_constant, begin=lambda bgr: ["x = x.flip(1)"] if bgr else []),
)

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
    shape=LANGUAGE.shape("×"),
    reserved=_RESERVED,
)

supports = FORMS.supports


def write(subject: Subject, file: Path) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    first = channels_first(subject.graph)
    text, tree = source(subject, file, first=first)
    arrays = state_dict(subject.graph, tree, subject.arrays, first=first)
    last = "flattened maps have their channels last, as here: a layer looks at the order of their features"
    return files.written(subject, file, text, arrays, {"format": "pt"}, [] if first else [last])


def tree_of(graph: Graph, *, first: bool) -> Tree:
    """The classes of a network; `first` says that flattened maps have their channels first."""
    return files.tree_of(LANGUAGE, Context(graph, channels_first=first))


def source(subject: Subject, file: Path, *, first: bool) -> tuple[str, Tree]:
    """The text of the module, and the classes in it."""
    tree = tree_of(subject.graph, first=first)
    return files.text_of(LANGUAGE, subject, file, definitions(tree), _load(tree.network.name)), tree


def definitions(tree: Tree) -> list[list[str]]:
    """The lines of each helper and class."""
    return files.definitions(tree, LANGUAGE, DIALECT, _array)


def assembled(docs: list[str], known: list[str], parts: list[list[str]]) -> str:
    """The text of a file with all that it imports."""
    return files.assembled(LANGUAGE, docs, known, parts)


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

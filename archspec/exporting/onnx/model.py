"""The model as a whole: inputs, layers one by one, outputs, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper

from archspec.diagnostics import DataError, count
from archspec.exporting.onnx.about import about
from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.orders import orders_of
from archspec.exporting.onnx.preprocessing import beside, preprocessed
from archspec.exporting.onnx.scribe import BATCH, INPUTS, At, Scribe, indices_of, scoped, sizes_of
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph, Node, is_input
from archspec.types import TensorType
from archspec.writing import write as write_file

for _name in ("activations", "attention", "convolutions", "joins", "normalisation", "places", "pooling"):
    import_module(f"archspec.exporting.onnx.{_name}")

OPSET = 17
"""Of March 2022: with layer normalisation, and read by onnxruntime from 1.12 on and by what came out since."""
IR_VERSION = 8
"""The format's version that goes with this opset. Runtimes refuse files of a later one than they know."""
MOST_BYTES = 2**31 - 2**20
"""What one message of protobuf may hold, with room for the nodes."""


def supports(node: Node) -> str | None:
    """Why ONNX cannot have a node; None where it can."""
    return emits.supports(node)


def write(subject: Subject, file: Path, *, with_preprocessing: bool = False) -> Written:
    """Writes an ONNX file. Raises `DataError` where it would be too large or cannot be written."""
    notes: list[str] = []
    model = model_of(subject, with_preprocessing=with_preprocessing, notes=notes)
    write_file(file, model.SerializeToString())
    nodes = len(model.graph.node)
    layers = len(subject.graph.nodes)
    notes.append(
        f"opset {OPSET}, IR version {IR_VERSION}; {count(layers, 'layer')} as {count(nodes, 'node')}, channels first"
    )
    facts = {"opset": OPSET, "ir_version": IR_VERSION, "layers": layers, "nodes": nodes}
    return Written((file,), tuple(notes), facts)


def model_of(subject: Subject, *, with_preprocessing: bool = False, notes: list[str]) -> ModelProto:
    """The model of a network; what is to know of it is added to `notes`. Raises `DataError` (E551)."""
    graph = subject.graph
    size = sum(array.nbytes for array in subject.arrays.values())
    _check_size(graph.name, size)
    model = about(subject, OPSET, IR_VERSION, with_preprocessing=with_preprocessing)
    scribe = Scribe(subject.arrays, orders_of(graph), model.graph)
    names = {-1 - place: item.name for place, item in enumerate(graph.inputs)}
    inputs = [_info(item.name, item.type) for item in graph.inputs]
    if with_preprocessing:
        inputs = preprocessed(subject, scribe, names, notes)
    else:
        beside(subject, notes)
    written(graph, scribe, names, inputs)
    _check_size(graph.name, scribe.size)
    return model


def _check_size(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise DataError("E551", f"{name} has {size / 2**30:.1f} GiB of arrays, and an ONNX file has 2 GiB at most")


def written(graph: Graph, scribe: Scribe, names: dict[int, str], inputs: list[ValueInfoProto]) -> GraphProto:
    """The graph with its nodes: `names` has what inputs are called, and `scribe` what comes before the first layer."""
    names |= _values(graph)
    outputs = {output.node for output in graph.outputs}
    wanted = _with_indices(graph)
    known = []
    for index, node in enumerate(graph.nodes):
        at = At(scribe, node, _taken(graph, node, names), names[index], index in wanted, index in scribe.orders.turned)
        _emit(node, at)
        at.say(INPUTS, [graph.source_name(source) for source in node.inputs])
        if index not in outputs:
            known.append(_info(names[index], node.output))
    for output in graph.outputs:
        if names[output.node] != output.name:
            own = helper.make_node("Identity", [names[output.node]], [output.name], name=f"output/{output.name}")
            scribe.graph.node.append(own)
    whole = scribe.graph
    whole.name, whole.doc_string = graph.name, graph.title
    whole.input.extend(inputs)
    whole.output.extend(_info(output.name, graph.output_type(output)) for output in graph.outputs)
    whole.value_info.extend(known)
    return whole


def _emit(node: Node, at: At) -> None:
    """Writes the nodes of a layer."""
    function: Callable[..., Any] | None = emits.find(node.layer)
    assert function is not None, node.kind
    value = function(node.layer, at)
    assert value == at.value, f"{node.path} wrote {value} last"


def _info(name: str, kind: TensorType) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, (BATCH, *sizes_of(kind)))


def _taken(graph: Graph, node: Node, names: dict[int, str]) -> list[str]:
    """The names of what a layer takes: values, and places of maxima; of a shape nothing is taken."""
    taken = []
    for source, port in zip(node.inputs, node.ports, strict=True):
        if port == "indices":
            taken.append(indices_of(graph.nodes[source].path))
        elif port == "value":
            taken.append(names[source])
    return taken


def _with_indices(graph: Graph) -> set[int]:
    """The nodes whose places of maxima a later one takes."""
    return {
        source
        for node in graph.nodes
        for source, port in zip(node.inputs, node.ports, strict=True)
        if port == "indices"
    }


def _values(graph: Graph) -> dict[int, str]:
    """What each node's value is called: as the layer, or as the first output that it is."""
    called: dict[int, str] = {}
    for output in graph.outputs:
        if not is_input(output.node):
            called.setdefault(output.node, output.name)
    taken = {*(item.name for item in graph.inputs), *(output.name for output in graph.outputs)}
    for index, node in enumerate(graph.nodes):
        own = scoped(node.path)
        called.setdefault(index, f"{own}/value" if own in taken else own)
    return called

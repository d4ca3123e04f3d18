"""ONNX files, mapped into memory and read as data: nothing of them runs, and ONNX's own library is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.diagnostics import DataError, count, listed
from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import Message
from archspec.importing.onnx.activations import ACTIVATIONS
from archspec.importing.onnx.context import OPEN_BATCH, Context, Handler, Known
from archspec.importing.onnx.elementwise import ELEMENTWISE
from archspec.importing.onnx.folding import folded
from archspec.importing.onnx.model import Declared, Graph, Model, Node, model_of
from archspec.importing.onnx.normalisations import NORMALISATIONS
from archspec.importing.onnx.own import NETWORK, VERSION, Own, about_of, image_of
from archspec.importing.onnx.resizing import RESIZING
from archspec.importing.onnx.shapes import SHAPES
from archspec.importing.onnx.tensors import Beside
from archspec.importing.onnx.windows import WINDOWS
from archspec.importing.operations import UNFIT, NotHere, Program, Value, with_shape
from archspec.importing.reading import times, told
from archspec.importing.recognising import recognised
from archspec.importing.scopes import named

OLDEST, NEWEST = 7, 24
"""Versions of ONNX's operators whose meaning is known."""

_HANDLERS: Mapping[str, tuple[Handler, set[str]]] = {
    **WINDOWS,
    **SHAPES,
    **ELEMENTWISE,
    **ACTIVATIONS,
    **NORMALISATIONS,
    **RESIZING,
}
_WHY = {
    **dict.fromkeys(("Loop", "If", "Scan"), "it has a graph of its own, which is run or not as values say"),
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        "it is recurrent: layers here are functions of one sample, with no state from step to step",
    ),
    **dict.fromkeys(
        (
            *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"),
            *("ConvInteger", "MatMulInteger"),
        ),
        "it is of a quantised network, whose whole numbers stand for others: import the file that it was made from",
    ),
}


def read(path: Path, size: tuple[int, ...] | None = None) -> Program:
    """The operations of an ONNX file; `size` is height, width and channels of images where the file leaves them open.

    Raises `DataError`.
    """
    with told(path):
        with mapped(path) as content:
            model = model_of(Message(content), Beside(path.parent))
        return _program(model, path, size)


def _program(model: Model, path: Path, size: tuple[int, ...] | None) -> Program:
    context = Context(model, _batch(model))
    for name in model.sparse:
        raise DamagedError(f"has the sparse tensor {name[:120]!r}, which is not read: save it in full")
    for name, tensor in model.initialisers.items():
        context.hold(name, tensor)
    inputs = []
    for declared in model.inputs:
        shape = _shape(model, declared, path, size, context)
        context.known[declared.name] = Known(declared.name, shape)
        inputs.append(Value(declared.name, shape[1:], image_of(model, declared.name)))
    if not inputs:
        raise DataError("E565", f"{path} has no input: it is a constant")
    context.known[""] = Known("", None)
    prepared = 0
    own = Own(model)
    own.context = context
    for node in model.nodes:
        if own.is_before(node):
            context.alias(node)
            prepared += 1
            continue
        _take(context, node)
        own.taken(node)
    outputs = [_output(context, item, path) for item in model.outputs]
    shapes = {known.name: known.shape for known in context.known.values()}
    operations = recognised(context.operations, context.constants, outputs, shapes)
    operations = [with_shape(item, shapes) for item in named(operations, context.arrays, own.made)]
    own_name = model.about.get(NETWORK, "") if VERSION in model.about else model.name
    return Program(
        name=path.stem if own_name.lower() in _NAMELESS else own_name,
        order="channels_first",
        inputs=tuple(inputs),
        operations=tuple(operations),
        outputs=tuple(outputs),
        constants=context.constants,
        notes=(*_notes(model, own.left, prepared), *times(context.notes)),
        about=about_of(model),
    )


_NAMELESS = {"", "main_graph", "torch_jit", "torch-jit-export", "graph", "main", "tf2onnx", "onnx_graph", "model"}
"""What exporters call graphs of which they know no name."""


def _notes(model: Model, left: Sequence[str], prepared: int) -> list[str]:
    notes = []
    if prepared:
        notes.append(
            f"{count(prepared, 'node')} that bring pixels into the form that the network takes are fields of its input"
        )
    if left:
        notes.append(
            f"{count(len(left), 'layer')} are something else than the file says of them, and read as nodes of "
            f"any other file: {listed(list(left), 4)}"
        )
    if not OLDEST <= model.opset <= NEWEST:
        age = "older" if model.opset < OLDEST else "newer"
        notes.append(
            f"the operators are of version {model.opset}, {age} than those that are known here ({OLDEST} to {NEWEST}): "
            "what they mean may have been another thing"
        )
    return notes


def _batch(model: Model) -> int:
    """The batch's size: that of the inputs where the file says one, or what stands for an open one."""
    sizes = {declared.dims[0] for declared in model.inputs if declared.dims}
    known = {size for size in sizes if isinstance(size, int)}
    return known.pop() if len(known) == 1 and len(sizes) == 1 else OPEN_BATCH


def _shape(
    model: Model, declared: Declared, path: Path, size: tuple[int, ...] | None, context: Context
) -> tuple[int, ...]:
    """An input's shape with the batch's axis. Raises `DataError` where it is none that a network here takes."""
    name = declared.name[:60]
    if declared.type is None:
        raise DataError("E565", f"{path}: its input `{name}` is {declared.other}, which no network here takes")
    if declared.dims is None or len(declared.dims) < 2:
        said = "of no shape" if declared.dims is None else f"of the shape {list(declared.dims)}"
        raise DataError(
            "E565",
            f"{path}: its input `{name}` is {said}; inputs here are samples behind one another: [N, channels, …]",
        )
    rest = list(declared.dims[1:])
    open_ = [index for index, extent in enumerate(rest) if isinstance(extent, str)]
    # As a user gives them: the axes of places first, then the channels.
    given = dict(zip([*range(1, len(rest)), 0], size or (), strict=False))
    for index in [index for index in open_ if index in given]:
        rest[index] = given[index]
        open_.remove(index)
    if open_:
        said = "×".join("?" if isinstance(extent, str) else str(extent) for extent in rest)
        raise DataError(
            "E565",
            f"{path} does not say how large its input `{name}` is: {said}",
            help=["--input 224x224 says it, or 224x224x3 with channels"],
        )
    return (context.batch, *(int(extent) for extent in rest))


def _output(context: Context, declared: Declared, path: Path) -> str:
    known = context.known.get(declared.name)
    if known is None:
        raise DamagedError(f"is damaged: nothing makes its output {declared.name[:120]!r}")
    if known.tensor is not None:
        raise DataError("E565", f"{path}: its output `{declared.name[:60]}` is a constant")
    return known.name


def _take(context: Context, node: Node) -> None:
    """One operator: computed where all that it takes is known, or what it is here, or marked as not known."""
    handler, attributes = _HANDLERS.get(node.op, (None, set()))
    before = len(context.operations)
    try:
        if not node.outputs or not node.outputs[0]:
            raise DamagedError(f"is damaged: {node.place} gives nothing")
        if any(isinstance(value, Graph) for value in node.attributes.values()):
            raise NotHere(_WHY.get(node.op, "it has a graph of its own"))
        if folded(context, node):
            return
        if node.domain or handler is None:
            raise NotHere(_WHY.get(node.op, _unknown(node)))
        odd = [name for name in node.attributes if name not in attributes]
        if odd:
            raise NotHere(f"its attribute {odd[0]} is not known here")
        handler(context, node)
    except (NotHere, *UNFIT) as error:
        del context.operations[before:]
        known = isinstance(error, NotHere)
        why = str(error) if known else f"its fields or inputs are not as they should be ({str(error)[:120]})"
        context.unknown(node, why, error.shape if isinstance(error, NotHere) else None)
    for output in node.outputs:
        context.known.setdefault(output, Known(output, None))


def _unknown(node: Node) -> str:
    return f"it is an operator of {node.domain}'s own" if node.domain else ""

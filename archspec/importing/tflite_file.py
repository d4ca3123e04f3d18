"""TFLite files, mapped into memory and read as data: nothing of them runs, and no package of TensorFlow's is needed."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import DataError, count
from archspec.formats.flatbuffers import Table
from archspec.formats.mapping import mapped
from archspec.importing.operations import UNFIT, NotHere, Operation, Program, Value, with_shape
from archspec.importing.reading import times, told
from archspec.importing.recognising import recognised
from archspec.importing.scopes import named
from archspec.importing.tflite.context import Context
from archspec.importing.tflite.model import Model, Node, model_of
from archspec.importing.tflite.operators import HANDLERS

QUANTISED = "is of a quantised network, whose whole numbers stand for others: import its float file"
_WHY = {"IF": "runs one graph or another, as values say", "WHILE": "runs a graph as often as values say"}


def read(path: Path) -> Program:
    """The operations of a TFLite file. Raises `DataError`."""
    with told(path), mapped(path) as content:
        return _program(model_of(content), path)


def _program(model: Model, path: Path) -> Program:
    context = Context(model)
    inputs = []
    for number in model.inputs:
        held = model.tensors[number]
        if len(held.shape) < 2:
            raise DataError(
                "E565",
                f"{path}: its input `{held.name[:60]}` has the shape {list(held.shape)}",
                notes=["inputs here are samples behind one another: [N, height, width, channels], [N, features], …"],
            )
        if any(size < 0 for size in held.shape[1:]):
            raise DataError(
                "E565",
                f"{path} leaves the size of its input `{held.name[:60]}` open",
                help=["write the file with a fixed size: the sizes of all that follows are in it"],
            )
        inputs.append(Value(context.names[number], held.shape[1:]))
    for node in model.nodes:
        _take(context, node)
    outputs = [context.taken(number) for number in model.outputs]
    operations = recognised(context.operations, context.constants, outputs, context.shapes, "channels_last")
    operations = [with_shape(item, context.shapes) for item in named(operations, {})]
    notes = times(context.notes)
    if model.graphs > 1:
        notes.append(f"{count(model.graphs - 1, 'graph')} beside the main one are left out")
    return Program(
        name=path.stem if model.name.lower() in ("", "main") else model.name,
        order="channels_last",
        inputs=tuple(inputs),
        operations=tuple(operations),
        outputs=tuple(outputs),
        constants=context.constants,
        notes=tuple(notes),
        about={"producer": model.description} if model.description else {},
    )


def _take(context: Context, node: Node) -> None:
    """One operator: what it is here, or marked as not known."""
    before = len(context.operations)
    try:
        handler = HANDLERS.get(node.said)
        if not node.outputs:
            raise NotHere("it gives nothing")
        values = [context.model.tensors[number] for number in (*node.inputs, *node.outputs) if number >= 0]
        # Axes and sizes are whole numbers too, but constants, and not quantised.
        if any(held.quantised and held.kind.startswith(("int", "uint")) for held in values):
            raise NotHere(f"it {QUANTISED}")
        whole = any(held.kind != "float32" for held in values if held.tensor is None)
        if handler is None or (whole and node.said != "DEQUANTIZE"):
            raise NotHere(f"it {_WHY[node.said]}" if node.said in _WHY else "")
        if not node.inputs or context.model.tensors[node.outputs[0]].tensor is not None:
            raise NotHere("it takes nothing")
        handler(context, node, node.options or Table.empty())
    except (NotHere, *UNFIT) as error:
        del context.operations[before:]
        why = str(error)
        if not isinstance(error, NotHere):
            why = f"its fields or inputs are not as they should be ({why[:120]})"
        why = why.removeprefix("it ") if not why or why.startswith("it ") else f"has no layer like it: {why}"
        taken = [context.taken(number) for number in node.inputs if number >= 0 and number not in context.held]
        names = tuple(context.names[number] for number in node.outputs if number >= 0)
        context.operations.append(Operation(None, tuple(taken), names, said=node.said, place=node.place, why=why))

"""Programs that `torch.export.save` wrote (`.pt2`), read as data: PyTorch is not needed, and nothing of them runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, count
from archspec.formats.mapping import DamagedError
from archspec.importing.operations import UNFIT, NotHere, Operation, Program, Value, with_shape
from archspec.importing.reading import times, told
from archspec.importing.recognising import recognised
from archspec.importing.scopes import named
from archspec.importing.torch.archive import Archive, is_open, opened, sizes
from archspec.importing.torch.context import Context, Name, Node
from archspec.importing.torch.operators import HANDLERS

MAX_NODES = 100_000


def read(path: Path) -> Program:
    """The operations of a program. Raises `DataError`."""
    try:
        with told(path):
            return _program(opened(path), path)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise DataError(
            "E563", f"{path} is damaged, or of another version: its graph has no {str(error)[:80]}"
        ) from None


def _program(archive: Archive, path: Path) -> Program:
    graph = archive.graph
    values = graph["tensor_values"]
    shapes = {str(name): sizes(about["sizes"]) for name, about in values.items()}
    arrays, given = _inputs(archive)
    held = {name: archive.tensors[own] for name, own in arrays.items() if own in archive.tensors}
    context = Context(shapes, held, arrays)
    inputs, notes = [], []
    for name in given:
        shape = shapes[name]
        if len(shape) < 2:
            raise DataError(
                "E565",
                f"{path}: its input `{name[:60]}` has the shape {list(shape)}",
                notes=["inputs here are samples behind one another: [N, channels, height, width], [N, features], …"],
            )
        open_ = [axis for axis in is_open(values[name]["sizes"]) if axis]
        if open_:
            notes.append(
                f"{count(len(open_), 'size')} of the input `{name[:60]}` that the file leaves open "
                "are those of the example that it was made with"
            )
        inputs.append(Value(name, shape[1:]))
    if not inputs:
        raise DataError("E565", f"{path} has no input: it is a constant")
    nodes = graph["nodes"]
    if len(nodes) > MAX_NODES:
        raise DataError("E564", f"{path} has more than {MAX_NODES:,} nodes, which is as many as are read")
    for number, item in enumerate(nodes):
        _take(context, _node(item, number), known={*shapes})
    outputs = [context.taken(name) for name in _outputs(archive)]
    made = {name for operation in context.operations for name in operation.outputs} | set(given)
    for name in outputs:
        if name not in made:
            raise DamagedError(f"is damaged: nothing makes its output {name[:80]!r}")
    operations = recognised(context.operations, context.constants, outputs, context.shapes)
    operations = [with_shape(item, context.shapes) for item in named(operations, context.arrays)]
    notes += times(context.notes)
    return Program(
        name=path.stem,
        order="channels_first",
        inputs=tuple(inputs),
        operations=tuple(operations),
        outputs=tuple(outputs),
        constants=context.constants,
        notes=tuple(notes),
        about={"producer": archive.producer},
    )


def _inputs(archive: Archive) -> tuple[dict[str, str], list[str]]:
    """Names that the model has for its arrays by the graph's names, and the inputs that a caller gives."""
    arrays: dict[str, str] = {}
    given = []
    for spec in archive.signature["input_specs"]:
        ((kind, about),) = spec.items()
        if kind == "user_input":
            argument = about["arg"]
            if "as_tensor" in argument:
                given.append(str(argument["as_tensor"]["name"]))
            continue
        name = next((about[key] for key in about if key.endswith("_name")), None)
        if name is not None and "arg" in about and "name" in about["arg"]:
            arrays[str(about["arg"]["name"])] = str(name)
    return arrays, given


def _outputs(archive: Archive) -> list[str]:
    found = []
    for spec in archive.signature["output_specs"]:
        argument = spec.get("user_output", {}).get("arg", {})
        if "as_tensor" in argument:
            found.append(str(argument["as_tensor"]["name"]))
    return found


def _node(item: Mapping[str, Any], number: int) -> Node:
    given = {str(argument["name"]): _plain(argument["arg"]) for argument in item["inputs"]}
    outputs: list[str] = []
    for output in item["outputs"]:
        if "as_tensor" in output:
            outputs.append(str(output["as_tensor"]["name"]))
        elif "as_tensors" in output:
            outputs += [str(own["name"]) for own in output["as_tensors"]]
    return Node(str(item["target"]), given, outputs, _module(item.get("metadata") or {}), number)


def _plain(argument: Mapping[str, Any]) -> Any:
    """An argument as a plain value; values of the graph as `Name`, and sizes that are computed as None."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return Name(value["name"])
    if kind in ("as_tensors", "as_optional_tensors"):
        return [Name(own["name"]) if "name" in own else _plain(own) for own in value]
    if kind in ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools", "as_scalar_type"):
        return value
    return None


def _module(metadata: Mapping[str, Any]) -> str:
    """The path of the innermost module that made a call: `L__self__,,Net;L__self__bn,bn,BatchNorm2d`."""
    stack = metadata.get("nn_module_stack")
    if not isinstance(stack, str) or len(stack) > 10_000:
        return ""
    paths = [entry.split(",")[1] for entry in stack.split(";") if entry.count(",") >= 2]
    own = re.sub(r"\[[\"']?(\w+)[\"']?\]", r".\1", paths[-1] if paths else "")
    return re.sub(r"^L__self___?|@\d+$", "", own).strip(".")


def _take(context: Context, node: Node, known: set[str]) -> None:
    """One call: what it is here, or marked as not known."""
    word = node.op.split(".")[1] if node.op.startswith("aten.") else ""
    before = len(context.operations)
    if word.startswith("sym_") or not node.outputs:
        # Of sizes alone, which the graph has as numbers.
        return
    missing = [name for name in node.outputs if name not in known]
    if missing:
        raise DamagedError(f"is damaged: it says nothing of {missing[0][:80]!r}, which {node.place} makes")
    try:
        handler = HANDLERS.get(word) or HANDLERS.get(word.removesuffix("_"))
        if handler is None:
            raise NotHere("")
        handler(context, node)
    except (NotHere, *UNFIT) as error:
        del context.operations[before:]
        why = str(error)
        if not isinstance(error, NotHere):
            why = f"its fields or inputs are not as they should be ({why[:120]})"
        why = why.removeprefix("it ") if not why or why.startswith("it ") else f"has no layer like it: {why}"
        values: Sequence[Any] = [
            own for value in node.given.values() for own in (value if isinstance(value, list) else [value])
        ]
        taken = [context.taken(own) for own in values if isinstance(own, Name) and own not in context.held]
        said = f"aten.{word}" if word else node.op[:60]
        context.operations.append(
            Operation(None, tuple(taken), node.outputs, said=said, place=node.place, why=why, name=word)
        )

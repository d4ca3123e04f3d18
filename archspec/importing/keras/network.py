"""A described model as a list of operations: each layer's calls in order, models within it in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, count, listed
from archspec.importing.keras.arrays import Arrays
from archspec.importing.keras.description import Call, Described, LayerOf, ModelOf, Reference
from archspec.importing.keras.pixels import folded
from archspec.importing.operations import Operation, Order, Program, Value
from archspec.importing.reading import counted
from archspec.weights.tensors import Tensor

MAX_DEPTH = 30
"""Models within models."""
MAX_OPERATIONS = 100_000


@dataclass
class Network:
    """What is known while a model is gone through. `ranks` have the numbers of values' axes, the batch's among them."""

    file: Path
    version: int
    order: Order
    arrays: Arrays
    operations: list[Operation] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    said: dict[str, int] = field(default_factory=dict)
    least: dict[str, tuple[str, list[list[int]]]] = field(default_factory=dict)
    """Values that are others with −∞ on their sides, which only `max_pool` can pad with."""
    named: dict[str, str] = field(default_factory=dict)
    """The first operation of each layer that has arrays, by its path: later calls of the layer use them."""
    _numbers: int = 0

    def value(self) -> str:
        self._numbers += 1
        if self._numbers > MAX_OPERATIONS:
            raise DataError("E564", f"{self.file} has more than {count(MAX_OPERATIONS, 'operation')}")
        return f"v{self._numbers}"

    def tell(self, sentence: str) -> None:
        self.said[sentence] = self.said.get(sentence, 0) + 1


def program_of(described: Described, arrays: Arrays, path: Path) -> Program:
    """The operations of a model. Raises `DataError`."""
    model = described.model
    network = Network(path, described.version, _order(model), arrays)
    outputs = _called(network, model, [], ())
    if any(name in network.least for name in outputs):
        raise DataError("E565", f"{path} gives maps that are padded with −∞, which no layer here does")
    left = arrays.left
    notes = counted(network.said)
    if left:
        notes.append(f"no layer takes {count(len(left), 'array')} of the file: {listed(left, 6)}")
    inputs, operations, said = folded(network.inputs, network.operations, network.constants, outputs, network.order)
    return Program(
        model.name or path.stem.partition(".")[0],
        network.order,
        tuple(inputs),
        tuple(operations),
        tuple(outputs),
        network.constants,
        (*notes, *said),
        {"producer": f"Keras {described.version}" if described.version else "Keras"},
    )


def _order(model: ModelOf) -> Order:
    """How most of the layers lay maps out."""
    votes = {"channels_first": 0, "channels_last": 0}
    stack = [model]
    while stack:
        for layer in stack.pop().layers:
            stack += [layer.inner] if layer.inner is not None else []
            said = layer.config.get("data_format", layer.config.get("dim_ordering"))
            known = {"th": "channels_first", "tf": "channels_last"}.get(str(said), str(said))
            if known in votes:
                votes[known] += 1
    return "channels_first" if votes["channels_first"] > votes["channels_last"] else "channels_last"


def _called(network: Network, model: ModelOf, given: Sequence[str], scope: tuple[str, ...]) -> list[str]:
    """Calls a model with values, or with inputs of its own where there are none; gives the outputs' values."""
    from archspec.importing.keras.layers import call_layer

    if len(scope) > MAX_DEPTH:
        raise DataError("E564", f"{network.file} has models within models, more than {MAX_DEPTH} deep")
    known: dict[Reference, str] = {}
    places = {name: place for place, (name, _, _) in enumerate(model.inputs)}
    for layer, number, call in _in_order(network, model):
        if layer.kind == "InputLayer":
            place = places.get(layer.name)
            if given and place is not None and place < len(given):
                known[layer.name, 0, 0] = given[place]
            else:
                known[layer.name, 0, 0] = _input(network, layer)
            continue
        inputs = [_known(network, known, reference, layer) for reference in call.inputs]
        if layer.inner is not None:
            results = _called(network, layer.inner, inputs, (*scope, layer.name))
        else:
            results = [call_layer(network, layer, number, inputs, call.arguments, scope)]
        for index, result in enumerate(results):
            known[layer.name, number, index] = result
    return [_known(network, known, reference, None) for reference in model.outputs]


def _in_order(network: Network, model: ModelOf) -> list[tuple[LayerOf, int, Call]]:
    """Every call after those whose results it takes: descriptions list layers, some of which are called again later.

    Each layer's calls are numbered from 0, or from 1 where the layer was called before it came into this model.
    """
    calls = [(layer, index, call) for layer in model.layers for index, call in enumerate(layer.calls)]
    used = {(name, number) for _, _, call in calls for name, number, _ in call.inputs}
    used |= {(name, number) for name, number, _ in model.outputs}
    counted = {layer.name: len(layer.calls) for layer in model.layers}
    numbers: dict[str, list[int]] = {}
    for name, number in sorted(used):
        numbers.setdefault(name, []).append(number)
    ready: list[tuple[LayerOf, int, Call]] = []
    made: set[tuple[str, int]] = set()
    waiting: list[tuple[LayerOf, int, Call]] = []
    for layer, index, call in calls:
        own = numbers.get(layer.name, [])
        # The file numbers calls by the layer's whole life; those of this model alone are listed.
        beyond = own and max(own) >= counted[layer.name]
        waiting.append((layer, own[index] if beyond and index < len(own) else index, call))
    while waiting:
        left = []
        for layer, number, call in waiting:
            if all((name, at) in made for name, at, _ in call.inputs):
                made.add((layer.name, number))
                ready.append((layer, number, call))
            else:
                left.append((layer, number, call))
        if len(left) == len(waiting):
            names = listed([layer.name[:60] for layer, _, _ in left], 4)
            raise DataError("E563", f"{network.file}: layers take what no layer before them makes: {names}")
        waiting = left
    return ready


def _known(network: Network, known: Mapping[Reference, str], reference: Reference, layer: LayerOf | None) -> str:
    if reference not in known:
        who = layer.place if layer is not None else "the model"
        raise DataError("E563", f"{network.file}: {who} takes `{reference[0][:60]}`, which gives no such output")
    return known[reference]


def _input(network: Network, layer: LayerOf) -> str:
    """An input of the network. Raises `DataError` where nothing says how many axes it has."""
    config = layer.config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or len(shape) < 2 or any(isinstance(size, (dict, list)) for size in shape):
        raise DataError(
            "E565",
            f"{network.file} does not say what its input is: {layer.place} has no shape",
            help=["build the model before it is saved: model.build((None, 224, 224, 3))"],
        )
    sizes = tuple(size if isinstance(size, int) and 0 < size < 2**31 else -1 for size in shape[1:])
    dtype: Any = config.get("dtype")
    if isinstance(dtype, str) and dtype.startswith(("int", "uint", "string", "bool")):
        network.tell("{inputs} are of whole numbers or text in the file, and are numbers here")
    name = layer.name.replace(":", "_")
    while any(own.name == name for own in network.inputs):
        name += "_"
    network.inputs.append(Value(name, sizes))
    network.ranks[name] = len(sizes) + 1
    return name

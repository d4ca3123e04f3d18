"""A model's description: its layers in order, what each takes, and the models within it.

Keras writes a Sequential as a list of layers, and any other model as layers with the calls of each (`inbound_nodes`):
in Keras 1 and 2 as `[[layer, call, output, keywords], …]`, in Keras 3 as `{args, kwargs}` with tensors that say whose
they are (`keras_history`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from archspec.diagnostics import DataError, count

MAX_LAYERS = 50_000
MAX_DEPTH = 100
"""Levels of JSON: models within models have some ten each."""
MODELS = ("Sequential", "Functional", "Model")

Reference = tuple[str, int, int]
"""A tensor: the layer that makes it, by which of its calls, and which of its outputs."""


class Call(NamedTuple):
    """One use of a layer: the tensors that it takes, and other arguments in their order, None in a tensor's place."""

    inputs: tuple[Reference, ...]
    arguments: tuple[Any, ...] = ()


class LayerOf(NamedTuple):
    """A layer as it is described. `custom` is the name of a class of others' that would have to be imported."""

    kind: str
    name: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    place: str
    module: str = ""
    custom: str = ""
    inner: ModelOf | None = None


class ModelOf(NamedTuple):
    """A model: its layers in order of the file, and which tensors go in and come out."""

    name: str
    layers: tuple[LayerOf, ...]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]


class Described(NamedTuple):
    """A model, the version of Keras that wrote it (0 where it does not say), and the description as it is."""

    model: ModelOf
    version: int
    whole: Any


def described(text: str, file: str, version: str = "") -> Described:
    """Reads a description. Raises `DataError`."""
    try:
        whole = json.loads(text)
    except RecursionError:
        raise DataError("E564", f"{file} is nested too deeply") from None
    except ValueError as error:
        raise DataError("E563", f"{file} is no JSON: {str(error)[:100]}") from None
    _check_depth(whole, file)
    if not isinstance(whole, dict) or "class_name" not in whole or "config" not in whole:
        raise DataError("E569", f"{file} is JSON, but no model of Keras: it has no `class_name` with its `config`")
    said = str(whole.get("keras_version") or version)
    number = int(said[0]) if said[:1].isdecimal() else 3 if "registered_name" in whole and "module" in whole else 0
    reader = _Reader(file)
    kind = str(whole["class_name"])
    model = reader.model(kind, whole["config"], "", whole.get("build_config"))
    if model is None:
        raise DataError(
            "E565",
            f"{file} is of the class {kind[:60]!r}, a model of its author's own, whose layers only Python code says",
            help=["a functional copy of it, keras.Model(inputs, outputs), says them"],
        )
    return Described(model, number, whole)


def _check_depth(whole: Any, file: str) -> None:
    level = [whole]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise DataError("E564", f"{file} is nested more than {MAX_DEPTH} deep")


class _Reader:
    """Takes a description apart."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.number = 0

    def fault(self, place: str, message: str) -> DataError:
        return DataError("E563", f"{self.file}: {place or 'the model'} {message}")

    def model(self, kind: str, config: Any, place: str, build: Any = None) -> ModelOf | None:
        """A model; None where the class is none of Keras's own."""
        listed = isinstance(config, list)
        layers = config if listed else config.get("layers") if isinstance(config, dict) else None
        if not isinstance(layers, list) or (kind not in MODELS and not listed and "input_layers" not in config):
            return None
        name = "" if listed else str(config.get("name") or "")
        if kind == "Sequential" or (listed and kind not in MODELS):
            return self._sequential(layers, name, place, {} if listed else config, build)
        made = tuple(self._layer(item, f"{place}layer {index}") for index, item in enumerate(layers))
        inputs = tuple(self._ends(config.get("input_layers"), place))
        outputs = tuple(self._ends(config.get("output_layers"), place))
        if not inputs or not outputs:
            raise self.fault(place, "has no `input_layers` or no `output_layers`")
        return ModelOf(name, made, inputs, outputs)

    def _sequential(self, layers: list[Any], name: str, place: str, config: Any, build: Any) -> ModelOf:
        made: list[LayerOf] = []
        for index, item in enumerate(layers):
            layer = self._layer(item, f"{place}layer {index}")
            if not made and layer.kind != "InputLayer":
                shape = _batch_shape(layer.config) or config.get("build_input_shape")
                if shape is None and isinstance(build, dict):
                    shape = build.get("input_shape")
                if shape is None and layer.inner is not None:
                    first = layer.inner.layers[0] if layer.inner.layers else None
                    shape = _batch_shape(first.config) if first is not None else None
                own = {"batch_shape": shape} if shape is not None else {}
                made.append(LayerOf("InputLayer", f"{name or 'sequential'}:input", own, (Call(()),), layer.place))
            if made:
                layer = layer._replace(calls=(Call(((made[-1].name, 0, 0),)),))
            else:
                layer = layer._replace(calls=(Call(()),))
            made.append(layer)
        if not made:
            raise DataError("E565", f"{self.file}: {place or 'the model'} has no layers")
        return ModelOf(name, tuple(made), ((made[0].name, 0, 0),), ((made[-1].name, 0, 0),))

    def _layer(self, item: Any, place: str) -> LayerOf:
        self.number += 1
        if self.number > MAX_LAYERS:
            raise DataError("E564", f"{self.file} has more than {count(MAX_LAYERS, 'layer')}")
        if not isinstance(item, dict) or not isinstance(item.get("class_name"), str):
            raise self.fault(place, "has no `class_name`")
        kind, config = item["class_name"], item.get("config")
        module, registered = str(item.get("module") or ""), item.get("registered_name")
        # Keras's own layers have none, or their class's name again.
        custom = str(registered) if registered and ">" in str(registered) else ""
        if not custom and module and not module.startswith(("keras", "tf_keras", "builtins", "tensorflow")):
            custom = f"{module}.{kind}"
        inner = None if custom else self.model(kind, config, f"{place}, ", item.get("build_config"))
        if not isinstance(config, dict):
            if inner is None:
                raise self.fault(place, f"({kind[:60]}) has no `config`")
            config = {}
        name = str(item.get("name") or config.get("name") or "")
        if not name:
            name = f"{kind}_{self.number}"
        calls = tuple(self._call(call, place) for call in _listed(item.get("inbound_nodes")))
        if kind == "InputLayer":
            calls = (Call(()),)
        return LayerOf(kind, name, config, calls, f"{place} ({name[:60]})", module, custom, inner)

    def _call(self, call: Any, place: str) -> Call:
        """One of a layer's `inbound_nodes`."""
        inputs: list[Reference] = []
        arguments: list[Any] = []
        if isinstance(call, dict) and "args" in call:
            for value in [*_listed(call.get("args")), *_values(call.get("kwargs"))]:
                self._argument(value, inputs, arguments, place, 0)
        elif isinstance(call, dict):
            raise self.fault(place, "has a call that is not understood")
        else:
            entries = [call] if isinstance(call, list) and call and isinstance(call[0], str) else _listed(call)
            for entry in entries:
                inputs.append(self._reference(entry, place))
                arguments.append(None)
                rest = entry[3] if len(entry) > 3 and isinstance(entry[3], dict) else {}
                for name, value in rest.items():
                    if name in ("training", "mask") or value is None:
                        continue
                    reference = isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str)
                    arguments.append(None if reference else value)
                    if reference:
                        inputs.append(self._reference(value, place))
        return Call(tuple(inputs), tuple(arguments))

    def _argument(self, value: Any, inputs: list[Reference], arguments: list[Any], place: str, depth: int) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            inputs.append(self._reference(config.get("keras_history") if isinstance(config, dict) else None, place))
            arguments.append(None)
        elif isinstance(value, list) and depth < 4:
            for item in value:
                self._argument(item, inputs, arguments, place, depth + 1)
        elif value is not None:
            arguments.append(value)

    def _reference(self, entry: Any, place: str) -> Reference:
        if (
            not isinstance(entry, list)
            or len(entry) < 3
            or not isinstance(entry[0], str)
            or not all(isinstance(number, int) for number in entry[1:3])
        ):
            raise self.fault(place, "takes something that is no tensor of a layer")
        return entry[0], int(entry[1]), int(entry[2])

    def _ends(self, value: Any, place: str) -> Iterator[Reference]:
        """`input_layers` or `output_layers`: one, a list of them, or a mapping."""
        if isinstance(value, list) and value and isinstance(value[0], str):
            yield self._reference(value, place)
        elif isinstance(value, (list, dict)):
            for item in value.values() if isinstance(value, dict) else value:
                yield from self._ends(item, place)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _values(value: Any) -> list[Any]:
    """Arguments by name, but those that say how a layer is called in training."""
    given = value if isinstance(value, dict) else {}
    return [item for name, item in given.items() if name not in ("training", "mask")]


def _batch_shape(config: Mapping[str, Any]) -> Any:
    """The shape of a layer's input with the batch's axis, where its description has it."""
    for name in ("batch_shape", "batch_input_shape"):
        if config.get(name) is not None:
            return config[name]
    if config.get("input_shape") is not None:
        return [None, *_listed(config["input_shape"])]
    return None

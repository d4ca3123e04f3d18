"""A network as a functional Keras model, with its weights beside it: blocks are functions that call layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.diagnostics import count, listed
from archspec.exporting.source import files
from archspec.exporting.source.body import Body, Words, condition_of, filled
from archspec.exporting.source.classes import NO_DEFAULT, Call, Class, Expression, Form, Segment, Tree
from archspec.exporting.source.keras_helpers import HELPERS, with_needs
from archspec.exporting.source.keras_layers import KerasContext, is_general
from archspec.exporting.source.keras_places import FORMS
from archspec.exporting.source.layout import INDENT, definition, fitted
from archspec.exporting.source.modules import bracketed, counted_range, declared, described
from archspec.exporting.source.naming import attribute, snake
from archspec.exporting.source.pixels import Scaling
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.graph import Graph, Node

_NAMES = """
Any Callable KerasTensor MEAN Path STD WEIGHTS arrays batch_norm functools inputs itertools keras layers load load_file
math model name np ops preprocess weight
"""
_RESERVED = frozenset(_NAMES.split())

WORDS = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
"""Keras's words for arrays of normalisations."""


def _imports(body: str) -> list[str]:
    """The lines that import what a text uses."""
    lines = [f"import {name}" for name in ("functools", "itertools", "math") if re.search(rf"\b{name}\.", body)]
    if "Callable[" in body:
        lines.append("from collections.abc import Callable")
    lines.append("from pathlib import Path")
    if re.search(r"\bAny\b", body):
        lines.append("from typing import Any")
    arrays = ["import numpy as np"] if re.search(r"\bnp\.", body) else []
    names = ["KerasTensor", *(name for name in ("layers", "ops") if re.search(rf"\b{name}\.", body))]
    names = [name for name in names if re.search(rf"\b{name}\b", body)]
    own = [f"from keras import {', '.join(names)}"] if names else []
    return [*lines, "", "import keras", *arrays, *own, "from safetensors.numpy import load_file"]


LANGUAGE = files.Language(
    forms=FORMS,
    helpers=HELPERS,
    reserved=_RESERVED,
    axes=lambda kind: kind.shape,
    imports=_imports,
    scaling=Scaling(
        array="np.ndarray",
        constant=lambda name, kind: f"np.float32({name})",
        begin=lambda bgr: [f'x = np.asarray(x, "float32"){"[..., ::-1]" if bgr else ""}'],
    ),
)
supports = FORMS.supports


def write(subject: Subject, file: Path) -> Written:
    """Writes FILE.py and FILE.safetensors. Raises `DataError`."""
    tree = tree_of(subject.graph)
    text = source(subject, file, tree)
    notes = []
    if tree.ties:
        tied = listed([f"{node.path} with {owner}" for node, owner in tree.ties], 4)
        notes.append(f"{count(len(tree.ties), 'layer')} with copies of arrays that layers share: {tied}")
    arrays = variables(subject.graph, tree, subject.arrays)
    return files.written(subject, file, text, arrays, {"format": "np"}, notes)


def tree_of(graph: Graph) -> Tree:
    """The functions of a network."""
    tree = files.tree_of(LANGUAGE, KerasContext(graph))
    taken = {*_RESERVED, *HELPERS}
    for own in tree.classes:
        stem, number = snake(_words(own.name)), 2
        if own is tree.network:
            stem = snake(graph.variant or graph.name)
        name = stem
        while name in taken or name in (item.name for item in graph.inputs):
            name, number = f"{stem}_{number}", number + 1
        own.name = name
        taken.add(name)
    return tree


def _words(name: str) -> str:
    """`BasicBlock` as `Basic_Block`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)


def source(subject: Subject, file: Path, tree: Tree) -> str:
    """The text of the file."""
    return files.text_of(LANGUAGE, subject, file, definitions(tree), _load(tree.network.name))


def definitions(tree: Tree) -> list[list[str]]:
    """The lines of each helper and function."""
    writer = Writer(tree)
    functions = [writer.text(own) for own in tree.classes]
    helpers = [*(["shared"] if writer.shares else []), *tree.helpers]
    texts = {**HELPERS, "batch_norm": _batch_norm(tree.graph)}
    return [*(texts[name].strip("\n").split("\n") for name in with_needs(helpers)), *functions]


def _batch_norm(graph: Graph) -> str:
    """What makes a batch normalisation with the numbers that all of them have."""
    numbers = KerasContext(graph).norm
    if numbers is None:
        return ""
    text = f"functools.partial(layers.BatchNormalization, momentum={numbers[0]}, epsilon={numbers[1]})"
    return "\n".join(fitted(f"batch_norm = {text}"))


def assembled(docs: list[str], known: list[str], parts: list[list[str]]) -> str:
    """The text of a file with all that it imports."""
    return files.assembled(LANGUAGE, docs, known, parts)


class FunctionBody(Body):
    """The statements of a function; those of the network end with the model."""

    def __init__(self, own: Class, words: Words, inputs: list[str], writer: Writer) -> None:
        super().__init__(own, words, inputs)
        self.indent = INDENT
        self.writer = writer

    def is_light(self, call: Call) -> bool:
        """Functions are written around a layer's call, and no layers around each other."""
        return call.form is not None and not call.form.make and call.family == "activation"

    def _step(self, number: int) -> None:
        if self.writer.is_called_again(self.own, number):
            self.lines += [f"{' ' * self.indent}{line}" for line in self.writer.kept(self.own, number, self)]
        super()._step(number)

    def text_of(self, number: int) -> list[str]:
        """The names of what a step takes."""
        return [self.names[self.real(ref)] for ref in self.own.calls[number].inputs]

    def _returned(self, outputs: list[str]) -> None:
        tree = self.writer.tree
        if self.own is not tree.network:
            super()._returned(outputs)
            return
        graph = tree.graph
        taken, given = self.inputs[0], outputs[0]
        if len(graph.inputs) > 1:
            pairs = zip(graph.inputs, self.inputs, strict=True)
            taken = "{" + ", ".join(f'"{item.name}": {name}' for item, name in pairs) + "}"
        if len(graph.outputs) > 1:
            named = zip(graph.outputs, outputs, strict=True)
            given = "{" + ", ".join(f'"{item.name}": {name}' for item, name in named) + "}"
        self.lines += fitted(f'return keras.Model({taken}, {given}, name="{graph.name}")', self.indent)


class Writer:
    """Writes the functions of a tree."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.reserved = {*_RESERVED, *HELPERS, *(own.name for own in tree.classes)}
        self.shares = False
        """Whether a block is called again, so that it is a model of its own."""

    def text(self, own: Class) -> list[str]:
        """A function with its docstring."""
        network = own is self.tree.network
        doc = [f"{' ' * INDENT}{line}".rstrip() for line in described(own, self.tree)]
        inputs = self._inputs(own)
        if network:
            return [f"def {own.name}() -> keras.Model:", *doc, *self._sources(inputs), *self._body(own, inputs)]
        given = [f"{name}: KerasTensor" for name in inputs]
        plain = [item for item in own.parameters if item.default is NO_DEFAULT]
        others = [item for item in own.parameters if item.default is not NO_DEFAULT]
        given += [declared(item.name, item.types_text, item.default) for item in plain]
        if own.has_modules:
            given.append("*")
        given += [quoted(declared(item.name, item.types_text, item.default)) for item in others]
        given += ["name: str"] if own.has_modules else []
        several = len(own.outputs) > 1
        result = f"tuple[{', '.join(['KerasTensor'] * len(own.outputs))}]" if several else "KerasTensor"
        return [*definition(f"def {own.name}", given, result), *doc, *self._body(own, inputs)]

    def _body(self, own: Class, inputs: list[str]) -> list[str]:
        reserved = {*self.reserved, *(item.name for item in own.parameters)}
        words = Words(self.call, LANGUAGE.shape("×"), self.loop, self.present, reserved)
        return FunctionBody(own, words, inputs, self).written()

    def _inputs(self, own: Class) -> list[str]:
        graph = self.tree.graph
        if own is self.tree.network:
            if len(graph.inputs) == 1:
                return ["inputs"]
            return [attribute(item.name, (*self.reserved, "x", "y", "z")) for item in graph.inputs]
        return ["x", *(f"skip{number}" for number in range(1, own.takes))]

    def _sources(self, names: list[str]) -> list[str]:
        """The network's inputs."""
        taken = {node.path for node in self.tree.graph.nodes}
        lines = []
        for name, item in zip(names, self.tree.graph.inputs, strict=True):
            said = f"{item.name}_input" if item.name in taken else item.name
            lines += fitted(f'{name} = keras.Input({item.type.shape!r}, name="{said}")', INDENT)
        return lines

    # What a step is called by

    def path(self, own: Class, path: tuple[str, ...], number: str = "") -> str:
        """The name of a layer or block in a function, as Python writes it."""
        text = ".".join(path)
        if number:
            text = f"{text[:-1]}{{{number}}}"
        if own is not self.tree.network:
            return f'f"{{name}}.{text}"'
        return f'f"{text}"' if number else f'"{text}"'

    def made(self, own: Class, number: int) -> str:
        """What makes the layer of a step."""
        call = own.calls[number]
        values = {slot.name: value for slot, value in own.slots.items() if slot.step == number and not slot.setting}
        assert call.form is not None
        return self._of_form(call.form, values, own, self.path(own, call.path))

    def _of_form(self, form_: Form, values: Mapping[str, Expression], own: Class, name: str) -> str:
        items = []
        for place, argument in enumerate(form_.arguments):
            value = values[argument.name or str(place)]
            text = quoted(filled(value, own))
            if argument.default is not NO_DEFAULT and value.is_constant and value.value == argument.default:
                continue
            if argument.name == "strides" and text == self._window(form_, values, own):
                continue
            items.append(f"{argument.name}={text}" if argument.name else text)
        return f"{form_.make}({', '.join([*items, f'name={name}'])})"

    @staticmethod
    def _window(form_: Form, values: Mapping[str, Expression], own: Class) -> str:
        """A pooling's window, which is its stride where none is given."""
        return filled(values["0"], own) if "Pooling" in form_.make else ""

    def _of_class(self, of: Class, values: Mapping[str, Expression], own: Class, inputs: list[str], name: str) -> str:
        plain, others = [], []
        for parameter in of.parameters:
            value, text = values[parameter.name], quoted(filled(values[parameter.name], own))
            if parameter.default is NO_DEFAULT:
                plain.append(text)
            elif not value.is_constant or value.value != parameter.default:
                others.append(f"{parameter.name}={text}")
        named = [f"name={name}"] if of.has_modules else []
        return f"{of.name}({', '.join([*inputs, *plain, *others, *named])})"

    def call(self, own: Class, number: int, inputs: list[str]) -> str:
        """The expression of a step."""
        call = own.calls[number]
        slots = {slot: value for slot, value in own.slots.items() if slot.step == number}
        first = number if call.again is None else call.again
        if call.of is not None:
            if self.is_called_again(own, first):
                taken = inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"
                return f"{self._local(own, first)}({taken})"
            values = {slot.name: value for slot, value in slots.items()}
            return self._of_class(call.of, values, own, inputs, self.path(own, call.path))
        assert call.form is not None
        settings = {slot.name: filled(value, own) for slot, value in slots.items() if slot.setting}
        made = ""
        if call.form.make:
            made = self._local(own, first) if self.is_called_again(own, first) else self.made(own, number)
        taken_ = [bracketed(text, call.form, place) for place, text in enumerate(inputs)]
        return call.form.use.format(*taken_, self=made, **settings)

    def is_called_again(self, own: Class, number: int) -> bool:
        """Whether a later step calls what a step has made."""
        return any(call.again == number for call in own.calls) and own.calls[number].has_module

    def _local(self, own: Class, number: int) -> str:
        """The name of a layer or block that is kept."""
        stem = snake("_".join(own.calls[number].path))
        name, last = f"{stem}_layer", 2
        while name in self.reserved:
            name, last = f"{stem}_layer_{last}", last + 1
        return name

    def kept(self, own: Class, number: int, body: FunctionBody) -> list[str]:
        """The lines that make what is called more than once."""
        call = own.calls[number]
        if call.of is None:
            return _within(f"{self._local(own, number)} = {self.made(own, number)}")
        self.shares = True
        values = {slot.name: value for slot, value in own.slots.items() if slot.step == number}
        items = [call.of.name, *body.text_of(number)]
        items += [f"{item.name}={filled(values[item.name], own)}" for item in call.of.parameters]
        items += [f"name={self.path(own, call.path)}"] if call.of.has_modules else []
        return _within(f"{self._local(own, number)} = shared({', '.join(items)})")

    def present(self, own: Class, number: int) -> str:
        """The condition under which a step is there."""
        return condition_of(own, number, "")

    def loop(self, own: Class, number: int, name: str, taken: str) -> list[str]:
        """The lines that call a series."""
        call = own.calls[number]
        lines: list[str] = []
        for segment in call.segments:
            value = taken if not lines else name
            if segment.count.is_constant and segment.count.value == 1:
                path = (*call.path[:-1], call.path[-1].replace("*", str(call.start + segment.first)))
                lines += _within(f"{name} = {self._thing(own, segment, value, self.path(own, path))}")
                continue
            if value != name:
                lines.append(f"{name} = {value}")
            place = f"i + {call.start}" if call.start else "i"
            lines.append(f"for i in {counted_range(segment, own)}:")
            thing = self._thing(own, segment, name, self.path(own, call.path, place))
            lines += [f"{' ' * INDENT}{line}" for line in _within(f"{name} = {thing}", 2)]
        return lines

    def _thing(self, own: Class, segment: Segment, taken: str, name: str) -> str:
        if segment.of is not None:
            return self._of_class(segment.of, segment.arguments, own, [taken], name)
        assert segment.form is not None
        settings = {item.name: repr(item.value) for item in segment.form.settings}
        made = self._of_form(segment.form, segment.arguments, own, name) if segment.form.make else ""
        return segment.form.use.format(bracketed(taken, segment.form, 0), self=made, **settings)


def _within(text: str, depth: int = 1) -> list[str]:
    """A statement of a function, which is indented later on."""
    return [line[depth * INDENT :] for line in fitted(text, depth * INDENT)]


def quoted(text: str) -> str:
    """Words in Python as ruff writes them."""
    return re.sub(r"'([\w.-]*)'", r'"\1"', text)


def _load(name: str) -> list[str]:
    return [
        "def load(path: str | Path = WEIGHTS) -> keras.Model:",
        '    """The model with the weights of a file, by the paths of its variables."""',
        f"    model = {name}()",
        "    arrays = load_file(path)",
        "    for weight in model.weights:",
        "        weight.assign(arrays.pop(weight.path))",
        "    if arrays:",
        '        raise ValueError(f"the model has no variables {sorted(arrays)}")',
        "    return model",
    ]


def variables(graph: Graph, tree: Tree, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays as the model's variables have them, by their paths. Arrays that are tied stand under each name."""
    tied = {node.path for node, _ in tree.ties}
    found = {}
    for node in graph.nodes:
        if not node.counted and node.path not in tied:
            continue
        for weight in node.arrays:
            array = _laid(node, weight.name, arrays[f"{node.owner}.{weight.name}"])
            found[f"{node.path}/{_variable(node, weight.name)}"] = np.ascontiguousarray(array)
    return found


def _variable(node: Node, name: str) -> str:
    """Keras's word for an array of a layer."""
    if node.kind in ("batch_norm", "group_norm", "instance_norm", "layer_norm"):
        return WORDS[name]
    if node.kind == "prelu":
        return "alpha"
    return name.replace(".", "/")


def _laid(node: Node, name: str, array: np.ndarray) -> np.ndarray:
    """An array with Keras's axes."""
    x = node.input_types[0]
    if node.kind == "depthwise_conv" and name == "kernel":
        return array.reshape(*array.shape[:-2], x.channels, -1)
    if node.kind == "transposed_conv" and name == "kernel" and not is_general(node):
        return np.swapaxes(array, -1, -2)
    if node.kind == "prelu":
        return array.reshape(*(1,) * (len(x.shape) - 1), -1)
    return array

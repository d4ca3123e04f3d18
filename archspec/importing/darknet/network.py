"""A Darknet network while its sections are gone through: shapes, and the operations that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError
from archspec.importing.darknet.text import Section
from archspec.importing.operations import Operation, Program, Value
from archspec.importing.reading import counted

Shape = tuple[int, int, int] | tuple[int] | None
"""(height, width, channels), of a vector its features, None behind what is unknown."""

HEADS = ("yolo", "Gaussian_yolo", "region", "detection", "contrastive")
LOSSES = ("cost", "logistic")
NO_KIND = {
    "rnn": "recurs over time steps",
    "gru": "recurs over time steps",
    "lstm": "recurs over time steps",
    "crnn": "recurs over time steps",
    "conv_lstm": "recurs over time steps",
    "history": "keeps earlier samples",
    "implicit": "is a trained constant without an input",
}
ACTIVATIONS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "linear": (),
    "none": (),
    "leaky": (("leaky_relu", {"slope": 0.1}),),
    "revleaky": (("leaky_relu", {"slope": 0.1}),),
    "relie": (("leaky_relu", {"slope": 0.01}),),
    "relu": (("relu", {}),),
    "relu6": (("relu6", {}),),
    "logistic": (("sigmoid", {}),),
    "sigmoid": (("sigmoid", {}),),
    "loggy": (("scaled_tanh", {"amplitude": 1.0, "slope": 0.5}),),
    "tanh": (("tanh", {}),),
    "elu": (("elu", {}),),
    "selu": (("elu", {"alpha": 1.6732}), ("scale", {"factor": 1.0507})),
    "gelu": (("gelu", {"approximate": True}),),
    "swish": (("silu", {}),),
    "mish": (("mish", {}),),
    # x·(x > 0) + x/10: 1.1·x above 0, x/10 below.
    "ramp": (("leaky_relu", {"slope": 1 / 11}), ("scale", {"factor": 1.1})),
}
"""Layers that do what an activation's function in activations.h does."""


class Network:
    """`sections` has what each kind of section becomes, by its name.

    `shape` and `value` are what the section before gave: its size, and the name of its value.
    """

    def __init__(self, net: Section, path: Path, sections: Mapping[str, Taker]) -> None:
        self.net, self.path, self.known = net, path, sections
        height, width = net.whole("height", low=0), net.whole("width", low=0)
        channels = net.whole("channels", low=0)
        self.shape: Shape = (height, width, channels) if height and width and channels else None
        if self.shape is None:
            features = net.whole("inputs", low=0)
            if not features:
                raise net.fault("[net] says neither `height`, `width` and `channels` nor `inputs`")
            self.shape = (features,)
        self.input = self.shape
        self.image: dict[str, Any] = {}
        self.value = "input"
        """The name of what the section before gave."""
        self.index = -1
        self.names: list[str] = []
        """What each section gives, by its number as routes count them."""
        self.shapes: list[Shape] = []
        self.operations: list[Operation] = []
        self.outputs: list[str] = []
        self.heads: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.notes: list[str] = []
        self.section = net
        self.following: list[str] = []
        """The names of the next sections."""

    def program(self, layers: list[Section]) -> Program:
        """Goes through the sections."""
        if not layers:
            raise DataError("E565", f"{self.path} has no layers behind [net]")
        for index, section in enumerate(layers):
            self.index, self.section = index, section
            self.following = [later.name for later in layers[index + 1 : index + 4]]
            self.take(section)
            self.names.append(self.value)
            self.shapes.append(self.shape)
        if self.value not in self.outputs and not self.outputs:
            self.outputs.append(self.value)
        for name, number in self.heads.items():
            which = "is an output" if number == 1 else "are outputs"
            what = "of training" if name == "contrastive" else "for boxes"
            self.notes.append(
                f"{number} [{name}] {what} left out: what {'it takes' if number == 1 else 'they take'} {which}"
            )
        self.notes += counted(self.said)
        normalised = any(operation.kind == "batch_norm" for operation in self.operations)
        if normalised:
            self.notes.append(
                "batch_norm divides by √(σ² + 0.00001), as AlexeyAB's Darknet does, where the first one divides by "
                "√σ² + 0.000001; in training it keeps 0.9 of its statistics in a step, where Darknet keeps 0.99"
            )
        shape = self.input
        assert shape is not None
        first = shape if len(shape) == 1 else (shape[2], shape[0], shape[1])
        values = (Value("input", first, self.image),)
        renamed = self._named_outputs()
        return Program(self.path.stem, "channels_first", values, renamed, tuple(self.outputs), notes=tuple(self.notes))

    def _named_outputs(self) -> tuple[Operation, ...]:
        """The operations, with a name for each of several outputs that says which it is."""
        if len(self.outputs) == 1:
            return tuple(self.operations)
        new = {name: f"scores{number}" for number, name in enumerate(self.outputs, 1)}
        self.outputs = list(new.values())

        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new.get(name, name) for name in names)

        return tuple(
            Operation(
                item.kind,
                renamed(item.inputs),
                renamed(item.outputs),
                {key: new.get(value, value) if key == "weights" else value for key, value in item.fields.items()},
                said=item.said,
                place=item.place,
                why=item.why,
            )
            for item in self.operations
        )

    def take(self, section: Section) -> None:
        """Takes one section in."""
        name = section.name
        if name in HEADS:
            self.heads[name] += 1
            if self.value not in self.outputs:
                self.outputs.append(self.value)
            return
        if name in LOSSES:
            self.said[f"{{[{name}]}} of training left out"] += 1
            return
        if name in ("empty", "silence"):
            return
        if name in NO_KIND:
            self.unknown(NO_KIND[name])
            return
        if name not in self.known:
            self.unknown("is no section that this reader knows")
            return
        self.known[name](self, section)

    def add(
        self, kind: str | None, fields: Mapping[str, Any] | None = None, inputs: tuple[str, ...] = (), why: str = ""
    ) -> str:
        """Adds an operation of the section; gives the name of its value."""
        name = f"{self.index}.{len(self.operations)}"
        line = self.section.line
        self.operations.append(
            Operation(
                kind,
                inputs or (self.value,),
                (name,),
                dict(fields or {}),
                said=f"[{self.section.name[:60]}]",
                place=f"line {line}, layer {self.index}",
                why=why,
            )
        )
        self.value = name
        return name

    def unknown(self, why: str, inputs: tuple[str, ...] = ()) -> None:
        """Marks the section as one that there is nothing like."""
        self.add(None, why=why, inputs=inputs)
        self.shape = None

    def activate(self, section: Section, default: str, factor: float | None = None) -> None:
        """Adds the layers of the section's activation."""
        word = section.text("activation", default)
        if word not in ACTIVATIONS:
            shape = self.shape
            self.unknown(f"has the activation {word[:40]!r}, which no kind is like")
            self.shape = shape
            return
        for kind, fields in ACTIVATIONS[word]:
            self.add(kind, fields)
        if factor is not None and factor != 1.0:
            self.add("scale", {"factor": factor})

    def map_of(self) -> tuple[int, int, int] | None:
        """The shape of the map before, None behind what is unknown. Raises `SpecError` where it is a vector."""
        shape = self.shape
        if shape is not None and len(shape) == 1:
            raise self.section.fault(f"the layer before [{self.section.name}] gives no map")
        return shape

    def sources(self, key: str) -> list[int]:
        """Numbers of earlier sections. Raises `SpecError` where there is none of that number."""
        numbers = [number + self.index if number < 0 else number for number in self.section.numbers(key)]
        for number in numbers:
            if not 0 <= number < self.index:
                raise self.section.fault(f"`{key}` names layer {number} of {self.index} before this one", key)
        return numbers


Taker = Callable[[Network, Section], None]

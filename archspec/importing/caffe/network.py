"""A Caffe network while its layers are gone through: which belong to evaluation, what blobs there are, their shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, count, listed
from archspec.importing.caffe.parameters import Parameters
from archspec.importing.operations import Operation, Program, Value
from archspec.importing.reading import counted
from archspec.weights.tensors import Tensor

Shape = tuple[int, ...] | None
"""Without the batch's axis, channels first; None where it is unknown."""

MAX_LAYERS = 10_000

OLD_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "DROPOUT": "Dropout",
    "ELTWISE": "Eltwise",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
"""The types of version 1 whose names are not those of today in capitals."""

DATA = (
    *("Data", "ImageData", "WindowData", "HDF5Data", "DenseImageData", "AnnotatedData", "DummyData", "MemoryData"),
    *("Input", "ImageSegData", "VideoData"),
)
"""Layers that read samples; so are layers in Python without a bottom."""
LEFT_OUT = (
    *("SoftmaxWithLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss", "HingeLoss", "ContrastiveLoss", "InfogainLoss"),
    *("MultinomialLogisticLoss", "SmoothL1Loss", "MultiBoxLoss", "TripletLoss", "CenterLoss", "Accuracy", "ArgMax"),
    *("Silence", "HDF5Output", "DetectionOutput", "DetectionEvaluate"),
)
"""Layers of training, measuring and decoding, which a network does without: what they take are outputs."""


class Network:
    """`known` has what a type of layer becomes; `size` is what the user says of inputs whose size is open.

    `blobs` are the values by the names that blobs have at this point.
    """

    def __init__(
        self, root: Parameters, path: Path, known: Mapping[str, Taker], size: tuple[int, ...] | None = None
    ) -> None:
        self.root, self.path, self.known, self.size = root, path, known, size or ()
        self.inputs: list[Value] = []
        self.labels: set[str] = set()
        self.blobs: dict[str, str] = {}
        self.shapes: dict[str, Shape] = {}
        self.operations: list[Operation] = []
        self.constants: dict[str, Tensor] = {}
        self.taken: set[str] = set()
        """Values that a layer takes."""
        self.ends: dict[str, float] = {}
        """Values that losses and measures take, in the order of the file, with the weight of the loss."""
        self.owners: dict[str, str] = {}
        """The layer that has the arrays which a `param` names."""
        self.said: Counter[str] = Counter()
        self.notes: list[str] = []
        self.fillers: Counter[str] = Counter()
        self.merged: dict[str, str] = {}
        """Values of BatchNorm layers of which Scale layers made others."""
        self.old = False
        """Whether layers are of version 1, whose types are words in capitals."""
        self.layer = root
        self.name = ""
        self.type = ""
        self.bottoms: list[str] = []
        self.tops: list[str] = []

    def program(self) -> Program:
        """Goes through the layers of evaluation. Raises `SpecError` and `DataError`."""
        layers = self.root.inners("layer") or self.root.inners("layers")
        self.old = "layer" not in self.root
        if not layers:
            own = next((name for name in ("net", "train_net", "test_net") if name in self.root), None)
            solver = "" if own is None else f": it is of a solver, whose `{own}` names the file with the network"
            raise DataError("E565", f"{self.path} has no layers{solver}")
        if len(layers) > MAX_LAYERS:
            raise DataError("E564", f"{self.path} has {count(len(layers), 'layer')}; up to {MAX_LAYERS:,} are read")
        self._own_inputs()
        for layer in self._chosen(layers):
            self._take(layer)
        outputs = self._outputs()
        self.notes += counted(self.said)
        users = {name for operation in self.operations for name in operation.inputs}
        twice = sum(1 for name in self.merged if name in users or name in self.ends)
        if twice:
            self.notes.append(f"{count(twice, 'BatchNorm')} that other layers take too: statistics stand twice")
        if self.fillers:
            kinds = listed(sorted(self.fillers))
            number = count(sum(self.fillers.values()), "filler")
            self.notes.append(f"{number} of initial values left out ({kinds}): layers begin as this package's do")
        about: dict[str, Any] = {}
        weights = {name: weight for name, weight in self.ends.items() if weight != 1.0 and name in outputs}
        if weights and len(weights) < len(outputs):
            about["outputs"] = {name: {"weight": weight, "train_only": True} for name, weight in weights.items()}
            self.notes.append(
                f"{count(len(weights), 'output')} whose loss weighs less than that of others: taken for training alone"
            )
        title = self.root.text("name")
        inputs = tuple(value for value in self.inputs if value.name in self.taken) or tuple(self.inputs[:1])
        return Program(
            title or self._file_name(),
            "channels_first",
            inputs,
            tuple(self.operations),
            tuple(outputs),
            self.constants,
            tuple(self.notes),
            about,
        )

    def _file_name(self) -> str:
        """What a network without a name is called: as its file, or where that is called as all are, as its folder."""
        own = self.path.name.split(".")[0]
        folder = self.path.absolute().parent.name
        return folder if folder and own in ("deploy", "train", "test", "val", "trainval", "train_val") else own

    def _own_inputs(self) -> None:
        """The inputs that stand at the top of the file."""
        names = self.root.texts("input")
        shapes = [inner.wholes("dim") for inner in self.root.inners("input_shape")]
        numbers = self.root.wholes("input_dim")
        shapes = shapes or [numbers[place : place + 4] for place in range(0, len(numbers), 4)]
        if len(shapes) < len(names):
            raise self.root.fault(f"{count(len(names), 'input')} and {count(len(shapes), 'shape')} of them")
        for name, shape in zip(names, shapes, strict=False):
            self.add_input(name, tuple(shape[1:]))

    def _chosen(self, layers: Sequence[Parameters]) -> list[Parameters]:
        """The layers of evaluation, by the rules of include and exclude; those of training where it has no data."""
        state = self.root.inner("state")
        stages = set(state.texts("stage"))
        told = state.word("phase")
        chosen: list[Parameters] = []
        for phase in [told] if told else ["TEST", "TRAIN"]:
            chosen = [layer for layer in layers if _is_in(layer, phase, stages, state.whole("level"))]
            reads = bool(self.inputs) or any(self._type_of(layer) in DATA or _reads(layer) for layer in chosen)
            if reads or told:
                break
        left = len(layers) - len(chosen)
        if left:
            self.notes.append(f"{count(left, 'layer')} of another phase or stage left out: evaluation is what is read")
        return chosen

    def _type_of(self, layer: Parameters) -> str:
        written = layer.word("type")
        if self.old:
            return OLD_TYPES.get(written, "".join(word.capitalize() for word in written.split("_")))
        return written

    def _take(self, layer: Parameters) -> None:
        if "layer" in layer:
            raise layer.fault("layers within `layers` are Caffe's oldest format, which is not read")
        self.layer, self.type = layer, self._type_of(layer)
        self.name, self.tops = layer.text("name"), layer.texts("top")
        bottoms = layer.texts("bottom")
        loss = self.type.endswith(("Loss", "Accuracy")) or self.type in LEFT_OUT
        if self.type in DATA or (_reads(layer) and not bottoms):
            self.known["Input"](self)
            return
        for name in bottoms:
            if name not in self.blobs and name not in self.labels:
                raise layer.fault(f"the layer `{self.name[:60]}` takes `{name[:60]}`, which no layer before it gives")
        if loss or (self.type == "Python" and layer.numbers("loss_weight")):
            self._end(layer, bottoms)
            return
        for name in bottoms:
            if name not in self.blobs:
                # What a data layer gives beside the first is mostly a target, and here is not.
                self.labels.discard(name)
                self.add_input(name, (-1, -1, -1))
        self.bottoms = [self.blobs[name] for name in bottoms]
        self.taken.update(self.bottoms)
        if self.type not in self.known:
            self.unknown("is no layer that this reader knows")
            return
        if not self.bottoms or not self.tops:
            raise layer.fault(f"the layer `{self.name[:60]}` has no bottom, or no top")
        for filler in ("weight_filler", "bias_filler"):
            for inner in [value for name in layer.message.fields for value in _messages(layer, name)]:
                kind = inner.inner(filler).text("type") if filler in inner else ""
                if kind and (filler, kind) != ("bias_filler", "constant") and kind != "bilinear":
                    self.fillers[kind] += 1
        self.known[self.type](self)

    def _end(self, layer: Parameters, bottoms: Sequence[str]) -> None:
        """Takes in a layer of training or measuring: what it looks at is an output."""
        self.said[f"{{{self.type}}} left out: what they take are outputs"] += 1
        weights = layer.numbers("loss_weight")
        for name in bottoms[: 2 if self.type in ("ContrastiveLoss", "DetectionOutput", "MultiBoxLoss") else 1]:
            if name in self.blobs and (self.type != "Silence" or self.blobs[name] not in self.taken):
                value = self.blobs[name]
                self.ends.setdefault(value, 1.0)
                if weights and self.type.endswith("Loss"):
                    self.ends[value] = weights[0]
        for top in self.tops:
            self.labels.add(top)

    def _outputs(self) -> list[str]:
        """What losses take, and what no layer takes; each with its blob's name."""
        made = [(name, blob) for blob, name in self.blobs.items()]
        inputs = {value.name for value in self.inputs}
        others = {*self.taken, *self.ends, *inputs, *self.merged}
        free = [name for name, _ in made if name not in others]
        found = [*self.ends, *dict.fromkeys(free)]
        whole = [name for name in found if self.ends.get(name, 1.0) == 1.0]
        found = [*whole, *(name for name in found if name not in whole)]
        if not found:
            raise DataError("E565", f"{self.path} has no output: each layer's top is taken by another")
        return found

    def add_input(self, blob: str, shape: tuple[int, ...], image: Mapping[str, Any] | None = None) -> None:
        """Adds a thing that the network takes."""
        if len(shape) == 3 and shape[1:] == (1, 1):
            shape = shape[:1]
        sizes = tuple(size if size > 0 else -1 for size in shape)
        if len(sizes) == 3 and -1 in sizes:
            given = (self.size[2:3] or (-1,))[0], *(*self.size[:2], -1, -1)[:2]
            sizes = tuple(own if own > 0 else other for own, other in zip(sizes, given, strict=True))
        self.inputs.append(Value(blob, sizes, image or None))
        self.blobs[blob] = blob
        self.shapes[blob] = sizes if all(size > 0 for size in sizes) else None

    def shape(self, number: int = 0) -> Shape:
        """The shape of a bottom."""
        return self.shapes.get(self.bottoms[number])

    def add(
        self,
        kind: str | None,
        fields: Mapping[str, Any] | None = None,
        inputs: Sequence[str] = (),
        *,
        shape: Shape = None,
        why: str = "",
        extra: Sequence[str] = (),
        top: int = 0,
    ) -> str:
        """Adds an operation of the layer; gives the name of its value."""
        value = f"{self.tops[top] if self.tops else self.name}:{len(self.operations)}"
        self.operations.append(
            Operation(
                kind,
                tuple(inputs or self.bottoms[:1]),
                (value, *extra),
                dict(fields or {}),
                name=self.name,
                said=f"{self.type or 'a layer without a type'}"[:60],
                place=f"line {self.layer.message.line}, layer `{self.name[:60]}`",
                why=why,
                shape=shape,
            )
        )
        self.shapes[value] = shape
        return value

    def give(self, *values: str) -> None:
        """The tops are these values."""
        for top, value in zip(self.tops, values, strict=False):
            self.blobs[top] = value

    def unknown(self, why: str) -> None:
        """Marks the layer as one that there is nothing like."""
        value = self.add(None, inputs=[name for name in self.bottoms if name], why=why)
        self.give(*[value] * len(self.tops))

    def shared(self) -> dict[str, Any]:
        """The field `weights` where the layer's `param` has the name of another layer's."""
        items = self.layer.message.items("param")
        if any(isinstance(item.value, str) for item in items):  # version 1
            names = self.layer.texts("param")
        else:
            names = [inner.text("name") for inner in self.layer.inners("param")]
        if not any(names):
            return {}
        owner = self.owners.setdefault("|".join(names), self.name)
        return {} if owner == self.name else {"weights": owner}


def _messages(layer: Parameters, name: str) -> list[Parameters]:
    from archspec.formats.prototext import Message

    return [
        Parameters(item.value, layer.source) for item in layer.message.items(name) if isinstance(item.value, Message)
    ]


def _reads(layer: Parameters) -> bool:
    """Whether a layer in Python gives samples."""
    return layer.word("type") == "Python" and not layer.message.items("bottom")


def _is_in(layer: Parameters, phase: str, stages: set[str], level: int) -> bool:
    """Whether a layer is in the network of a phase: any of its `include`, or none of its `exclude`, holds."""
    rules = [(rule, True) for rule in layer.inners("include")] or [(rule, False) for rule in layer.inners("exclude")]
    if not rules:
        return True
    included = rules[0][1]
    return any(_holds(rule, phase, stages, level) for rule, _ in rules) == included


def _holds(rule: Parameters, phase: str, stages: set[str], level: int) -> bool:
    own = {"0": "TRAIN", "1": "TEST"}.get(rule.word("phase"), rule.word("phase"))
    return (
        own in ("", phase)
        and ("min_level" not in rule or level >= rule.whole("min_level"))
        and ("max_level" not in rule or level <= rule.whole("max_level"))
        and set(rule.texts("stage")) <= stages
        and not set(rule.texts("not_stage")) & stages
    )


Taker = Callable[[Network], None]

"""What a network is exported to: the targets there are, and what each of them says of kinds of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

from archspec.graph import Node
from archspec.kinds import find_kind, is_foreign
from archspec.layers import Layer

if TYPE_CHECKING:
    from archspec.exporting.subject import Subject

_F = TypeVar("_F", bound=Callable[..., Any])


class Written(NamedTuple):
    """What an export wrote: its files, the one that was asked for first; `about` are facts for `--format json`.

    `notes` are what was left out, replaced or chosen, in sentences.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    about: dict[str, Any] = {}


class Module(Protocol):
    """What the module of a target has."""

    def write(self, subject: Subject, file: Path, **options: Any) -> Written:
        """Writes the files, each as a whole or not at all. Raises `DataError`."""

    def supports(self, node: Node) -> str | None:
        """Why the target cannot have a node, in words that follow its kind; None where it can. It needs no arrays."""


@dataclass(frozen=True)
class Target:
    """A format that networks are exported to.

    `suffixes` are those that its file may have, `beside` those of further files that lie beside it under its name,
    `options` the keyword arguments of its `write`, which are the command's options of these names.
    """

    module: str
    about: str
    suffixes: tuple[str, ...]
    beside: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def load(self) -> Module:
        """Its module, which may import JAX and what the format needs."""
        return cast("Module", import_module(self.module))


TARGETS = {
    "onnx": Target(
        "archspec.exporting.onnx",
        "ONNX: one node for most layers, named as the layers are",
        (".onnx",),
        options=("with_preprocessing",),
    ),
    "torch": Target(
        "archspec.exporting.source.torch",
        "PyTorch: source code of a module, with its weights beside it",
        (".py",),
        beside=(".safetensors",),
    ),
    "flax": Target(
        "archspec.exporting.source.flax",
        "Flax: source code of an nnx module, with its weights beside it",
        (".py",),
        beside=(".safetensors",),
    ),
    "keras": Target(
        "archspec.exporting.source.keras",
        "Keras: source code of a functional model, with its weights beside it",
        (".py",),
        beside=(".safetensors",),
    ),
    "stablehlo": Target(
        "archspec.exporting.stablehlo",
        "StableHLO with the weights inside, which JAX alone runs",
        (".stablehlo",),
        options=("with_preprocessing",),
    ),
    "tflite": Target(
        "archspec.exporting.tflite",
        "TFLite by LiteRT's converter, in float32 or int8",
        (".tflite",),
        options=("with_preprocessing", "int8", "calibration", "litert"),
    ),
}
"""The targets by the names of `--to`."""


class Emitters:
    """What one target says of kinds of layers: a function for each, found by the kind's class itself.

    A class that another package or a user derives from one of ours computes something else, so it does not inherit what
    is said of ours. It says how it is exported in a method `to_TARGET` of its own, which takes what the functions here
    take after the layer.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self._functions: dict[str, Callable[..., Any]] = {}
        self._lacks: dict[str, Callable[[Node], str | None]] = {}

    def __call__(self, *kinds: type[Layer], lacks: Callable[[Node], str | None] | None = None) -> Callable[[_F], _F]:
        """Marks the function of some kinds; `lacks` says why a node of one of them cannot be had after all."""

        def keep(function: _F) -> _F:
            for kind in kinds:
                self._functions[kind.kind] = function
                if lacks is not None:
                    self._lacks[kind.kind] = lacks
            return function

        return keep

    def find(self, layer: Layer) -> Callable[..., Any] | None:
        """The function for a layer, which takes the layer first; None where the target has none."""
        kind = type(layer)
        if is_foreign(kind):
            function: Callable[..., Any] | None = getattr(kind, f"to_{self.target}", None)
            return function
        return self._functions.get(kind.kind)

    def supports(self, node: Node) -> str | None:
        """Why a node cannot be exported; None where it can."""
        if self.find(node.layer) is None:
            if is_foreign(type(node.layer)):
                return f"is a kind of your own, without a method `to_{self.target}`"
            return "is a kind that it does not have"
        lacks = None if is_foreign(type(node.layer)) else self._lacks.get(node.kind)
        return None if lacks is None else lacks(node)

    def kinds(self) -> Iterator[type[Layer]]:
        """The kinds that have a function."""
        for name in sorted(self._functions):
            kind = find_kind("layers", name)
            assert kind is not None and issubclass(kind, Layer)
            yield kind

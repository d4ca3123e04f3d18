"""A call of a layer while it becomes operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.importing.keras.description import LayerOf
from archspec.importing.operations import Operation
from archspec.weights.tensors import Tensor

if TYPE_CHECKING:
    from archspec.importing.keras.network import Network


class NoneSuchError(Exception):
    """There is nothing like a layer here; the words say why."""


class Making:
    """A layer's call: what it takes, what its description says, and the operations that it becomes.

    Each operation takes what the one before it gave, the first the call's inputs; the last one's value is the result.
    """

    def __init__(
        self,
        network: Network,
        layer: LayerOf,
        number: int,
        inputs: Sequence[str],
        arguments: Sequence[Any],
        scope: tuple[str, ...],
    ) -> None:
        self.network, self.layer, self.number = network, layer, number
        self.inputs, self.arguments, self.scope = tuple(inputs), tuple(arguments), scope
        self.values = self.inputs
        self.made: list[Operation] = []
        self.rank = network.ranks.get(inputs[0], 0) if inputs else 0
        self.axes = self.rank - 2
        """Axes of places: 2 of a map, 1 of a signal."""

    def get(self, *names: str, default: Any = None) -> Any:
        """A field of the description, by today's name or an older one's."""
        for name in names:
            if self.layer.config.get(name) is not None:
                return self.layer.config[name]
        return default

    def whole(self, *names: str, default: int | None = None) -> int:
        value = self.get(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or abs(value) > 2**31:
            raise NoneSuchError(f"has {names[0]}: {str(value)[:60]}, which is no whole number")
        return int(value)

    def real(self, *names: str, default: float | None = None) -> float:
        value = self.get(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise NoneSuchError(f"has {names[0]}: {str(value)[:60]}, which is no number")
        return float(value)

    def sizes(self, *names: str, default: Any = None, axes: int | None = None) -> list[int]:
        """One number for each axis of places."""
        value = self.get(*names, default=default)
        count = self.axes if axes is None else axes
        listed = value if isinstance(value, list) else [value] * count
        if len(listed) != count or not all(type(size) is int and 0 <= size < 2**31 for size in listed):
            raise NoneSuchError(f"has {names[0]}: {str(value)[:60]}")
        return listed

    @property
    def first(self) -> bool:
        """Whether the layer has channels first."""
        said = str(self.get("data_format", "dim_ordering", default=self.network.order))
        return said in ("channels_first", "th")

    def check_order(self) -> None:
        """Raises `NoneSuchError` where the layer lays maps out otherwise than the rest of the file."""
        if self.first != (self.network.order == "channels_first") and self.rank > 2:
            raise NoneSuchError("has its channels on another axis than the file's other layers")

    def array(self, *words: str) -> Tensor | None:
        return self.network.arrays.of(self.scope, self.layer.name, *words)

    def arrays(self, **named: Tensor | None) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def emit(
        self,
        kind: str | None,
        fields: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Tensor] | None = None,
        *,
        part: str = "",
        unnamed: bool = False,
        values: Sequence[str] | None = None,
        why: str = "",
        shared: bool = False,
    ) -> None:
        """One operation more. `part` is its name within the layer's where that becomes several; `shared` says that it
        has arrays, which later calls of the layer use too.
        """
        own = dict(fields or {})
        path = ".".join([*self.scope, self.layer.name, part])
        name = "" if unnamed else part or self.layer.name
        if shared and path in self.network.named:
            own["weights"] = self.network.named[path]
            arrays = {}
        output = self.network.value()
        if shared:
            self.network.named.setdefault(path, output)
        operation = Operation(
            kind,
            tuple(self.values if values is None else values),
            (output,),
            own,
            dict(arrays or {}),
            name,
            (*self.scope, self.layer.name) if part else self.scope,
            self.layer.kind,
            self.layer.place,
            why,
        )
        self.made.append(operation)
        self.values = (output,)

    def constant(self, array: np.ndarray) -> str:
        name = self.network.value()
        self.network.constants[name] = Tensor.of(np.asarray(array))
        return name


Handler = Callable[[Making], None]


def changed(tensor: Tensor | None, shape: Sequence[int], change: Callable[[np.ndarray], np.ndarray]) -> Tensor | None:
    """A tensor made of another when it is asked for."""
    return None if tensor is None else tensor.changed(shape, change)

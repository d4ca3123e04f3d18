"""A file's operations while some of them are put together, and what rules ask of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from archspec.importing.operations import Operation, Shape
from archspec.weights.tensors import Tensor


class Uses(NamedTuple):
    """Which operation makes each value, and which take it, by their number."""

    maker: dict[str, int]
    takers: dict[str, list[int]]


class Work:
    """Operations while some of them are put together. What is put together goes, and a layer stands for the last."""

    def __init__(
        self,
        operations: list[Operation],
        constants: Mapping[str, Tensor],
        outputs: Sequence[str],
        shapes: Mapping[str, Shape | None],
        *,
        last: bool,
    ) -> None:
        self.last = last
        self.operations: list[Operation | None] = list(operations)
        self.constants = constants
        self.outputs = set(outputs)
        self.shapes = shapes
        self.look()

    def look(self) -> None:
        """Looks anew which operation makes each value, and which take it."""
        maker: dict[str, int] = {}
        takers: dict[str, list[int]] = {}
        for number, operation in enumerate(self.operations):
            if operation is None:
                continue
            maker.update(dict.fromkeys(operation.outputs, number))
            referred = [str(operation.fields[name]) for name in ("indices", "like") if name in operation.fields]
            for name in (*operation.inputs, *referred):
                takers.setdefault(name, []).append(number)
        self.uses = Uses(maker, takers)

    def all(self) -> list[Operation]:
        return [operation for operation in self.operations if operation is not None]

    def each(self, rule: Callable[[Work, int, Operation], bool]) -> None:
        """Tries a rule at every operation, from the last on."""
        for number in reversed(range(len(self.operations))):
            operation = self.operations[number]
            if operation is not None:
                rule(self, number, operation)

    def made_by(self, name: str, *kinds: str) -> Operation | None:
        """What makes a value, if it is of these kinds."""
        number = self.uses.maker.get(name)
        operation = None if number is None else self.operations[number]
        return operation if operation is not None and operation.kind in kinds else None

    def number(self, name: str) -> float | None:
        """The only number of a constant, None where it has several or is none."""
        tensor = self.constants.get(name)
        return float(np.asarray(tensor.load()).reshape(())) if tensor is not None and prod(tensor.shape) == 1 else None

    def inner(self, pieces: Iterable[Operation], last: Operation) -> bool:
        """Whether no other operation and no output takes what pieces give, but for the last one's."""
        numbers = {self.uses.maker[piece.outputs[0]] for piece in pieces}
        return all(
            set(self.uses.takers.get(piece.outputs[0], ())) <= numbers and piece.outputs[0] not in self.outputs
            for piece in pieces
            if piece is not last
        )

    def put(self, last: Operation, pieces: Sequence[Operation], layer: Operation) -> None:
        """A layer in the place of pieces."""
        for piece in pieces:
            self.operations[self.uses.maker[piece.outputs[0]]] = None
        self.operations[self.uses.maker[last.outputs[0]]] = layer
        self.look()

    def split(self, operation: Operation) -> tuple[str, str] | None:
        """A value and a constant that an operation takes, in whatever order."""
        if len(operation.inputs) != 2:
            return None
        one, other = operation.inputs
        if (one in self.constants) == (other in self.constants):
            return None
        return (other, one) if one in self.constants else (one, other)

    def along(self, axis: int, rank: int) -> dict[str, int]:
        """The field that says along which axis an operation works, where that is not the channels' by the order."""
        return {} if axis == (rank - 1 if self.last else 1) else {"axis": axis}

    def one_taker(self, name: str, *kinds: str) -> Operation | None:
        """The operation that alone takes a value, if it is of these kinds."""
        takers = set(self.uses.takers.get(name, ()))
        if len(takers) != 1 or name in self.outputs:
            return None
        operation = self.operations[takers.pop()]
        return operation if operation is not None and operation.kind in kinds else None


def in_place(
    last: Operation, kind: str, inputs: tuple[str, ...], fields: Mapping[str, Any], arrays: Mapping[str, Tensor]
) -> Operation:
    """A layer whose output is that of the last of its pieces."""
    return replace(last, kind=kind, inputs=inputs, fields=fields, arrays=arrays, why="")


def short(value: float) -> float:
    """A number as a person would have written it, of one that the file has in 32 bits."""
    return float(f"{value:.6g}")

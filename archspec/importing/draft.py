"""A network while it is made of a file's operations: layers of ours with their inputs, types and arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from archspec.diagnostics import ShapeError, count
from archspec.fields import MAX_SIZE
from archspec.graph import INPUT, GraphInput, input_number, is_input
from archspec.importing.operations import Operation, Order, Value
from archspec.kinds import find_kind
from archspec.layers import Layer
from archspec.types import TensorType
from archspec.weights.tensors import Tensor

NOT_IMPORTED = "not_imported"
"""Stands in a spec where a file has an operation that no kind is like; no kind has this name."""


class CannotError(Exception):
    """An operation cannot be a layer of ours; the words say why, after the operation's own word."""


@dataclass(eq=False)
class Entry:
    """One layer. `sources` are numbers of entries, or of inputs below 0, as a graph has them.

    `references` are what fields name. `type` is None behind what was not imported. `ours` says that the arrays are in
    this package's axes, not in PyTorch's. `why` is said of what was not imported.
    """

    kind: str
    fields: dict[str, Any]
    sources: list[int]
    operation: Operation
    type: TensorType | None = None
    references: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, Tensor] = field(default_factory=dict)
    ours: bool = False
    shares: int | None = None
    layer: Layer | None = None
    why: str = ""

    @property
    def missing(self) -> bool:
        return self.kind == NOT_IMPORTED

    @property
    def taken(self) -> tuple[int, ...]:
        """Everything that it needs, arrays of others among it."""
        shared = () if self.shares is None else (self.shares,)
        return (*self.sources, *self.references.values(), *shared)


class Flow(NamedTuple):
    """A value of the file: what makes it, and how the file lays it out.

    `last` says that the file has its channels last at this point; of a vector that was a map, that it was flattened so.
    `steps` are reshapes and transpositions, without the batch's axis, that were not made yet.
    """

    source: int
    last: bool
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()


class Draft:
    """The entries so far, the values of the file, and what is to be said, counted."""

    def __init__(self, order: Order, inputs: Sequence[GraphInput]) -> None:
        self.order = order
        self.inputs = tuple(inputs)
        self.entries: list[Entry] = []
        self.flows: dict[str, Flow] = {}
        self.said: Counter[str] = Counter()
        """What was left out or replaced, as `{number} …`, and how often."""
        self.shared: set[int] = set()
        """Entries whose arrays others use."""
        self._alike: dict[tuple[str, str, tuple[tuple[str, int], ...]], int] = {}

    @property
    def last(self) -> bool:
        """Whether the file lays maps out with channels last."""
        return self.order == "channels_last"

    def type_of(self, source: int) -> TensorType | None:
        return self.inputs[input_number(source)].type if is_input(source) else self.entries[source].type

    def add(
        self,
        kind: str,
        fields: Mapping[str, Any],
        sources: Sequence[int],
        operation: Operation,
        *,
        arrays: Mapping[str, Tensor] | None = None,
        references: Mapping[str, int] | None = None,
        ours: bool | None = None,
        shares: int | None = None,
    ) -> int:
        """Adds a layer and gives its number. Raises `CannotError` where there is no such layer, or it does not fit."""
        references = dict(references or {})
        layer = layer_of(kind, {**fields, **dict.fromkeys(references, "x")})
        high = layer.max_inputs
        if len(sources) < layer.min_inputs or (high is not None and len(sources) > high):
            raise CannotError(f"has {count(len(sources), 'input')}")
        entry = Entry(
            kind,
            dict(fields),
            list(sources),
            operation,
            references=references,
            arrays=dict(arrays or {}),
            ours=self.last if ours is None else ours,
            layer=layer,
            shares=shares,
        )
        entry.type = self.inferred(entry)
        owner = None if shares is None else self.entries[shares]
        if owner is not None and (owner.kind != kind or repr(owner.layer) != repr(layer)):
            raise CannotError("uses the arrays of a layer that it differs from, as in its dilation or padding")
        self.entries.append(entry)
        number = len(self.entries) - 1
        if entry.arrays and shares is None:
            key = (kind, repr(layer), tuple(sorted((name, id(tensor)) for name, tensor in entry.arrays.items())))
            known = self._alike.get(key)
            # A layer that has been given a bias since is no longer like it.
            if known is not None and repr(self.entries[known].layer) == repr(layer):
                entry.shares = known
            else:
                self._alike[key] = number
        if entry.shares is not None:
            self.shared.add(entry.shares)
        return number

    def inferred(self, entry: Entry) -> TensorType | None:
        """The type of what an entry gives, by its layer's own rule. Raises `CannotError`."""
        layer = entry.layer
        if layer is None:
            return None
        types = [self.type_of(source) for source in entry.sources]
        for name, port in layer.referred().items():
            source = entry.references[name]
            kind = self.type_of(source)
            if port == "indices" and kind is not None:
                other = None if is_input(source) else self.entries[source]
                if other is None or other.kind != "max_pool" or other.layer is None:
                    raise CannotError("takes indices of something else than a max_pool")
                own = [self.type_of(item) for item in other.sources]
                kind = other.layer.tap_indices(*[item for item in own if item is not None])
            types.append(kind)
        known = [item for item in types if item is not None]
        if len(known) < len(types):
            return None
        try:
            made = layer.infer(*known)
            if max(made.shape) > MAX_SIZE:
                raise ShapeError(f"makes {made}, and no side may be more than {MAX_SIZE:,}")
            return made
        except ShapeError as error:
            raise CannotError(f"does not fit: {error.message}; its input is {', '.join(map(str, known))}") from None

    def give_up(self, operation: Operation, sources: Iterable[int], why: str) -> int:
        """Marks an operation as not imported."""
        self.entries.append(Entry(NOT_IMPORTED, {}, list(dict.fromkeys(sources)), operation, why=why))
        return len(self.entries) - 1

    def forget(self, first: int) -> None:
        """Takes back the entries from a number on, which nothing takes yet."""
        del self.entries[first:]
        self._alike = {key: number for key, number in self._alike.items() if number < first}
        self.shared = {number for number in self.shared if number < first}

    def takers(self) -> dict[int, list[Entry]]:
        """What takes each source's value, its indices or its shape."""
        found: dict[int, list[Entry]] = {}
        for entry in self.entries:
            for source in dict.fromkeys((*entry.sources, *entry.references.values())):
                found.setdefault(source, []).append(entry)
        return found


def layer_of(kind: str, fields: Mapping[str, Any]) -> Layer:
    """A layer of ours. Raises `CannotError` where there is none like it."""
    made = find_kind("layers", kind)
    if made is None:
        raise CannotError(f"has no kind like it ({kind})")
    try:
        layer = made.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(item) for item in first["loc"][:1])
        raise CannotError(f"as {kind}: {place} {str(first['msg'])[:200]}".replace("  ", " ")) from None
    assert isinstance(layer, Layer)
    return layer


def inputs_of(values: Sequence[Value], last: Mapping[str, bool]) -> list[GraphInput]:
    """What the network takes, in this package's axes; `last` says of which the file has the channels last.

    Raises `CannotError` where one is no image, signal or vector.
    """
    found = []
    for value in values:
        shape = value.shape
        if not 1 <= len(shape) <= 3 or not all(0 < size < 2**31 for size in shape):
            said = "×".join(map(str, shape))
            raise CannotError(f"the input `{value.name[:60]}` is {said or 'a number'}: no image, signal or vector")
        own = shape if last[value.name] or len(shape) == 1 else (*shape[1:], shape[0])
        found.append(GraphInput(value.name, TensorType(own)))
    return found


__all__ = ["INPUT", "NOT_IMPORTED", "CannotError", "Draft", "Entry", "Flow", "inputs_of", "layer_of"]
